import type { Instance, Json } from '@smartstack/registry';
import { serverName } from '../../names.js';
import type { KnownServers, Server } from '../types.js';

/** A server that was in rotation at some time within the TTL. */
export interface RememberedServer {
  readonly instance: Instance;
  readonly serverId: number | undefined;
  /**
   * When it was last discovered, in seconds since the epoch; undefined for one that was in rotation whenever
   * anything of its service was: then the service's time is its own.
   */
  readonly seen: number | undefined;
}

/** What is remembered of one service, by server name, in the order of first appearance. */
export interface ServiceMemory {
  readonly servers: ReadonlyMap<string, RememberedServer>;
  /** When anything of the service was last discovered, in seconds since the epoch. */
  readonly seen: number;
  /** The service's `haproxy` block as Ruby keeps it, with its defaults. */
  readonly block: Readonly<Record<string, unknown>> | undefined;
}

/** Server ids and recently vanished servers, by service. A value: each step makes a new one. */
export type Memory = ReadonlyMap<string, ServiceMemory>;

/** Nothing is remembered. */
export const emptyMemory: Memory = new Map();

/** The key under which Ruby keeps a service's block among its servers. */
const blockKey = 'watcher_config_for_generator';
const emptyService: ServiceMemory = { servers: new Map(), seen: 0, block: undefined };

type Raw = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseInstance(raw: Raw): Instance | undefined {
  const { host, port, name, id, weight, haproxy_server_options: options, labels } = raw;
  if (typeof host !== 'string') return undefined;
  const number = typeof port === 'string' && /^\d{1,5}$/.test(port) ? Number(port) : port;
  if (typeof number !== 'number') return undefined;
  return {
    host,
    port: number,
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof id === 'number' ? { id } : {}),
    ...(typeof weight === 'number' ? { weight } : {}),
    ...(typeof options === 'string' ? { haproxyServerOptions: options } : {}),
    ...(isRecord(labels) ? { labels: labels as Record<string, Json> } : {}),
  };
}

interface ParsedServer {
  readonly name: string;
  readonly instance: Instance;
  readonly serverId: number | undefined;
  readonly seen: number;
}

function parseServer(raw: unknown): ParsedServer | undefined {
  const instance = isRecord(raw) ? parseInstance(raw) : undefined;
  if (!isRecord(raw) || instance === undefined) return undefined;
  const name = serverName(instance);
  if ('reason' in name) return undefined;
  const { haproxy_server_id: id, timestamp } = raw;
  const serverId = typeof id === 'number' && Number.isInteger(id) && id > 0 && id < 2 ** 31 ? id : undefined;
  const seen = typeof timestamp === 'number' && timestamp >= 0 ? timestamp : 0;
  return { name: name.value, instance, serverId, seen };
}

/** Those that were seen last were in rotation then; the others had vanished before. */
function fromTimes(parsed: readonly ParsedServer[]): Pick<ServiceMemory, 'servers' | 'seen'> {
  const newest = parsed.reduce((latest, { seen }) => Math.max(latest, seen), 0);
  const servers = new Map(
    parsed.map(({ name, instance, serverId, seen }): [string, RememberedServer] => [
      name,
      { instance, serverId, seen: seen === newest ? undefined : seen },
    ]),
  );
  return { servers, seen: newest };
}

/** Reads Ruby's state file. Never fails: what is not understood is forgotten, and rebuilt from discovery. */
export function parseMemory(text: string): Memory {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return emptyMemory;
  }
  if (!isRecord(raw)) return emptyMemory;
  const memory = new Map<string, ServiceMemory>();
  for (const [service, entries] of Object.entries(raw)) {
    if (!isRecord(entries)) continue;
    const parsed = Object.entries(entries).flatMap(([key, value]) =>
      key === blockKey ? [] : (parseServer(value) ?? []),
    );
    const block = entries[blockKey];
    memory.set(service, { ...fromTimes(parsed), block: isRecord(block) ? block : undefined });
  }
  return memory;
}

/** JSON as Ruby writes it, with each line but the first indented by `depth` levels. */
function pretty(value: unknown, depth: number): string {
  // A seed of 128 bits may stand in a block only by mistake, but must not end the process.
  const asText = (_key: string, each: unknown): unknown => (typeof each === 'bigint' ? String(each) : each);
  return JSON.stringify(value, asText, 2).replaceAll('\n', `\n${'  '.repeat(depth)}`);
}

/** A server behind its time, which comes first. */
function serialiseServer({ instance, serverId }: RememberedServer): string {
  const { name, host, port, id, weight, haproxyServerOptions, labels } = instance;
  const rest: Raw = {
    ...(serverId === undefined ? {} : { haproxy_server_id: serverId }),
    name: name ?? null,
    host,
    port,
    id: id ?? null,
    weight: weight ?? null,
    haproxy_server_options: haproxyServerOptions ?? null,
    labels: labels ?? null,
  };
  return `,${pretty(rest, 2).slice(1)}`;
}

/**
 * The servers of a service as text, cut where the time stands at which anything of it was last discovered: only
 * that changes as long as the servers stay the same value.
 */
const texts = new WeakMap<ServiceMemory['servers'], readonly string[]>();

function textsOf(servers: ServiceMemory['servers']): readonly string[] {
  const known = texts.get(servers);
  if (known !== undefined) return known;
  const cut: string[] = [];
  let text = '';
  for (const [name, server] of servers) {
    text += `${cut.length + text.length > 0 ? ',' : ''}\n    ${JSON.stringify(name)}: {\n      "timestamp": `;
    if (server.seen === undefined) {
      cut.push(text);
      text = serialiseServer(server);
    } else text += `${server.seen}${serialiseServer(server)}`;
  }
  cut.push(text);
  texts.set(servers, cut);
  return cut;
}

/** Writes Ruby's state file: its Ruby can take over from ours, and the other way round. */
export function serialiseMemory(memory: Memory): string {
  const services = [...memory].map(([service, { servers, seen, block }]) => {
    const own = textsOf(servers).join(String(seen));
    const comma = own === '' ? '' : ',';
    const blockText = block === undefined ? '' : `${comma}\n    "${blockKey}": ${pretty(block, 2)}`;
    const inner = `${own}${blockText}`;
    return `\n  ${JSON.stringify(service)}: {${inner === '' ? '' : `${inner}\n  `}}`;
  });
  return services.length === 0 ? '{}\n' : `{${services.join(',')}\n}\n`;
}

/** Blocks are values: each is completed once. */
const completed = new WeakMap<Raw, Raw>();

/** The block as Ruby keeps it: with the defaults that its generator adds. */
export function rememberedBlock(block: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isRecord(block)) return undefined;
  const known = completed.get(block);
  if (known !== undefined) return known;
  const defaults = { server_options: '', server_port_override: null, backend: [], frontend: [], listen: [] };
  const whole = { ...defaults, ...block };
  completed.set(block, whole);
  // What is kept is completed again at the next look.
  completed.set(whole, whole);
  return whole;
}

/** What is remembered of a service. */
export function serviceMemory(memory: Memory, service: string): ServiceMemory {
  return memory.get(service) ?? emptyService;
}

/**
 * The servers that were discovered at the last time anything of the service was: those that serve it
 * while nothing is known yet. Servers that had vanished by then carry an older time.
 */
export function lastDiscovered(remembered: ServiceMemory): readonly Instance[] {
  return [...remembered.servers.values()].flatMap(({ instance, seen }) =>
    seen === undefined ? [instance] : [],
  );
}

function sameService(a: ServiceMemory, b: ServiceMemory): boolean {
  if (a.servers === b.servers) return true;
  return (
    a.servers.size === b.servers.size &&
    [...a.servers].every(([name, { serverId, seen }]) => {
      const other = b.servers.get(name);
      if (other === undefined) return false;
      return other.serverId === serverId && (other.seen === undefined) === (seen === undefined);
    })
  );
}

/** The instance that a server's name stands for: `<name>_<host>:<port>` or `<host>:<port>`. */
function instanceOf({ name }: Server): Instance | undefined {
  const match = /^(?:(.*)_)?([^_]+):(\d{1,5})$/.exec(name);
  if (match?.[2] === undefined) return undefined;
  const instance = { host: match[2], port: Number(match[3]) };
  return match[1] === undefined ? instance : { ...instance, name: match[1] };
}

/**
 * Adds servers that an earlier run of the agent had elsewhere and `memory` lacks: one that was killed may have told
 * HAProxy but not yet the state file, or have none, and running servers must stay, and keep their ids.
 */
export function addLastKnown(memory: Memory, last: readonly KnownServers[], nowSeconds: number): Memory {
  const filled = new Map(memory);
  for (const { service, backend } of last) {
    const remembered = serviceMemory(filled, service);
    const { servers } = remembered;
    const all = new Map(servers);
    for (const server of backend.servers) {
      const instance = instanceOf(server);
      if (server.disabled || instance === undefined || all.has(server.name)) continue;
      all.set(server.name, { instance, serverId: server.id, seen: undefined });
    }
    if (all.size > servers.size) filled.set(service, { ...remembered, servers: all, seen: nowSeconds });
  }
  return filled;
}

/** True when both remember the same servers in the same part, whatever the times: nothing urgent to write. */
export function sameServers(a: Memory, b: Memory): boolean {
  if (a === b) return true;
  return a.size === b.size && [...a].every(([service, mine]) => sameService(mine, serviceMemory(b, service)));
}
