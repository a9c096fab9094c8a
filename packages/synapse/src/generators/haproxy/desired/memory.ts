import type { Instance, Json } from '@smartstack/registry';
import { serverName } from './names.js';
import type { DesiredState, Server } from '../types.js';

/** A server that was in rotation at some time within the TTL. */
export interface RememberedServer {
  readonly instance: Instance;
  readonly serverId: number | undefined;
  /** When it was last discovered, in seconds since the epoch. */
  readonly seen: number;
}

/** What is remembered of one service, by server name, in the order of first appearance. */
export interface ServiceMemory {
  readonly servers: ReadonlyMap<string, RememberedServer>;
  /** The service's `haproxy` block as Ruby keeps it, with its defaults. */
  readonly block: Readonly<Record<string, unknown>> | undefined;
}

/** Server ids and recently vanished servers, by service. A value: each step makes a new one. */
export type Memory = ReadonlyMap<string, ServiceMemory>;

/** Nothing is remembered. */
export const emptyMemory: Memory = new Map();

/** The key under which Ruby keeps a service's block among its servers. */
const blockKey = 'watcher_config_for_generator';
const emptyService: ServiceMemory = { servers: new Map(), block: undefined };

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

function parseServer(raw: unknown): (RememberedServer & { readonly name: string }) | undefined {
  const instance = isRecord(raw) ? parseInstance(raw) : undefined;
  if (!isRecord(raw) || instance === undefined) return undefined;
  const name = serverName(instance);
  if ('reason' in name) return undefined;
  const { haproxy_server_id: id, timestamp } = raw;
  const serverId = typeof id === 'number' && Number.isInteger(id) && id > 0 && id < 2 ** 31 ? id : undefined;
  const seen = typeof timestamp === 'number' && timestamp >= 0 ? timestamp : 0;
  return { name: name.value, instance, serverId, seen };
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
    const servers = new Map<string, RememberedServer>();
    for (const [key, value] of Object.entries(entries)) {
      if (key === blockKey) continue;
      const server = parseServer(value);
      if (server === undefined) continue;
      const { name, ...remembered } = server;
      servers.set(name, remembered);
    }
    const block = entries[blockKey];
    memory.set(service, { servers, block: isRecord(block) ? block : undefined });
  }
  return memory;
}

function serialiseServer({ instance, serverId, seen }: RememberedServer): Raw {
  const { name, host, port, id, weight, haproxyServerOptions, labels } = instance;
  return {
    timestamp: seen,
    ...(serverId === undefined ? {} : { haproxy_server_id: serverId }),
    name: name ?? null,
    host,
    port,
    id: id ?? null,
    weight: weight ?? null,
    haproxy_server_options: haproxyServerOptions ?? null,
    labels: labels ?? null,
  };
}

/** Writes Ruby's state file: its Ruby can take over from ours, and the other way round. */
export function serialiseMemory(memory: Memory): string {
  const services = [...memory].map(([service, { servers, block }]) => {
    const entries = [...servers].map(([name, server]): [string, unknown] => [name, serialiseServer(server)]);
    if (block !== undefined) entries.push([blockKey, block]);
    return [service, Object.fromEntries(entries)];
  });
  // A seed of 128 bits may stand in a block only by mistake, but must not end the process.
  const asText = (_key: string, value: unknown): unknown =>
    typeof value === 'bigint' ? String(value) : value;
  return `${JSON.stringify(Object.fromEntries(services), asText, 2)}\n`;
}

/** The block as Ruby keeps it: with the defaults that its generator adds. */
export function rememberedBlock(block: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isRecord(block)) return undefined;
  const defaults = { server_options: '', server_port_override: null, backend: [], frontend: [], listen: [] };
  return { ...defaults, ...block };
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
  const names = inRotation(remembered);
  return [...remembered.servers].flatMap(([name, { instance }]) => (names.has(name) ? [instance] : []));
}

/**
 * Forgets what was last seen more than `ttlSeconds` ago, and services of which nothing is left. Services
 * in `keep` are spared: while nothing is known of them, memory is all they have.
 */
export function expireMemory(
  memory: Memory,
  nowSeconds: number,
  ttlSeconds: number,
  keep: ReadonlySet<string>,
): Memory {
  const left = new Map<string, ServiceMemory>();
  for (const [service, remembered] of memory) {
    if (keep.has(service)) {
      left.set(service, remembered);
      continue;
    }
    const { servers, block } = remembered;
    // Ruby takes the distance in both directions: a clock that was set back must not keep servers for ever.
    const fresh = [...servers].filter(([, { seen }]) => Math.abs(nowSeconds - seen) <= ttlSeconds);
    if (fresh.length > 0) left.set(service, { servers: new Map(fresh), block });
  }
  return left;
}

/** The names of the servers that `lastDiscovered` means. */
function inRotation({ servers }: ServiceMemory): ReadonlySet<string> {
  const newest = [...servers.values()].reduce((latest, { seen }) => Math.max(latest, seen), 0);
  return new Set([...servers].flatMap(([name, { seen }]) => (seen === newest ? [name] : [])));
}

function sameService(a: ServiceMemory, b: ServiceMemory): boolean {
  const [here, there] = [inRotation(a), inRotation(b)];
  return (
    a.servers.size === b.servers.size &&
    [...a.servers].every(
      ([name, { serverId }]) =>
        b.servers.get(name)?.serverId === serverId && here.has(name) === there.has(name),
    )
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
 * Adds the servers of the last accepted configuration that `memory` lacks: an agent that was killed may have
 * written that but not yet its state file, or have none, and running servers must keep their ids.
 */
export function addLastGood(memory: Memory, lastGood: DesiredState | undefined, nowSeconds: number): Memory {
  const filled = new Map(memory);
  for (const { service, backend } of lastGood?.services ?? []) {
    const { servers, block } = serviceMemory(filled, service);
    const all = new Map(servers);
    for (const server of backend.servers) {
      const instance = instanceOf(server);
      if (server.disabled || instance === undefined || all.has(server.name)) continue;
      all.set(server.name, { instance, serverId: server.id, seen: nowSeconds });
    }
    if (all.size > servers.size) filled.set(service, { servers: all, block });
  }
  return filled;
}

/** True when both remember the same servers in the same part, whatever the times: nothing urgent to write. */
export function sameServers(a: Memory, b: Memory): boolean {
  return a.size === b.size && [...a].every(([service, mine]) => sameService(mine, serviceMemory(b, service)));
}
