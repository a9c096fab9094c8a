import type { Section } from '../types.js';

type Kind = 'frontend' | 'backend';

/** The addresses of `bind` lines, normalised so that two spellings of one address compare. */
export function bindAddresses(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    const [keyword, addresses] = line.trim().split(/\s+/);
    if (keyword !== 'bind' || addresses === undefined) return [];
    return addresses.split(',').map(normalBind);
  });
}

function normalBind(address: string): string {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  if (port === '') return address;
  const plain = host.replace(/^(ipv4@|ipv6@)/, '');
  const known = plain === '' || plain === '*' ? '0.0.0.0' : plain === 'localhost' ? '127.0.0.1' : plain;
  return `${known}:${Number(port)}`;
}

/**
 * Names and addresses that sections hold. HAProxy refuses two sections of a name; two frontends on one
 * address it accepts, and the kernel deals connections to either.
 */
export class Claims {
  readonly #sections = new Map<string, string>();
  readonly #addresses = new Map<string, string>();

  constructor(base: readonly Section[]) {
    for (const { title, lines } of base) {
      const [keyword = '', name] = title.trim().split(/\s+/);
      if (name !== undefined) {
        if (keyword === 'frontend' || keyword === 'listen') this.#sections.set(`frontend ${name}`, keyword);
        if (keyword === 'backend' || keyword === 'listen') this.#sections.set(`backend ${name}`, keyword);
      }
      for (const address of bindAddresses(lines)) this.#addresses.set(address, `section '${title}'`);
    }
  }

  /** The keyword of the section that has this name, if there is one. */
  owner(kind: Kind, name: string): string | undefined {
    return this.#sections.get(`${kind} ${name}`);
  }

  section(kind: Kind, name: string): void {
    this.#sections.set(`${kind} ${name}`, kind);
  }

  /** Claims an address; returns who has it already. */
  address(address: string, owner: string): string | undefined {
    const held = this.#addresses.get(address);
    if (held === undefined) this.#addresses.set(address, owner);
    return held === owner ? undefined : held;
  }
}
