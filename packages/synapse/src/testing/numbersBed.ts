import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createRawServer, type Server as RawServer } from 'node:net';
import { type Clock, type Secrets, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, expect } from 'vitest';
import type { HostNumbers } from '../topology/numbers/answer.js';
import { askNumbers, type Heard } from '../topology/numbers/asker.js';
import type { Answered } from '../topology/numbers/metrics.js';
import { NumbersServer } from '../topology/numbers/server.js';
import { type Target, targetText } from '../topology/numbers/target.js';

/** That of the fleet. */
export const key = 'k'.repeat(32);
/** What a file with these holds. */
export const having = (...keys: readonly [string, ...string[]]): Secrets => ({
  secrets: keys,
  isOpenToOthers: false,
});
/** Those of the host that serves. */
export const numbers: HostNumbers = {
  instanceId: 'vm-1',
  edges: [{ source: 'web', destination: 'orders', identity: 'unit' }],
  services: new Map([
    ['orders', { service: 'orders', seconds: 60, requests: 10, success: 9, failure: 1, latencies: null }],
  ]),
  isCut: false,
};

const cleanups: (() => unknown)[] = [];

/** Ends, after each test of the file, all servers that it began. */
export function endServersAfterEach(): void {
  afterEach(async () => {
    for (const clean of cleanups.splice(0)) await clean();
  });
}

const { signal } = new AbortController();
/** Nobody is given up because this machine is busy. */
const patient: Clock = {
  ...systemClock,
  setTimeout: (callback, ms) => systemClock.setTimeout(callback, 10 * ms),
};

/** Asks as a host does. */
export const ask = (target: Target, withKey = key, clock: Clock = patient): Promise<Heard> =>
  askNumbers(target, withKey, { clock, signal });

/** Has a server listen, and says where. */
export async function portOf(server: Server | RawServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Another server than ours. */
export async function stranger(listener: RequestListener): Promise<Target> {
  return { host: '127.0.0.1', port: await portOf(createServer(listener)) };
}

interface Given {
  readonly keys?: () => Promise<Secrets>;
  readonly mayAsk?: (address: string) => boolean;
  readonly clock?: Clock;
}

/** A host that serves its numbers. */
export async function serve({ keys, mayAsk = () => true, clock = systemClock }: Given = {}) {
  const probe = createRawServer();
  const port = await portOf(probe);
  probe.close();
  const target = { host: '127.0.0.1', port };
  const state = { made: 0, results: [] as Answered[] };
  const server = new NumbersServer({
    ...{ listen: target, mayAsk, clock, logger: new RecordingLogger() },
    keys: keys ?? (() => Promise.resolve(having(key))),
    onAnswer: (result) => state.results.push(result),
    numbers: () => {
      state.made += 1;
      return numbers;
    },
  });
  const stop = new AbortController();
  const running = server.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  cleanups.push(end);
  await expect.poll(() => server.target).toBe(targetText(target));
  return { target, state, server, end };
}
