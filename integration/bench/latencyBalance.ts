import { Agent } from 'node:http';
import { parseArgs } from 'node:util';
import { startHaproxy, testBase } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { pause } from '../harness/pause.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, startGenerator, topLevel } from '../haproxy/bed.ts';
import { percentile } from './statistics.ts';

/** Compares ways to balance: a service with three servers, one of which is not like the others. */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '12' },
    rate: { type: 'string', default: '150' },
    only: { type: 'string', default: '' },
    balance: { type: 'string', default: '' },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);

const [goodMs, slowMs] = [4, 40];
const balances = ['roundrobin', 'leastconn', 'random(2)', 'latency'] as const;

/** What becomes of the three servers, at the begin and in the middle. */
interface Scenario {
  readonly name: string;
  readonly begin: (servers: readonly Upstream[]) => void;
  readonly middle?: (servers: readonly Upstream[]) => void;
}

const reset = (servers: readonly Upstream[]): void =>
  servers.forEach((server) => {
    server.behave('answer');
    server.delay(goodMs);
  });

const scenarios: readonly Scenario[] = [
  { name: 'all alike', begin: () => undefined },
  { name: 'one 10 times slower', begin: ([first]) => first?.delay(slowMs) },
  {
    name: 'the slow one changes in the middle',
    begin: ([first]) => first?.delay(slowMs),
    middle: ([first, second]) => {
      first?.delay(goodMs);
      second?.delay(slowMs);
    },
  },
  {
    name: 'one fails at once',
    begin: ([first]) => {
      first?.delay(0);
      first?.behave('fail');
    },
  },
  {
    name: 'one stops answering',
    begin: () => undefined,
    middle: ([first]) => first?.behave('hang'),
  },
];

interface Outcome {
  readonly latencies: readonly number[];
  readonly failures: number;
}

/** Requests at a fixed rate, whatever becomes of those before. */
async function loadFor(port: number, middle: () => void): Promise<Outcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  const latencies: number[] = [];
  const state = { failures: 0, isMiddle: false };
  const pending: Promise<void>[] = [];
  const begin = performance.now();
  const one = async (): Promise<void> => {
    const sent = performance.now();
    const { status } = await get({ port, agent }).catch(() => ({ status: 0 }));
    latencies.push(performance.now() - sent);
    if (status !== 200) state.failures += 1;
  };
  for (let now = begin; now - begin < seconds * 1000; now = performance.now()) {
    if (!state.isMiddle && now - begin > seconds * 500) {
      state.isMiddle = true;
      middle();
    }
    while (pending.length < ((now - begin) * rate) / 1000) pending.push(one());
    await pause(2);
  }
  await Promise.all(pending);
  agent.destroy();
  return { latencies, failures: state.failures };
}

/** Passes whenever the generator asks for one, as synapse's loop does. */
function follow(bed: GeneratorBed, services: Parameters<GeneratorBed['reconcile']>[0]): () => void {
  let wakes = bed.wakes;
  const timer = setInterval(() => {
    if (bed.wakes === wakes) return;
    wakes = bed.wakes;
    bed.reconcile(services).catch((error: unknown) => console.error(error));
  }, 20);
  return () => clearInterval(timer);
}

async function measure(scenario: Scenario, balance: (typeof balances)[number]): Promise<string> {
  const dir = makeTempDir('bench');
  const port = await freePort();
  const servers = await Promise.all(
    ['u1', 'u2', 'u3'].map((identity, index) =>
      startHttpUpstream({ identity, host: `127.0.7.${index + 1}` }),
    ),
  );
  const { global, defaults } = testBase(dir);
  const idle = ['listen idle', `bind 127.0.0.1:${await freePort()}`, ''];
  const haproxy = await startHaproxy({
    dir,
    config: ['global', ...global, 'defaults', ...defaults, ...idle].join('\n'),
  });
  const bed = startGenerator(topLevel(dir), {}, undefined, { latencies: true, stickCounter: 2 });
  try {
    const how = balance === 'latency' ? { balance } : { backend: [`balance ${balance}`] };
    const policy = { timeouts: { server: '3s' } };
    const haproxyBlock = { port, listen: ['mode http'], policy, ...how };
    const services = { web: { instances: servers.map((each) => instanceOf(each)), haproxy: haproxyBlock } };
    await bed.settle(services);
    const stop = follow(bed, services);
    reset(servers);
    scenario.begin(servers);
    const { latencies, failures } = await loadFor(port, () => scenario.middle?.(servers));
    stop();
    const total = servers.reduce((sum, { received }) => sum + received, 0);
    const share = ((servers[0]?.received ?? 0) / total) * 100;
    const changes = /^smartstack_balance_changes_total (\d+)/m.exec(await bed.metrics())?.[1] ?? '0';
    const sorted = latencies.toSorted((a, b) => a - b);
    const cells = [0.5, 0.95, 0.99].map((q) => percentile(sorted, q).toFixed(1));
    return `| ${scenario.name} | ${balance} | ${cells.join(' | ')} | ${failures} | ${share.toFixed(1)} % | ${changes} |`;
  } finally {
    await bed.stop();
    await haproxy.stop();
    await Promise.all(servers.map((server) => server.stop()));
    removeTempDir(dir);
  }
}

console.log(`${rate} requests/s for ${seconds} s; milliseconds`);
console.log('| | balance | p50 | p95 | p99 | failed | share of the first server | weights changed |');
console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const scenario of scenarios.filter(({ name }) => name.includes(values.only)))
  for (const balance of balances.filter((each) => each.includes(values.balance)))
    console.log(await measure(scenario, balance));
process.exit(0);
