import { isIP } from 'node:net';

import { byText, describeError } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';

import type { SourceProblem } from '../../catalog/types.js';
import { fittingWeights } from '../source/weights.js';
import type { NameServer, ServiceRecord } from './nameServer.js';

/** A server as it is configured or registered: its host is a name, or an address. */
export interface NamedServer {
  /** `srv`: the name has SRV records, which tell the port. Absent: `a`, and `aaaa` where this machine has IPv6. */
  readonly type?: 'a' | 'aaaa' | 'srv' | undefined;
  readonly instance: Omit<Instance, 'port'> & { readonly port?: number };
}

/** What all names are resolved to. */
export interface Resolved {
  /** In the order of the servers, those of one name in the order of their addresses. */
  readonly instances: readonly Instance[];
  readonly problems: readonly SourceProblem[];
  /** The names that no server answered for; what they were before is among the instances. */
  readonly failures: readonly string[];
  /** False when nothing was ever known of one of these. */
  readonly complete: boolean;
  /** Seconds for which the answers count; undefined when no answer says so. */
  readonly ttl: number | undefined;
}

interface Part<T> {
  readonly found: readonly T[];
  readonly failure?: string;
  readonly known: boolean;
}

/** Nothing that a person made is larger. */
const maxTargets = 1_000;
const maxAtOnce = 32;

/** Resolves names, and remembers what each was when it was last told. */
export class Resolution {
  #memory: ReadonlyMap<string, readonly unknown[]> = new Map();

  /** Never rejects for what name servers do. */
  async resolve(servers: readonly NamedServer[], names: NameServer): Promise<Resolved> {
    const round = new Round(names, this.#memory);
    const parts: (readonly Instance[])[] = [];
    const queue = servers.entries();
    const work = async (): Promise<void> => {
      for (const [index, server] of queue) parts[index] = await round.server(server);
    };
    await Promise.all(Array.from({ length: Math.min(maxAtOnce, servers.length) }, work));
    this.#memory = round.memory;
    return {
      instances: parts.flat(),
      problems: round.problems,
      failures: [...round.failures].sort(),
      complete: round.complete,
      ttl: round.ttl,
    };
  }
}

/** One resolution of all names, each asked for once. */
class Round {
  readonly memory = new Map<string, readonly unknown[]>();
  readonly problems: SourceProblem[] = [];
  readonly failures = new Set<string>();
  complete = true;
  ttl: number | undefined;
  readonly #names: NameServer;
  readonly #before: ReadonlyMap<string, readonly unknown[]>;
  readonly #asked = new Map<string, Promise<Part<unknown>>>();

  constructor(names: NameServer, before: ReadonlyMap<string, readonly unknown[]>) {
    this.#names = names;
    this.#before = before;
  }

  async server({ type, instance }: NamedServer): Promise<readonly Instance[]> {
    if (type === 'srv') return this.#services(instance);
    const { port } = instance;
    if (port === undefined) return [];
    const addresses = await this.#addresses(instance.host, type);
    return addresses.map((host) => ({ ...instance, host, port }));
  }

  async #services(instance: NamedServer['instance']): Promise<readonly Instance[]> {
    const { host, haproxyServerOptions, weight: configured } = instance;
    const part = await this.#ask(`srv ${host}`, () => this.#names.services(host));
    if (part.failure !== undefined) this.#failed(host, part.failure, part.known);
    const records = this.#usable(host, part.found);
    const first = Math.min(...records.map(({ priority }) => priority));
    const weights = weightsOf(records);
    const resolved = await Promise.all(
      records.map(async (record) => {
        const weight = configured ?? weights.get(record);
        // Others are asked only when all of the first are down: what HAProxy calls a backup.
        const words = [haproxyServerOptions, record.priority > first ? 'backup' : undefined];
        const options = words.filter((word) => word !== undefined).join(' ');
        const addresses = await this.#addresses(record.name);
        return addresses.map((address) => ({
          ...instance,
          host: address,
          port: record.port,
          ...(weight !== undefined && { weight }),
          ...(options !== '' && { haproxyServerOptions: options }),
        }));
      }),
    );
    return resolved.flat();
  }

  #usable(host: string, found: readonly ServiceRecord[]): readonly ServiceRecord[] {
    const tell = (reason: string): void => void this.problems.push({ path: host, reason });
    // A target of nothing says that there is no such service.
    const named = found.filter(({ name }) => name !== '' && name !== '.');
    const usable = named.filter(({ port }) => port >= 1 && port <= 65_535);
    if (usable.length < named.length) tell('An SRV record without a port');
    if (usable.length > maxTargets) tell(`More than ${maxTargets} SRV records: the others are left out`);
    const order = (a: ServiceRecord, b: ServiceRecord): number =>
      a.priority - b.priority || byText(a.name, b.name) || a.port - b.port;
    return [...usable].sort(order).slice(0, maxTargets);
  }

  async #addresses(host: string, type?: 'a' | 'aaaa'): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const families: readonly (4 | 6)[] =
      type === undefined ? (this.#names.usesIPv6 ? [4, 6] : [4]) : [type === 'a' ? 4 : 6];
    const parts = await Promise.all(
      families.map((family) => this.#ask(`${family} ${host}`, () => this.#family(host, family))),
    );
    const found = parts.flatMap((part) => part.found);
    for (const { failure, known, found: kept } of parts)
      // Some servers fail for ever when they are asked for a family that they do not know.
      if (failure !== undefined && (kept.length > 0 || found.length === 0))
        this.#failed(host, failure, known);
    return [...new Set(found)].sort(byText);
  }

  async #family(host: string, family: 4 | 6): Promise<readonly string[]> {
    const records = await this.#names.addresses(host, family);
    for (const { ttl } of records) this.ttl = Math.min(ttl, this.ttl ?? Infinity);
    return records.map(({ address }) => address);
  }

  #failed(host: string, reason: string, known: boolean): void {
    this.failures.add(`${host}: ${reason}`);
    if (!known) this.complete = false;
  }

  #ask<T>(key: string, query: () => Promise<readonly T[]>): Promise<Part<T>> {
    const asked = this.#asked.get(key) ?? this.#askOnce(key, query);
    this.#asked.set(key, asked);
    return asked as Promise<Part<T>>;
  }

  async #askOnce(key: string, query: () => Promise<readonly unknown[]>): Promise<Part<unknown>> {
    try {
      const found = await query();
      this.memory.set(key, found);
      return { found, known: true };
    } catch (error) {
      const before = this.#before.get(key);
      if (before !== undefined) this.memory.set(key, before);
      return { found: before ?? [], known: before !== undefined, failure: describeError(error) };
    }
  }
}

/** SRV weights as shares: 0 among others means a little, not nothing. */
function weightsOf(records: readonly ServiceRecord[]): ReadonlyMap<ServiceRecord, number> {
  if (records.every(({ weight }) => weight === 0)) return new Map();
  const weights = fittingWeights(records.map(({ weight }) => weight));
  return new Map(records.map((record, index) => [record, weights[index] ?? 1]));
}
