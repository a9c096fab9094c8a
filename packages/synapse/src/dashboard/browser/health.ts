import { duration } from './format.js';

/** What the page reads of `/status`. All of it may be missing: that is for people, and differs from version to version. */
export interface HealthStatus {
  readonly configuration?: { readonly file?: string; readonly issues?: readonly string[] };
  readonly zookeeper?: readonly Ensemble[];
  readonly services?: readonly Source[];
  readonly generators?: readonly GeneratorHealth[];
}

/** A session with ZooKeeper. */
export interface Ensemble {
  readonly ensemble?: string;
  readonly kind: string;
  readonly since?: number;
  readonly server?: string;
  readonly epoch?: number;
  readonly sessionId?: string;
  readonly reason?: string;
}

interface Source {
  readonly name: string;
  readonly source: string;
  readonly staleMs?: number;
  readonly held?: number;
  readonly problemCount?: number;
}

/** How one generator fares. */
export interface GeneratorHealth {
  readonly generator: string;
  readonly passes?: number;
  readonly outcome?: string;
  readonly lastSuccessAt?: number;
  readonly consecutiveFailures?: number;
  readonly error?: string;
  readonly waitingFor?: readonly string[];
  readonly details?: HaproxyDetails;
}

/** What HAProxy's generator says beside. */
interface HaproxyDetails {
  readonly processes?: readonly {
    readonly socket: string;
    readonly pid?: number;
    readonly loaded?: string;
    readonly info?: {
      readonly version?: string;
      readonly uptimeSeconds?: number;
      readonly currentConnections?: number;
      readonly maxConnections?: number;
    };
  }[];
  readonly reloadReasons?: readonly { readonly kind: string; readonly detail?: string }[];
  readonly file?: { readonly problem?: string; readonly writtenAt?: number };
  readonly quarantined?: readonly {
    readonly culprit: { readonly kind: string; readonly [part: string]: unknown };
    readonly reason: string;
    readonly kept?: string;
  }[];
  readonly issues?: readonly unknown[];
  readonly unresolvedHosts?: Readonly<Record<string, unknown>>;
  readonly oldWorkers?:
    | 'unknown'
    | readonly { readonly pid: number; readonly ageSeconds: number; readonly drainingSeconds: number }[];
  readonly statsAddress?: string;
}

/** Something that an operator should know. */
export interface Finding {
  readonly level: 'bad' | 'fair';
  readonly text: string;
  readonly detail: string;
}

const list = (names: readonly string[]): string =>
  names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;

/** What is not as it should be, the worst first. */
export function findings(status: HealthStatus, now: number): readonly Finding[] {
  const found: Finding[] = [];
  const add = (level: Finding['level'], text: string, detail: string): void =>
    void found.push({ level, text, detail });
  for (const { ensemble = '', kind, since, reason } of status.zookeeper ?? []) {
    if (kind === 'connected') continue;
    const how = since === undefined ? '' : ` for ${duration(now - since)}`;
    add(
      'bad',
      `ZooKeeper ${ensemble}: ${kind}${how}`,
      reason ?? 'HAProxy goes on with the servers that are known.',
    );
  }
  for (const generator of status.generators ?? []) generatorFindings(generator, add);
  for (const issue of status.configuration?.issues ?? []) add('fair', 'Configuration', issue);
  const named = (which: (source: Source) => boolean): readonly string[] =>
    (status.services ?? []).filter(which).map(({ name }) => name);
  const stale = named(({ source }) => source === 'stale' || source === 'previous');
  if (stale.length > 0) add('fair', 'Sources that are lost', `${list(stale)}: what they told last stays.`);
  const pending = named(({ source }) => source === 'pending');
  if (pending.length > 0) add('fair', 'Services without any news yet', list(pending));
  const held = named((one) => (one.held ?? 0) > 0);
  if (held.length > 0) add('fair', 'Instances that vanished with most others are held', list(held));
  const unreadable = named((one) => (one.problemCount ?? 0) > 0);
  if (unreadable.length > 0) add('fair', 'Registrations that cannot be read', list(unreadable));
  return found.sort((a, b) => (a.level === b.level ? 0 : a.level === 'bad' ? -1 : 1));
}

function generatorFindings(
  { generator, outcome, error, waitingFor = [], details }: GeneratorHealth,
  add: (level: Finding['level'], text: string, detail: string) => void,
): void {
  if (outcome === 'failed')
    add('bad', `${generator} is behind`, error ?? 'Its last pass failed; it tries again.');
  if (waitingFor.length > 0) add('fair', `${generator} waits for the first news`, list(waitingFor));
  for (const { culprit, reason, kept } of details?.quarantined ?? [])
    add(
      'bad',
      `Quarantined: ${culpritName(culprit)}${kept === 'last-good' ? ' (as it was before)' : ''}`,
      reason,
    );
  for (const { socket, loaded, pid } of details?.processes ?? []) {
    if (pid === undefined) add('bad', 'HAProxy does not answer', socket);
    else if (loaded === 'unknown') add('fair', 'HAProxy runs a configuration that is not ours', socket);
  }
  if (details?.file?.problem !== undefined) add('bad', 'haproxy.cfg cannot be used', details.file.problem);
  const pending = details?.reloadReasons ?? [];
  if (pending.length > 0)
    add('fair', 'A reload is due', list(pending.map(({ kind, detail }) => detail ?? kind)));
  const unresolved = Object.keys(details?.unresolvedHosts ?? {});
  if (unresolved.length > 0) add('fair', 'Hosts without an address', list(unresolved));
  const { oldWorkers } = details ?? {};
  if (Array.isArray(oldWorkers) && oldWorkers.length > 5)
    add(
      'fair',
      `${oldWorkers.length} old workers`,
      'Long requests keep them; hard_stop_after bounds how long.',
    );
}

/** `server web/a`: what is held back. */
function culpritName({
  kind,
  ...parts
}: {
  readonly kind: string;
  readonly [part: string]: unknown;
}): string {
  const names = Object.values(parts).filter((part) => typeof part === 'string');
  return [kind, names.join('/')].filter((part) => part !== '').join(' ');
}

/** A sample of the text that Prometheus reads. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of one metric in that text. */
export function samplesOf(text: string, metric: string): readonly Sample[] {
  const found: Sample[] = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith(metric)) continue;
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (name !== metric) continue;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', raw = '']) => [
      key,
      raw.replaceAll(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one)),
    ]);
    found.push({ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) });
  }
  return found;
}

/** Where HAProxy's stats page is, for a browser that reached the agent at `here`. */
export function statsLink(address: string | undefined, here: string): string | undefined {
  const match = /^(?:ipv4@|ipv6@)?(.*):(\d{1,5})$/.exec(address ?? '');
  if (match === null) return undefined;
  const [, host = '', port = ''] = match;
  const isAny = ['', '*', '0.0.0.0', '::', '[::]'].includes(host);
  const name = isAny ? here : host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `http://${name}:${port}/`;
}
