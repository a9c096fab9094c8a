import { readFile } from 'node:fs/promises';
import type { ZkSession } from '@smartstack/registry';
import { parseServersState } from '../../packages/synapse/src/generators/haproxy/plan/observed.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket, isBackend } from '../harness/haproxy.ts';
import { readRegistry } from './registrations.ts';

/** Where to look: the registry, the file, and each HAProxy that runs. */
export interface Places {
  readonly session: ZkSession;
  readonly services: readonly string[];
  readonly configFile: string;
  readonly adminSockets: readonly string[];
}

/** A server as one line, in the same form from whichever source. */
type Lines = readonly string[];

/** `maxconn` of each server by `backend/server`, from `show stat`. */
async function limitsOf(socket: string): Promise<ReadonlyMap<string, string>> {
  const [header = '', ...rows] = (await askSocket(socket, 'show stat')).trim().split('\n');
  const columns = header.replace(/^# /, '').split(',');
  const [backend, server, limit] = ['pxname', 'svname', 'slim'].map((name) => columns.indexOf(name));
  return new Map(
    rows.map((row) => {
      const cells = row.split(',');
      return [`${cells[backend!]}/${cells[server!]}`, cells[limit!] ?? ''];
    }),
  );
}

async function running(socket: string, services: readonly string[]): Promise<Lines> {
  const state = parseServersState(await askSocket(socket, 'show servers state'));
  const limits = await limitsOf(socket);
  return services.flatMap((service) =>
    [...(state.get(service)?.values() ?? [])].map(
      ({ name, address, port, weight, admin, operational }) =>
        `${service}/${name} ${address}:${port} weight ${weight} maxconn ${limits.get(`${service}/${name}`)} ${admin} ${operational}`,
    ),
  );
}

async function written(file: string, services: readonly string[]): Promise<Lines> {
  const sections = (await readFile(file, 'utf8')).split('\n\n');
  return services.flatMap((service) => {
    const section = sections.find((each) => isBackend(each, service)) ?? '';
    return [...section.matchAll(/^\s+server (\S+) (\S+) (.*)$/gm)].map(([, name, at, words = '']) => {
      const word = (key: string): string => new RegExp(`\\b${key} (\\S+)`).exec(words)?.[1] ?? '';
      const disabled = /\bdisabled\b/.test(words) ? 'maint' : 'ready';
      return `${service}/${name} ${at} weight ${word('weight')} maxconn ${word('maxconn')} ${disabled} up`;
    });
  });
}

async function registered(session: ZkSession, services: readonly string[]): Promise<Lines> {
  const all = await Promise.all(
    services.map(async (service) => {
      const instances = await readRegistry(session, service);
      return instances.map(({ host, port, name, weight, haproxy_server_options: options = '' }) => {
        const limit = options.replace('maxconn ', '');
        return `${service}/${name}_${host}:${port} ${host}:${port} weight ${weight} maxconn ${limit} ready up`;
      });
    }),
  );
  return all.flat();
}

/** What is otherwise than the registry says, as sentences; empty when all is in step. */
async function differences(places: Places): Promise<readonly string[]> {
  const { session, services, configFile, adminSockets } = places;
  const wanted = new Set(await registered(session, services));
  if (wanted.size === 0) return ['the registry is empty'];
  const found = [
    ['haproxy.cfg', await written(configFile, services)] as const,
    ...(await Promise.all(
      adminSockets.map(async (socket) => [socket, await running(socket, services)] as const),
    )),
  ];
  return found.flatMap(([where, lines]) => [
    ...lines.filter((line) => !wanted.has(line)).map((line) => `${where} has ${line}`),
    ...[...wanted].filter((line) => !lines.includes(line)).map((line) => `${where} lacks ${line}`),
  ]);
}

/**
 * Waits until haproxy.cfg and every HAProxy have exactly the servers that ZooKeeper holds, each at its address, with
 * its weight and options, ready and up; returns their number. Throws with the first differences.
 */
export async function awaitInStep(places: Places, timeoutMs: number): Promise<number> {
  await eventually(
    async () => {
      const found = await differences(places);
      if (found.length > 0) throw new Error(`${found.length} differences: ${found.slice(0, 5).join('; ')}`);
      return true;
    },
    { what: 'all that runs is as the registry says', timeoutMs, intervalMs: 100 },
  );
  const counts = await Promise.all(
    places.services.map(async (each) => (await readRegistry(places.session, each)).length),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
