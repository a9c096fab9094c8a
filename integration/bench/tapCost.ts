// What the tap costs: the same HAProxy without its lines, with them and nobody looking, with one tap of everything, and with
// a tap that shows a hundred a second. Usage: npm run bench:tap [-- --requests 60000 --rounds 5]
import { parseArgs } from 'node:util';
import { createMetrics, systemClock } from '@smartstack/agent';
import { withTap } from '../../packages/synapse/src/generators/haproxy/desired/tapLines.ts';
import { render } from '../../packages/synapse/src/generators/haproxy/desired/render.ts';
import { RuntimeSession } from '../../packages/synapse/src/generators/haproxy/runtime/runtimeClient.ts';
import { TapHub } from '../../packages/synapse/src/generators/haproxy/tap/tapHub.ts';
import { createTapMetrics } from '../../packages/synapse/src/generators/haproxy/tap/tapMetrics.ts';
import { TapRunner } from '../../packages/synapse/src/generators/haproxy/tap/tapRunner.ts';
import type { DesiredState } from '../../packages/synapse/src/generators/haproxy/types.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { keptLoad } from './keptLoad.ts';
import { between, costOf } from './processCost.ts';
import { percentile, summarize } from './statistics.ts';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '60000' }, rounds: { type: 'string', default: '5' } },
});
const [requests, rounds] = [Number(values.requests), Number(values.rounds)];
const clients = 32;
const [serverPort, dirs, running]: [number, string[], Haproxy[]] = [await freePort(), [], []];

async function start(name: string, config: (dir: string) => string): Promise<Haproxy> {
  const dir = makeTempDir(name);
  dirs.push(dir);
  const haproxy = await startHaproxy({ dir, config: config(dir) });
  running.push(haproxy);
  return haproxy;
}

/** A proxy to the one server, with the lines that synapse writes or without. */
async function proxy(name: string, isTapped: boolean) {
  const port = await freePort();
  const stateIn = (dir: string): DesiredState => ({
    base: [
      { title: 'global', lines: [...testBase(dir).global, 'nbthread 1'] },
      { title: 'defaults', lines: testBase(dir).defaults },
    ],
    services: [
      {
        service: 'web',
        frontend: { title: 'frontend web', lines: [`bind 127.0.0.1:${port}`, 'default_backend web'] },
        backend: {
          ...{ name: 'web', lines: [] },
          servers: [
            { name: 's', address: '127.0.0.1', port: serverPort, id: 1, options: [], disabled: false },
          ],
        },
      },
    ],
  });
  const made = (dir: string): DesiredState => withTap(stateIn(dir), isTapped ? { except: [] } : undefined);
  const haproxy = await start(name, (dir) => render(made(dir)));
  return { haproxy, port, services: made('').services };
}

/** Taps while a load is on; resolves with what was told of, and what was lost. */
async function tapped<T>(
  { haproxy, services }: Awaited<ReturnType<typeof proxy>>,
  permille: number,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly told: number; readonly lost: number }> {
  const hub = new TapHub(createTapMetrics(createMetrics()));
  hub.serve(services, () => 'it has no lines');
  const options = { clock: systemClock, deadlineMs: 10_000 };
  const target = {
    socketPath: haproxy.adminSocket,
    connect: (signal: AbortSignal) =>
      RuntimeSession.openAsking(haproxy.adminSocket, 'show info', { ...options, signal }),
  };
  const stop = new AbortController();
  const runner = new TapRunner({ clock: systemClock, hub, targets: [target] }).run(stop.signal);
  const state = { told: 0, lost: 0, isAttached: false };
  const tap = hub.open(['web'], permille, {
    request: () => void (state.told += 1),
    lost: (count) => void (state.lost += count),
    attached: (isAttached) => void (state.isAttached = isAttached),
    turn: () => undefined,
  });
  await eventually(() => state.isAttached, { what: 'the tap is attached', timeoutMs: 10_000 });
  const result = await work();
  // Losses are told twice a second: what did not grow between two looks is all.
  let before = -1;
  const isAll = (): boolean => {
    const now = state.told + state.lost;
    const isSame = now === before;
    before = now;
    return isSame;
  };
  await eventually(isAll, { what: 'all was told of', timeoutMs: 20_000, intervalMs: 700 });
  tap.close();
  stop.abort();
  await runner;
  return { result, told: state.told, lost: state.lost };
}

const median = (samples: readonly number[]): number => summarize(samples).median;

await start('server', (dir) =>
  [
    ...['global', ...testBase(dir).global, 'nbthread 1', 'defaults', ...testBase(dir).defaults, 'listen s'],
    `bind 127.0.0.1:${serverPort}`,
    ...['http-request return status 200 content-type text/plain string hi', ''],
  ].join('\n'),
);
const [plain, silent] = [await proxy('plain', false), await proxy('tap', true)];
const subjects = [
  { name: 'without the lines', of: plain, permille: 0 },
  { name: 'with them, nobody looks', of: silent, permille: 0 },
  { name: 'one tap of a hundredth', of: silent, permille: 10 },
  { name: 'one tap of everything', of: silent, permille: 1000 },
];
const results = new Map(
  subjects.map(({ name }): [string, Record<string, number[]>] => [
    name,
    { rps: [], cpu: [], p50: [], p99: [], told: [], lost: [] },
  ]),
);
for (let round = 0; round < rounds; round += 1) {
  for (const { name, of, permille } of subjects) {
    const worker = await of.haproxy.workerPid();
    const measured = async () => {
      const before = await costOf(worker);
      const { ms, latencies } = await keptLoad({ port: of.port, path: '/a/b?c=d', clients, requests });
      return { ms, latencies, ...between(before, await costOf(worker)) };
    };
    const { result, told, lost } =
      permille === 0 ? { result: await measured(), told: 0, lost: 0 } : await tapped(of, permille, measured);
    const { ms, latencies, cpuMs } = result;
    const row = {
      rps: (requests / ms) * 1000,
      cpu: (cpuMs * 1000) / requests,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      ...{ told, lost },
    };
    for (const [key, value] of Object.entries(row)) results.get(name)?.[key]?.push(value);
  }
}
console.log(`${clients} kept connections, ${requests} requests, medians of ${rounds} rounds in turns`);
for (const [name, columns] of results) {
  const of = (key: string): number => median(columns[key] ?? []);
  console.log(
    `${name.padEnd(24)} ${of('rps').toFixed(0)} requests/s, p50 ${of('p50').toFixed(2)} ms, p99 ${of('p99').toFixed(2)} ms, ${of('cpu').toFixed(1)} us of CPU each; ${of('told')} told of, ${of('lost')} lost`,
  );
}
for (const haproxy of running) await haproxy.stop();
for (const dir of dirs) removeTempDir(dir);
