import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHaproxyBlock } from '../../packages/synapse/src/generators/haproxy/block/blocks.ts';
import { desiredState } from '../../packages/synapse/src/generators/haproxy/desired/desired.ts';
import { emptyMemory } from '../../packages/synapse/src/generators/haproxy/desired/memory.ts';
import { render } from '../../packages/synapse/src/generators/haproxy/desired/render.ts';
import { SectionCache } from '../../packages/synapse/src/generators/haproxy/desired/sectionCache.ts';
import { isVouchedFor } from '../../packages/synapse/src/generators/haproxy/file/vouched.ts';
import type { DesiredState } from '../../packages/synapse/src/generators/haproxy/types.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, haproxyPaths, startHaproxy, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { alertsOf } from './alerts.ts';
import {
  type GeneratorBed,
  instanceOf,
  serverLines,
  startGenerator,
  suited,
  tested,
  topLevel,
} from './bed.ts';

let dir: string;
beforeEach(() => {
  dir = makeTempDir('vouched');
});
afterEach(() => removeTempDir(dir));

const options = [
  ...['backup', 'id 7', 'cookie c1', 'ssl verify none', 'inter 3s port 90', 'maxconn 5', 'weight 7'],
  ...['disabled', 'send-proxy', 'agent-check agent-port 9', 'no-check', 'redir http://x.example'],
];
/** Instances with no options, or some of these. */
const instanceWith = (some: readonly string[]) =>
  fc.record(
    {
      host: fc.constantFrom(
        '10.0.0.1',
        '10.0.0.2',
        '255.255.255.255',
        '::1',
        '2001:db8::17',
        '::ffff:9.8.7.6',
      ),
      port: fc.constantFrom(1, 80, 65_535),
      name: fc.constantFrom('a', 'b.c', 'x'.repeat(300), 'y:1', '-', '_'),
      weight: fc.constantFrom(0, 1, 256, 1_000),
      haproxyServerOptions: fc.constantFrom('', ...some),
    },
    { requiredKeys: ['host', 'port', 'weight'] },
  );
/** Lines that make something of servers. */
const lines = fc.subarray(
  [
    'use-server 10.0.0.1:80 if { always_true }',
    'http-request deny if { srv_is_up(web/a_10.0.0.2:80) }',
    'cookie SERVER insert indirect',
    'default-server inter 1s slowstart 2s',
    'option httpchk GET /health',
    'stick-table type string len 32 size 1k',
    'stick on src',
    'server own 10.9.9.9:1 id 7',
  ],
  { maxLength: 3 },
);
const balance = fc.constantFrom('roundrobin', 'static-rr', 'source', 'first', 'leastconn', 'random');

describe('files that go unchecked', () => {
  // A failure tells it: put here, it makes the same files again.
  const seed = Math.floor(Math.random() * 2 ** 31);
  let samples = 0;
  /** As a seed alone decides. */
  const sample = <T>(of: fc.Arbitrary<T>, count: number): T[] =>
    fc.sample(of, { seed: seed + (samples += 1), numRuns: count });

  it('are such as haproxy -c takes, whatever became of the servers', async () => {
    const counts = { vouched: 0, checked: 0 };
    const top = { socket_file_path: haproxyPaths(dir).adminSocket, stats: false, use_nerve_weights: true };
    for (const [round, backend] of [[], ...sample(lines, 4)].entries()) {
      // With a state file those that vanished stay, and are disabled.
      const state = round % 2 === 0 ? { state_file_path: join(dir, 'state.json') } : {};
      const { config } = readHaproxyBlock({ ...top, ...state }, 'h');
      const block = {
        port: await freePort(),
        server_options: round % 3 === 0 ? '' : 'check inter 1h',
        ...{ cookie_value_method: round % 2 === 0 ? 'hash' : 'name', listen: ['mode http'] },
        backend: [`balance ${sample(balance, 1)[0]!}`, ...backend],
      };
      let memory = emptyMemory;
      let checked: DesiredState | undefined;
      const cache = new SectionCache();
      const some = round === 0 ? [] : sample(fc.subarray(options, { maxLength: 2 }), 1)[0]!;
      const several = fc.array(instanceWith(some), { minLength: 1, maxLength: 12 });
      for (const instances of sample(several, 8)) {
        const service = { name: 'web', source: 'live', instances, blocks: { haproxy: block } } as const;
        const made = desiredState(config!, { services: [service] }, memory, new Map(), 0, { cache });
        memory = made.memory;
        const now = suited(made.desired);
        const isVouched = checked !== undefined && isVouchedFor(now, checked);
        const alerts = await alertsOf(render(now), dir);
        counts[isVouched ? 'vouched' : 'checked'] += 1;
        if (isVouched) expect(alerts, `seed ${seed}:\n${render(now)}`).toEqual([]);
        else if (alerts.length === 0) checked = now;
      }
    }
    // All of the first history but its first.
    expect(counts.vouched, `seed ${seed}`).toBeGreaterThanOrEqual(7);
  });
});

describe.runIf(tested.dynamicServers)('the file of servers that run', () => {
  let haproxy: Haproxy;
  let upstreams: readonly Upstream[];
  let bed: GeneratorBed;
  beforeEach(async () => {
    const { global, defaults } = testBase(dir);
    const idle = ['listen idle', `bind 127.0.0.1:${await freePort()}`, ''];
    const config = ['global', ...global, 'defaults', ...defaults, ...idle].join('\n');
    haproxy = await startHaproxy({ dir, config });
    upstreams = await Promise.all(['a', 'b', 'c'].map((identity) => startHttpUpstream({ identity })));
    bed = startGenerator(topLevel(dir, { state_file_path: null }));
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
  });

  const checks = async (): Promise<number> =>
    Number(/config_check_total\{result="valid"\} (\d+)/.exec(await bed.metrics())?.[1] ?? 0);

  it('is checked before a reload and before the end, and not at each change', async () => {
    const port = await freePort();
    const settle = async (count: number, backend: readonly string[] = []): Promise<void> => {
      const instances = upstreams.slice(0, count).map((upstream) => instanceOf(upstream));
      await bed.settle({ web: { instances, haproxy: { port, backend } } });
      await eventually(async () => (await serverLines(haproxy.configFile, 'web')).length === count, {
        what: 'the file has the servers',
      });
    };
    await settle(1);
    const first = await checks();
    expect(first).toBeGreaterThan(0);
    for (const count of [2, 3, 1, 2]) await settle(count);
    expect(await checks()).toBe(first);
    expect(bed.status().file.checkInMs).toBeGreaterThan(0);
    expect(await alertsOf(await readFile(haproxy.configFile, 'utf8'), dir)).toEqual([]);

    await settle(2, ['timeout server 7s']);
    expect(await checks()).toBe(first + 1);
    expect(bed.status().file.checkInMs).toBeUndefined();

    await settle(3, ['timeout server 7s']);
    expect(await checks()).toBe(first + 1);
    await bed.stop();
    expect(await checks()).toBe(first + 2);
  });
});
