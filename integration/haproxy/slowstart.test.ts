import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseServersState, parseStat } from '../../packages/synapse/src/generators/haproxy/plan/observed.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, reloads, type Services, startGenerator, topLevel } from './bed.ts';

const rampMs = 8_000;
const sample = 120;

describe('slowstart', () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;

  beforeEach(async () => {
    dir = makeTempDir('slo');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.16.${n}` })),
    );
    const { global, defaults } = testBase(dir);
    const listen = ['listen idle', `bind 127.0.0.1:${await freePort()}`];
    const config = ['global', ...global, 'defaults', ...defaults, ...listen, ''].join('\n');
    haproxy = await startHaproxy({ dir, config });
    // A state file of the operator's: servers that vanish wait in maintenance. Each pass looks at all of HAProxy.
    bed = startGenerator(topLevel(dir), { observeAgainMs: 0 });
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const web = (numbers: readonly number[]): Services => ({
    web: {
      instances: numbers.map((n) => instanceOf(upstreams[n - 1]!)),
      haproxy: { port, server_options: `check inter 500ms weight 100 slowstart ${rampMs}ms` },
    },
  });

  /** State of the server of an upstream, and the share that HAProxy gives it now. */
  async function stateOf(n: number) {
    const servers = parseServersState(await haproxy.ask('show servers state web')).get('web');
    const server = [...(servers?.values() ?? [])].find(({ name }) => name.startsWith(`u${n}_`));
    const rows = parseStat(await haproxy.ask('show stat'));
    const row = rows.find((each) => each('pxname') === 'web' && each('svname')?.startsWith(`u${n}_`));
    return { ...server, effective: Number(row?.('weight')) };
  }
  const rampedUp = (n: number): Promise<boolean> =>
    eventually(async () => (await stateOf(n)).operational === 'up', {
      what: `u${n} has its whole weight`,
      timeoutMs: 4 * rampMs,
    });

  /** How many of some requests, one after the other, the second server answers. */
  async function shareOfSecond(): Promise<number> {
    let second = 0;
    for (let n = 0; n < sample; n += 1) {
      const { status, body } = await get({ port });
      expect(status).toBe(200);
      if (body === 'u2') second += 1;
    }
    return second;
  }

  async function ramps(): Promise<void> {
    const early = await stateOf(2);
    expect(early).toMatchObject({ operational: 'starting', admin: 'ready', weight: 100 });
    expect(early.effective).toBeLessThan(60);
    expect(await shareOfSecond()).toBeLessThan(sample * 0.4);
    // It serves, and synapse leaves the ramp alone.
    expect((await bed.reconcile(web([1, 2]))).outcome).toBe('noop');
    expect(await bed.metrics()).toContain('smartstack_backends{state="up"} 2');
    expect(await stateOf(2)).toMatchObject({ weight: 100 });
    await rampedUp(2);
    expect(await stateOf(2)).toMatchObject({ weight: 100, effective: 100 });
    const late = await shareOfSecond();
    expect(late).toBeGreaterThanOrEqual(sample * 0.45);
    expect(late).toBeLessThanOrEqual(sample * 0.55);
    expect((await bed.reconcile(web([1, 2]))).outcome).toBe('noop');
  }

  it('ramps up a server that is added at run time, and one that returns from maintenance', async () => {
    await bed.settle(web([1]));
    await rampedUp(1);
    expect((await bed.reconcile(web([1, 2]))).outcome).toBe('runtime');
    await ramps();
    await bed.settle(web([1]));
    expect(await stateOf(2)).toMatchObject({ admin: 'maint' });
    expect((await bed.reconcile(web([1, 2]))).outcome).toBe('runtime');
    await ramps();
  });

  it('ramps up a server that only the checks of HAProxy let in', async () => {
    await bed.settle(web([1]));
    await rampedUp(1);
    const { host, port: place } = upstreams[1]!;
    await upstreams[1]!.stop();
    const outcomes = await bed.settle(web([1, 2]));
    expect(reloads(outcomes)).toBe(0);
    expect(await stateOf(2)).toMatchObject({ operational: 'down' });
    upstreams[1] = await startHttpUpstream({ identity: 'u2', host, port: place });
    await eventually(async () => (await stateOf(2)).operational === 'starting', { what: 'it is let in' });
    await ramps();
  });
});
