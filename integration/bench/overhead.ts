// What collecting costs who waits for an answer: the same HAProxy with and without the lines that count latencies, side
// by side, under wrk. Usage: npm run bench:overhead [-- --seconds 10 --rounds 6 --connections 32]
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { withLatencies } from '../../packages/synapse/src/generators/haproxy/desired/latencyLines.ts';
import { render } from '../../packages/synapse/src/generators/haproxy/desired/render.ts';
import type { DesiredState } from '../../packages/synapse/src/generators/haproxy/types.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startWrk } from '../harness/wrk.ts';
import { between, costOf } from './processCost.ts';
import { summarize } from './statistics.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '6' },
    connections: { type: 'string', default: '32' },
  },
});
const [seconds, rounds, connections] = [
  ...[Number(values.seconds), Number(values.rounds), Number(values.connections)],
] as const;
// Who is measured has a core of its own; the load shares the other with the server.
const hasTwo = availableParallelism() > 1;
const serverPort = await freePort();
const running: Haproxy[] = [];
const folders: string[] = [];

async function start(config: (folder: string) => string, core: number): Promise<Haproxy> {
  const dir = makeTempDir('overhead');
  folders.push(dir);
  const haproxy = await startHaproxy({ dir, config: config(dir) });
  running.push(haproxy);
  const pids = [haproxy.pid, await haproxy.workerPid()].map(String);
  if (hasTwo) for (const pid of pids) execFileSync('taskset', ['-apc', String(core), pid]);
  return haproxy;
}

const base = (folder: string): DesiredState['base'] => [
  { title: 'global', lines: [...testBase(folder).global, 'nbthread 1'] },
  { title: 'defaults', lines: testBase(folder).defaults },
];

await start(
  (folder) =>
    render({
      base: [
        ...base(folder),
        {
          title: 'listen server',
          lines: [
            `bind 127.0.0.1:${serverPort}`,
            'http-request return status 200 content-type text/plain string hi',
          ],
        },
      ],
      services: [],
    }),
  1,
);

/** A proxy to the one server, as synapse writes it. */
async function proxy(counts: boolean): Promise<{ readonly haproxy: Haproxy; readonly port: number }> {
  const port = await freePort();
  const server = { name: 's', address: '127.0.0.1', port: serverPort, id: 1, options: [], disabled: false };
  const service = {
    service: 'web',
    frontend: { title: 'frontend web', lines: [`bind 127.0.0.1:${port}`, 'default_backend web'] },
    backend: { name: 'web', lines: [], servers: [server] },
  };
  const settings = counts ? { stickCounter: 2, except: [] } : undefined;
  const state = (folder: string): DesiredState => ({ base: base(folder), services: [service] });
  return { haproxy: await start((folder) => render(withLatencies(state(folder), settings)), 0), port };
}

interface Turn {
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of HAProxy's processor time for a request. */
  readonly cpu: number;
}

async function turn({ haproxy, port }: Awaited<ReturnType<typeof proxy>>, forMs: number): Promise<Turn> {
  const worker = await haproxy.workerPid();
  const within = hasTwo ? ['taskset', '-c', '1'] : [];
  const before = await costOf(worker);
  const wrk = startWrk({ port, threads: 1, connections, within });
  await new Promise((resolve) => setTimeout(resolve, forMs));
  const { requests, durationUs, p50, p99, errors } = await wrk.stop();
  const { cpuMs } = between(before, await costOf(worker));
  if (errors.socket + errors.status > 0) throw new Error(`the load failed: ${JSON.stringify(errors)}`);
  const rps = requests / (durationUs / 1e6);
  return { rps, p50: p50 * 1000, p99: p99 * 1000, cpu: (cpuMs * 1000) / requests };
}

const [without, with_] = [await proxy(false), await proxy(true)];
const turns = { without: [] as Turn[], with: [] as Turn[] };
for (const each of [without, with_]) await turn(each, 1_000);
for (let round = 0; round < rounds; round += 1) {
  // ABBA: whatever drifts meanwhile falls on both alike.
  for (const name of ['without', 'with', 'with', 'without'] as const)
    turns[name].push(await turn(name === 'with' ? with_ : without, seconds * 1000));
}

const median = (all: readonly Turn[], of: keyof Turn): number =>
  summarize(all.map((each) => each[of])).median;
const figures = (name: 'without' | 'with'): string => {
  const [rps, p50, p99, cpu] = (['rps', 'p50', 'p99', 'cpu'] as const).map((of) => median(turns[name], of));
  return `${rps!.toFixed(0)} requests/s, p50 ${p50!.toFixed(3)} ms, p99 ${p99!.toFixed(3)} ms, ${cpu!.toFixed(2)} us of CPU each`;
};
console.log(
  `${connections} kept connections, ${2 * rounds} turns of ${seconds} s each (ABBA), medians; ${hasTwo ? 'HAProxy has a core of its own' : 'one core for all'}`,
);
console.log(`without the lines  ${figures('without')}`);
console.log(`with the lines     ${figures('with')}`);
const added = (of: keyof Turn): number => median(turns.with, of) - median(turns.without, of);
// Between turns of the same kind: what of the difference is no more than noise.
const spread = (of: keyof Turn): number => {
  const { min, max } = summarize(turns.without.map((each) => each[of]));
  return max - min;
};
console.log(
  `added              ${((added('rps') / median(turns.without, 'rps')) * 100).toFixed(1)} % requests/s, p50 ${added('p50').toFixed(3)} ms, p99 ${added('p99').toFixed(3)} ms, ${added('cpu').toFixed(2)} us of CPU`,
);
console.log(
  `(spread without)   ${((spread('rps') / median(turns.without, 'rps')) * 100).toFixed(1)} % requests/s, p50 ${spread('p50').toFixed(3)} ms, p99 ${spread('p99').toFixed(3)} ms, ${spread('cpu').toFixed(2)} us of CPU`,
);
for (const each of running) await each.stop();
for (const folder of folders) removeTempDir(folder);
