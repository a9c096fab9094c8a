import { isRange } from './bindLines.js';
import type { Outline, ServiceOutline } from './outline.js';
import { PortClaims } from './portClaims.js';
import type { Section } from '../types.js';

type Kind = 'frontend' | 'backend';

/** The lines of a section are values: each list is read once. */
const addressesOf = new WeakMap<readonly string[], readonly string[]>();

/** The addresses of a line, if it is a `bind` line, in the form of `bindAddresses`. */
export function addressesIn(line: string): readonly string[] {
  const [keyword, list] = line.trim().split(/\s+/);
  return keyword !== 'bind' || list === undefined ? [] : list.split(',').map(normalBind);
}

/** The addresses of `bind` lines, normalised so that two spellings of one address compare. */
export function bindAddresses(lines: readonly string[]): readonly string[] {
  const known = addressesOf.get(lines);
  if (known !== undefined) return known;
  const addresses = lines.flatMap(addressesIn);
  addressesOf.set(lines, addresses);
  return addresses;
}

function normalBind(address: string): string {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  if (port === '') return address;
  const plain = host.replace(/^(ipv4@|ipv6@)/, '');
  const known = plain === '' || plain === '*' ? '0.0.0.0' : plain === 'localhost' ? '127.0.0.1' : plain;
  return `${known}:${Number(port)}`;
}

/** What a service asks for that only one can have. */
export interface Wish {
  readonly backend: string;
  readonly addresses: readonly string[];
}

function heldBy({ frontend, backend }: ServiceOutline): readonly string[] {
  return [`backend ${backend.name}`, ...bindAddresses(frontend?.lines ?? [])];
}

/**
 * Who keeps an address or a backend's name although another service asks for it too: the one that had it in the
 * last accepted configuration, as long as it asks for it still. `wishOf` answers `all` for a service that keeps
 * whatever it had, undefined for one that is gone.
 */
export function holders(
  lastGood: Outline,
  wishOf: (service: string) => Wish | 'all' | undefined,
): ReadonlyMap<string, string> {
  const held = new Map<string, string>();
  for (const sections of lastGood) {
    const wish = wishOf(sections.service);
    if (wish === undefined) continue;
    for (const key of heldBy(sections)) {
      const isWanted = wish === 'all' || key === `backend ${wish.backend}` || wish.addresses.includes(key);
      if (isWanted && !held.has(key)) held.set(key, sections.service);
    }
  }
  return held;
}

/**
 * Names and addresses that sections hold. HAProxy refuses two sections of a name; two frontends on one
 * address it accepts, and the kernel deals connections to either. Of two services that of `held` comes first,
 * else the one that asks first.
 */
export class Claims {
  readonly #owners = new Map<string, string>();
  readonly #held: ReadonlyMap<string, string>;
  /** Of what is claimed, and of what was held; only where there are ranges of ports. */
  #ports: PortClaims | undefined;
  #heldPorts: PortClaims | undefined;

  constructor(base: readonly Section[], held: ReadonlyMap<string, string> = new Map()) {
    this.#held = held;
    for (const { title, lines } of base) {
      const [keyword = '', name] = title.trim().split(/\s+/);
      const owner = `section '${title}'`;
      if (name !== undefined) {
        if (keyword === 'frontend' || keyword === 'listen') this.#owners.set(`frontend ${name}`, owner);
        if (keyword === 'backend' || keyword === 'listen') this.#owners.set(`backend ${name}`, owner);
      }
      for (const address of bindAddresses(lines)) this.#owners.set(address, owner);
    }
    this.#ports = PortClaims.ifRanges(this.#owners);
    if (this.#ports !== undefined || PortClaims.ifRanges(held) !== undefined) this.#lookAtPorts();
  }

  /** Whose the section of this name is, where it is not `service`'s. */
  owner(kind: Kind, name: string, service: string): string | undefined {
    return this.#other(`${kind} ${name}`, `service ${service}`);
  }

  /** Claims the name of a section for `owner`. */
  section(kind: Kind, name: string, owner: string): void {
    this.#owners.set(`${kind} ${name}`, owner);
  }

  /** Claims an address; returns who has it already. */
  address(address: string, owner: string): string | undefined {
    const other = this.#other(address, owner) ?? this.#overlapping(address, owner);
    if (other !== undefined) return other;
    this.#owners.set(address, owner);
    this.#ports?.claim(address, owner);
    return undefined;
  }

  /** The same where ports are among several of others, or others among several of these. */
  #overlapping(address: string, owner: string): string | undefined {
    if (this.#ports === undefined && isRange(address)) this.#lookAtPorts();
    const other = this.#ports?.other(address, owner) ?? this.#heldPorts?.other(address, owner);
    return other && `${other.owner} (${other.address})`;
  }

  #lookAtPorts(): void {
    this.#ports ??= PortClaims.of(this.#owners);
    this.#heldPorts = PortClaims.of(
      new Map([...this.#held].map(([key, service]) => [key, `service ${service}`])),
    );
  }

  #other(key: string, owner: string): string | undefined {
    const now = this.#owners.get(key);
    if (now !== undefined) return now === owner ? undefined : now;
    const holder = this.#held.get(key);
    return holder === undefined || owner === `service ${holder}` ? undefined : `service ${holder}`;
  }
}
