import { createMetrics } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { latencyBuckets } from '../../../traffic/latency.js';
import { withLatencies } from '../desired/latencyLines.js';
import { planChanges } from '../plan/plan.js';
import { afterReload, aServer, aService, aState, haproxy26, simulate } from '../testing/sections.js';
import type { DesiredState, Server } from '../types.js';
import { createBalanceMetrics } from './balanceMetrics.js';
import { Steering } from './steering.js';
import { steerLine } from './weights.js';

const counter = { stickCounter: 2, except: [] };
const web = (servers: readonly Server[]): DesiredState =>
  withLatencies(aState([aService(servers, { lines: ['mode http', steerLine] })]), counter);
const own = (name: string, weight = 256): Server => aServer(name, { options: [], weight });
const three = web([own('a'), own('b'), own('c', 128)]);

/** Steering with the looks that a test gives it: milliseconds by server. */
function bedOf(state: DesiredState) {
  const clock = new FakeClock();
  const metrics = createMetrics();
  const steering = new Steering({
    ...{ clock, metrics: createBalanceMetrics(metrics), stepMs: 900, random: () => 0.5 },
    counts: { readings: () => 0, of: () => undefined },
  });
  steering.serve(state.services);
  const look = async (latencies: Readonly<Record<string, number>>): Promise<void> => {
    await clock.advance(1_000);
    steering.hear(
      Object.entries(latencies).map(([server, bucket]) => ({
        ...{ service: 'web', backend: 'web', server, seconds: 1, failures: 0 },
        latencies: new Array<number>(latencyBuckets).fill(0).with(bucket, 100),
      })),
    );
  };
  return { clock, steering, look, metrics };
}

const [fast, slow] = [3, 7];
const commands = (steering: Steering, observed = afterReload(three)): readonly string[] =>
  planChanges(three, three, observed, haproxy26, steering.weights(three, observed)).commands.map((command) =>
    command.kind === 'set-weight' ? `${command.server} ${command.weight}` : command.kind,
  );

describe('steering', () => {
  it('says nothing while all answer alike', async () => {
    const { steering, look } = bedOf(three);
    for (let second = 0; second < 30; second += 1) await look({ a: fast, b: fast, c: fast });
    expect(commands(steering)).toEqual([]);
  });

  it('takes weight from a slow server, in proportion to its own, and gives it back', async () => {
    const { steering, look, metrics } = bedOf(three);
    for (let second = 0; second < 20; second += 1) await look({ a: fast, b: fast, c: slow });
    expect(commands(steering)).toEqual(['c 1']);
    expect(steering.explain('web', 'c')?.reason).toMatch(/^about 63 ms against 3\.\d ms$/);
    expect(steering.explain('web', 'a')).toBeUndefined();
    expect((await metrics.expose()).body).toMatch(
      /smartstack_balance_factor\{dst_service="web",dst_instance="c"\} 0\.01/,
    );
    for (let second = 0; second < 60; second += 1) await look({ a: fast, b: fast, c: fast });
    expect(commands(steering)).toEqual([]);
  });

  it('corrects a weight that somebody set by hand, to what it is to be', async () => {
    const { steering, look } = bedOf(three);
    for (let second = 0; second < 20; second += 1) await look({ a: fast, b: fast, c: slow });
    const byHand = simulate(afterReload(three), [
      { kind: 'set-weight', backend: 'web', server: 'a', weight: 7 },
      { kind: 'set-weight', backend: 'web', server: 'c', weight: 128 },
    ]);
    expect(commands(steering, byHand)).toEqual(['a 256', 'c 1']);
  });

  it('lets go when nobody looks any more', async () => {
    const { steering, look, clock } = bedOf(three);
    let wakes = 0;
    const stop = new AbortController();
    const running = steering.run(() => (wakes += 1), stop.signal);
    for (let second = 0; second < 20; second += 1) await look({ a: fast, b: fast, c: slow });
    const before = wakes;
    await clock.advance(17_000);
    expect(wakes).toBe(before + 1);
    expect(commands(steering)).toEqual([]);
    stop.abort();
    await running;
  });

  it('goes on from what runs after a restart, and only where that was steered', () => {
    const observed = simulate(afterReload(three), [
      { kind: 'set-weight', backend: 'web', server: 'b', weight: 26 },
    ]);
    const { steering } = bedOf(three);
    expect(commands(steering, observed)).toEqual([]);
    expect(steering.explain('web', 'b')?.reason).toBe('as before synapse was started');

    const plain = aState([aService([own('a'), own('b')], { lines: ['mode http'] })]);
    const other = bedOf(three).steering;
    other.weights(plain, observed);
    expect(other.explain('web', 'b')).toBeUndefined();
  });

  it('forgets a server that leaves, and a service that is steered no more', async () => {
    const { steering, look, metrics } = bedOf(three);
    for (let second = 0; second < 20; second += 1) await look({ a: fast, b: fast, c: slow });
    steering.serve(web([own('a'), own('b')]).services);
    await look({ a: fast, b: fast });
    expect((await metrics.expose()).body).not.toMatch(/dst_instance="c"/);
    steering.serve(aState([aService([own('a')])]).services);
    expect((await metrics.expose()).body).not.toMatch(/smartstack_balance_factor\{/);
    expect(steering.weights(three, afterReload(three)).size).toBe(0);
  });

  it('leaves drained and remembered servers out', async () => {
    const state = web([own('a'), own('b'), own('c', 0), { ...own('d'), disabled: true }]);
    const { steering, look } = bedOf(state);
    for (let second = 0; second < 20; second += 1) await look({ a: fast, b: fast, c: slow, d: slow });
    expect([...(steering.weights(state, afterReload(state)).get('web') ?? [])]).toEqual([]);
  });
});
