import { AgentError, type Clock, describeError, within } from '@smartstack/agent';
import type { Resolve } from '../nameLookups.js';
import type { ServerAddress } from './connection.js';
import type { ZkPath } from './types.js';

export interface HostPort {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A configured host list, taken apart. */
export interface Ensemble {
  readonly servers: readonly HostPort[];
  /** Where all paths start; empty for the root. */
  readonly chroot: ZkPath | '';
}

const defaultPort = 2181;

function badHosts(message: string): AgentError {
  return new AgentError('zookeeper.BadHosts', message);
}

function parseHost(text: string): HostPort {
  // [::1]:2181, ::1, host:2181 or host.
  const match = /^\[([^\]]+)\](?::(.*))?$/.exec(text) ?? /^([^:]+)(?::(.*))?$/.exec(text);
  const host = match?.[1] ?? (text.split(':').length > 2 ? text : '');
  const portText = match?.[2];
  const port = portText === undefined ? defaultPort : /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (!host || /\s/.test(host)) throw badHosts(`not a ZooKeeper host: ${JSON.stringify(text)}`);
  if (port < 1 || port > 65_535) throw badHosts(`not a port: ${JSON.stringify(text)}`);
  return { host, port };
}

/**
 * Reads a host list as ZooKeeper's clients do: entries may hold several hosts with commas between,
 * and the last may end in a chroot (`b:2181/smartstack`). Throws AgentError `zookeeper.BadHosts`.
 */
export function parseHosts(hosts: readonly string[]): Ensemble {
  const joined = hosts.map((entry) => entry.trim()).join(',');
  const slash = joined.indexOf('/');
  const chroot = slash < 0 ? '' : joined.slice(slash).replace(/\/+$/, '');
  if (/,|\/\/|\/\.\.?(\/|$)/.test(chroot))
    throw badHosts(`a chroot stands at the end of the host list, got ${JSON.stringify(joined)}`);
  const list = (slash < 0 ? joined : joined.slice(0, slash)).split(',').filter((text) => text.trim() !== '');
  if (list.length === 0) throw badHosts('the list of ZooKeeper hosts is empty');
  return { servers: list.map((text) => parseHost(text.trim())), chroot: chroot as ZkPath | '' };
}

/** The same for every order of the same hosts and chroot: agents hold one session per ensemble. */
export function ensembleKey({ servers, chroot }: Ensemble): string {
  const sorted = servers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).sort();
  return [...new Set(sorted)].join(',') + chroot;
}

export interface Resolution {
  /** In random order. */
  readonly addresses: readonly ServerAddress[];
  readonly problems: readonly string[];
  /** The hosts of which nothing was heard in time. */
  readonly silent: ReadonlySet<string>;
}

/** How names are looked up, and for how long that is waited for. */
export interface ResolveOptions {
  readonly resolve: Resolve;
  readonly random: () => number;
  readonly clock: Clock;
  /** In milliseconds. */
  readonly limitMs: number;
  readonly signal?: AbortSignal;
}

function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/** Every address of every host; one that does not resolve, or not in time, is a problem of its own only. */
export async function resolveServers(
  servers: readonly HostPort[],
  { resolve, random, clock, limitMs, signal }: ResolveOptions,
): Promise<Resolution> {
  const problems: string[] = [];
  const silent = new Set<string>();
  const found = await Promise.all(
    servers.map(async ({ host, port }) => {
      try {
        const addresses = await within(resolve(host), limitMs, clock, signal);
        if (addresses !== undefined)
          return addresses.map((address): ServerAddress => ({ host, address, port }));
        silent.add(host);
        problems.push(`${host}: the resolver does not answer`);
      } catch (error) {
        problems.push(`${host}: ${describeError(error)}`);
      }
      return [];
    }),
  );
  return { addresses: shuffle(distinct(found.flat()), random), problems, silent };
}

/** Each server once. */
export function distinct(servers: readonly ServerAddress[]): readonly ServerAddress[] {
  return [...new Map(servers.map((server) => [`${server.address} ${server.port}`, server])).values()];
}

/** True when both are the same server. */
export function sameServer(a: ServerAddress, b: ServerAddress | undefined): boolean {
  return a.address === b?.address && a.port === b.port;
}
