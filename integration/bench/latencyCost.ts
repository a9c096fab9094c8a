// What counting latencies in HAProxy costs: the same HAProxy without the lines, with them, and read every second.
// Usage: npm run bench:latencies [-- --requests 60000 --rounds 5 --servers 20000]
import { parseArgs } from 'node:util';
import { systemClock } from '@smartstack/agent';
import { Histograms } from '../../packages/synapse/src/generators/haproxy/counters/histograms.ts';
import { withLatencies } from '../../packages/synapse/src/generators/haproxy/desired/latencyLines.ts';
import { render } from '../../packages/synapse/src/generators/haproxy/desired/render.ts';
import { RuntimeSession } from '../../packages/synapse/src/generators/haproxy/runtime/runtimeClient.ts';
import {
  readHistograms,
  readRows,
} from '../../packages/synapse/src/generators/haproxy/runtime/workerCounters.ts';
import type { DesiredState } from '../../packages/synapse/src/generators/haproxy/types.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { between, costOf, residentMiB } from './processCost.ts';
import { keptLoad } from './keptLoad.ts';
import { percentile, summarize } from './statistics.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '60000' },
    rounds: { type: 'string', default: '5' },
    servers: { type: 'string', default: '20000' },
  },
});
const [requests, rounds, servers] = [Number(values.requests), Number(values.rounds), Number(values.servers)];
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
async function proxy(name: string, counts: boolean): Promise<{ haproxy: Haproxy; port: number }> {
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
  const settings = counts ? { stickCounter: 2, except: [] } : undefined;
  return { haproxy: await start(name, (dir) => render(withLatencies(stateIn(dir), settings))), port };
}

const median = (samples: readonly number[]): number => summarize(samples).median;
const open = (haproxy: Haproxy): Promise<RuntimeSession> =>
  RuntimeSession.open(haproxy.adminSocket, { clock: systemClock, deadlineMs: 10_000 });

await start('server', (dir) =>
  [
    ...['global', ...testBase(dir).global, 'nbthread 1', 'defaults', ...testBase(dir).defaults, 'listen s'],
    ...[
      `bind 127.0.0.1:${serverPort}`,
      'http-request return status 200 content-type text/plain string hi',
      '',
    ],
  ].join('\n'),
);
const subjects = [
  { name: 'without', reads: false, ...(await proxy('plain', false)) },
  { name: 'with the lines', reads: false, ...(await proxy('lines', true)) },
  { name: 'with the lines, read each second', reads: true, ...(await proxy('read', true)) },
];
interface Result {
  readonly rps: number[];
  readonly cpu: number[];
  readonly p50: number[];
  readonly p99: number[];
}
const results = new Map(
  subjects.map(({ name }): [string, Result] => [name, { rps: [], cpu: [], p50: [], p99: [] }]),
);
for (let round = 0; round < rounds; round += 1) {
  for (const { name, reads, haproxy, port } of subjects) {
    const session = await open(haproxy);
    const timer = setInterval(() => {
      if (!reads) return;
      const asking = (command: string): Promise<string> => session.ask(command);
      Promise.all([readHistograms(asking), readRows(asking, true)]).catch((error: unknown) =>
        console.error(error),
      );
    }, 1_000);
    const worker = await haproxy.workerPid();
    const before = await costOf(worker);
    const { ms, latencies } = await keptLoad({ port, path: '/a/b', clients, requests });
    const { cpuMs } = between(before, await costOf(worker));
    clearInterval(timer);
    session.close();
    const result = results.get(name)!;
    result.rps.push((requests / ms) * 1000);
    result.cpu.push((cpuMs * 1000) / requests);
    result.p50.push(percentile(latencies, 0.5));
    result.p99.push(percentile(latencies, 0.99));
  }
}
console.log(`${clients} kept connections, ${requests} requests, medians of ${rounds} rounds in turns`);
for (const [name, { rps, cpu, p50, p99 }] of results)
  console.log(
    `${name.padEnd(34)} ${median(rps).toFixed(0)} requests/s, p50 ${median(p50).toFixed(2)} ms, p99 ${median(p99).toFixed(2)} ms, ${median(cpu).toFixed(1)} us of CPU each`,
  );

const { haproxy } = subjects[2]!;
const [session, worker] = [await open(haproxy), await haproxy.workerPid()];
const memory = await residentMiB(worker);
await Promise.all(
  Array.from({ length: servers }, (_, n) =>
    session.ask(`set table synapse-latencies key service-${n % 1000}/${n} data.gpc0 ${n}`),
  ),
);
let bytes = 0;
const histograms = new Histograms();
const ask = async (command: string): Promise<string> => {
  const answer = await session.ask(command);
  bytes = answer.length;
  return answer;
};
const [before, used] = [await costOf(worker), process.cpuUsage()];
for (let reading = 0; reading < 10; reading += 1)
  histograms.add({ worker: 'w', rows: await readHistograms(ask), isOlder: false });
const { user, system } = process.cpuUsage(used);
const there = between(before, await costOf(worker)).cpuMs;
console.log(
  `one reading of ${servers} servers: ${(bytes / 1024).toFixed(0)} KiB, ${((user + system) / 10_000).toFixed(0)} ms of CPU here, ${(there / 10).toFixed(0)} ms in HAProxy, whose memory grew by ${((await residentMiB(worker)) - memory).toFixed(1)} MiB`,
);
session.close();
for (const each of running) await each.stop();
for (const dir of dirs) removeTempDir(dir);
