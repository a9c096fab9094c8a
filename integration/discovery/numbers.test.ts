// The numbers agree: what wrk measured of five services is what `synapse stat`, /v1/traffic (which the dashboard
// draws) and /metrics say, over a reload and the drain of a worker. With the agent as it was built, by its commands.
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { latencyBounds } from '../../packages/synapse/src/traffic/latency.ts';
import type { TrafficAnswer, TrafficSummary } from '../../packages/synapse/src/traffic/shapes.ts';
import { read } from '../haproxy/traffic.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket, workersOf } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { startWrk, type Wrk, type WrkResult } from '../harness/wrk.ts';
import { newZooKeeper } from '../pair/bed.ts';
import { cleanUpAfterEach, onCleanUp, register, registrar, serviceFile, startVm, upstream } from './bed.ts';

const run = promisify(execFile);
const synapse = resolve(import.meta.dirname, '../../packages/synapse/bin/synapse.js');
const patience = { timeoutMs: 30_000, intervalMs: 50 };

/** How slow the upstreams of a service are, in milliseconds, and how many requests each of two clients makes. */
const services = {
  fast: { delayMs: 0, each: 1_500 },
  brisk: { delayMs: 15, each: 120 },
  usual: { delayMs: 60, each: 45 },
  slow: { delayMs: 150, each: 20 },
  tired: { delayMs: 350, each: 9 },
} as const;
type Name = keyof typeof services;
const names = Object.keys(services) as Name[];

cleanUpAfterEach();

/** Which bucket of the histogram a latency in seconds belongs to. */
function bucketOf(seconds: number): number {
  const found = latencyBounds.findIndex((bound) => seconds <= bound);
  return found < 0 ? latencyBounds.length : found;
}

it('over a reload and the drain of a worker', async () => {
  const server = await newZooKeeper();
  await server.start();
  const session = await registrar(server.address);
  for (const name of names) {
    for (const identity of ['a', 'b']) {
      const each = await upstream(identity);
      each.delay(services[name].delayMs);
      await register(session, name, each);
    }
  }
  const long = await upstream('long');
  await register(session, 'long', long);
  const vm = await startVm(server.address, [...names, 'long'], {});
  for (const name of names) await vm.serves(name, ['a', 'b']);
  const address = `127.0.0.1:${vm.adminPort}`;
  const master = join(vm.folder, 'master.sock');

  const metrics = async (): Promise<string> => (await vm.admin('/metrics')).body;
  const traffic = async (): Promise<ReadonlyMap<string, TrafficSummary>> => {
    const { services: all } = JSON.parse(
      (await vm.admin('/v1/traffic?from=3600&to=0')).body,
    ) as TrafficAnswer;
    return new Map(all.map(({ service, summary }) => [service, summary]));
  };
  interface StatLine {
    readonly name: string;
    readonly summary: TrafficSummary;
  }
  const stat = async (...args: readonly string[]): Promise<readonly StatLine[]> => {
    const flags = ['stat', ...args, '-t', '1h', '-o', 'json', '--address', address];
    const { stdout } = await run(process.execPath, [synapse, ...flags]);
    return (JSON.parse(stdout) as { lines: readonly StatLine[] }).lines;
  };
  const requestsOf = async (name: Name): Promise<number> =>
    read(await metrics(), 'smartstack_request_total', `"${name}"`);

  // What asked whether they serve counts, too: it is known before the load begins.
  let before = new Map<Name, number>();
  await eventually(
    async () => {
      const now = new Map<Name, number>();
      for (const name of names) now.set(name, await requestsOf(name));
      const isQuiet = names.every((name) => now.get(name)! > 0 && now.get(name) === before.get(name));
      before = now;
      return isQuiet;
    },
    { what: 'all before the load is counted', timeoutMs: 20_000, intervalMs: 1_500 },
  );

  const loads = new Map<Name, Wrk>();
  for (const name of names) {
    const load = startWrk({
      port: vm.ports[name]!,
      threads: 2,
      connections: 2,
      perThread: services[name].each,
    });
    onCleanUp(async () => {
      await load.stop().catch(() => undefined);
    });
    loads.set(name, load);
  }
  // In the middle of it: a reload, while a request keeps the old worker from ending.
  await eventually(async () => (await requestsOf('tired')) > before.get('tired')! + 2, {
    ...{ what: 'the load is under way', ...patience },
  });
  long.delay(2_500);
  const held = get({ port: vm.ports.long! });
  await eventually(() => long.received > 0, { what: 'a request is held', ...patience });
  const worker = await vm.worker();
  vm.service(
    'long',
    serviceFile(server.address, 'long', vm.ports.long!, '').replace('mode http', 'mode http, maxconn 500'),
  );
  await eventually(async () => (await vm.worker()) !== worker, { what: 'HAProxy is reloaded', ...patience });
  expect(workersOf(await askSocket(master, 'show proc'), 'old workers')).toContain(worker);
  expect((await held).status).toBe(200);

  const measured = new Map<Name, WrkResult>();
  for (const [name, load] of loads) {
    await load.reached(30_000);
    measured.set(name, await load.stop());
  }
  await eventually(async () => workersOf(await askSocket(master, 'show proc'), 'old workers').length === 0, {
    what: 'the old worker has ended',
    ...patience,
  });

  // An HAProxy that is told to end throws away its stick tables at once: what was under way then (two requests of
  // either thread), and what came since a look a moment before, is in no histogram, though in all other numbers.
  const isNearlyAll = (count: number, name: Name): void => {
    expect(count, name).toBeLessThanOrEqual(total(name));
    expect(count, name).toBeGreaterThanOrEqual(Math.floor(total(name) * 0.9) - 4);
  };
  // Requests: exactly, everywhere.
  const total = (name: Name): number => before.get(name)! + 2 * services[name].each;
  await eventually(
    async () => {
      const [said, told, shown] = [await metrics(), await traffic(), await stat()];
      for (const name of names) {
        const { requests, errors } = measured.get(name)!;
        expect([requests, errors.status], name).toEqual([2 * services[name].each, 0]);
        const of = (metric: string): number => read(said, metric, `"${name}"`);
        expect(of('smartstack_request_total'), name).toBe(total(name));
        expect(of('smartstack_response_total'), name).toBe(total(name));
        isNearlyAll(of('smartstack_response_latency_seconds_count'), name);
        for (const summary of [told.get(name)!, shown.find((line) => line.name === name)!.summary]) {
          expect(summary, name).toMatchObject({ requests: total(name), failure: 0, aborted: 0 });
          isNearlyAll(
            summary.latencies!.reduce((sum, count) => sum + count, 0),
            name,
          );
        }
      }
      return true;
    },
    { what: 'the numbers agree', ...patience },
  );

  // Percentiles: never below what the upstream takes, never above what the client saw, and so in its bucket.
  const shown = new Map((await stat()).map((line) => [line.name, line.summary]));
  for (const name of names) {
    const [wrk, ours] = [measured.get(name)!, shown.get(name)!];
    for (const quantile of ['p50', 'p95', 'p99'] as const) {
      const bucket = bucketOf(ours[quantile]!);
      const what = `${name} ${quantile}: ${ours[quantile]} s, wrk ${wrk[quantile]} s`;
      expect(bucket, what).toBeGreaterThanOrEqual(bucketOf(services[name].delayMs / 1000));
      // Those before the load were no slower than the slowest of it, but for the machine's own pauses.
      expect(bucket, what).toBeLessThanOrEqual(bucketOf(wrk[quantile]) + 1);
    }
    // The client waits for its own turn of the processor on top: where that is little beside the upstream's time.
    if (services[name].delayMs >= 60)
      expect(bucketOf(wrk.p50) - bucketOf(ours.p50!), `${name} p50`).toBeLessThanOrEqual(1);
  }

  // One service and its servers, and what people see.
  const [whole, ...parts] = await stat('slow');
  expect(whole!.summary.requests).toBe(total('slow'));
  expect(parts.map((line) => line.summary.requests).reduce((sum, count) => sum + count, 0)).toBe(
    total('slow'),
  );
  const { stdout } = await run(process.execPath, [
    synapse,
    'stat',
    '-t',
    '1h',
    '-o',
    'wide',
    '--address',
    address,
  ]);
  expect(stdout).toMatch(new RegExp(`^fast +2/2 +100\\.00% .* ${total('fast')} +0 +0 `, 'm'));
});
