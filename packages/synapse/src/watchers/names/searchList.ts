/** Which domains a short name is looked for in. */
export interface SearchList {
  readonly domains: readonly string[];
  /** A name with so many dots is first tried as it is. */
  readonly ndots: number;
}

/** No resolver looks through more. */
const maxDomains = 32;

/** What a `resolv.conf` says of it. The last `search` or `domain` counts, as everywhere. */
export function parseSearchList(resolvConf: string): SearchList | undefined {
  let domains: readonly string[] | undefined;
  let ndots = 1;
  for (const line of resolvConf.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'search') domains = words.slice(0, maxDomains);
    else if (keyword === 'domain') domains = words.slice(0, 1);
    else if (keyword === 'options')
      for (const word of words) ndots = Number(/^ndots:(\d{1,2})$/.exec(word)?.[1] ?? ndots);
  }
  return domains === undefined ? undefined : { domains, ndots };
}

/** Without any other word, names are looked for in the domain of the machine, as Ruby does. */
export function hostSearchList(hostname: string): SearchList {
  const dot = hostname.indexOf('.');
  return { domains: dot === -1 ? [] : [hostname.slice(dot + 1)], ndots: 1 };
}

/** The names to ask for, in order: one that ends in a dot is complete. */
export function candidates(name: string, { domains, ndots }: SearchList): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const below = domains.map((domain) => `${name}.${domain.replace(/\.$/, '')}`);
  const dots = name.split('.').length - 1;
  return dots >= ndots ? [name, ...below] : [...below, name];
}
