import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latencyBuckets } from '../../../traffic/latency.js';
import { step } from './controller.js';
import { SimulatedFleet, type SimulatedServer } from '../testing/simulatedFleet.js';

const fleetOf = (...servers: readonly SimulatedServer[]): ReadonlyMap<string, SimulatedServer> =>
  new Map(servers.map((server, index) => [`s${index}`, server]));

/** Shares of one server, second by second. */
function run(
  fleet: SimulatedFleet,
  servers: ReadonlyMap<string, SimulatedServer>,
  { seconds, rate, of = 's0' }: { seconds: number; rate: number; of?: string },
): readonly number[] {
  return Array.from({ length: seconds }, () => fleet.tick(servers, rate).get(of) ?? 0);
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const seeds = fc.integer({ min: 1, max: 1_000_000 });
const runs = { numRuns: 10 };
const good = { seconds: 0.005 };

describe('balancing by latency', () => {
  it('keeps away from a server that is 10 times slower, within seconds', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const fleet = new SimulatedFleet(1, seed);
        const shares = run(fleet, fleetOf({ seconds: 0.05 }, good, good), { seconds: 30, rate: 300 });
        expect(mean(shares.slice(5))).toBeLessThan(0.03);
        expect(mean(shares.slice(10))).toBeGreaterThan(0.002);
        expect(fleet.commands).toBeLessThan(30);
      }),
      runs,
    );
  });

  it('finds a server again that has recovered', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const fleet = new SimulatedFleet(1, seed);
        run(fleet, fleetOf({ seconds: 0.05 }, good, good), { seconds: 30, rate: 300 });
        const shares = run(fleet, fleetOf(good, good, good), { seconds: 60, rate: 300 });
        expect(mean(shares.slice(-10))).toBeGreaterThan(0.3);
      }),
      runs,
    );
  });

  it('leaves equal servers alone, whatever chance does', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 5, max: 1000 }),
        fc.double({ min: 0.001, max: 2, noNaN: true }),
        (seed, count, rate, seconds) => {
          const fleet = new SimulatedFleet(1, seed);
          const equal = fleetOf(...Array.from({ length: count }, () => ({ seconds })));
          run(fleet, equal, { seconds: 120, rate });
          expect(Math.min(...fleet.factors().values())).toBeGreaterThan(0.5);
          expect(fleet.commands).toBeLessThanOrEqual(4);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('never rewards a server for failing fast', () => {
    fc.assert(
      fc.property(seeds, fc.double({ min: 0.6, max: 1, noNaN: true }), (seed, failing) => {
        const fleet = new SimulatedFleet(1, seed);
        const servers = fleetOf({ seconds: 0.0005, failing }, good, good);
        const shares = run(fleet, servers, { seconds: 30, rate: 300 });
        expect(mean(shares.slice(8))).toBeLessThan(0.1);
      }),
      runs,
    );
  });

  it('keeps away from a server that answers nothing', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const fleet = new SimulatedFleet(1, seed);
        run(fleet, fleetOf(good, good, good), { seconds: 20, rate: 100 });
        const shares = run(fleet, fleetOf({ ...good, stalls: true }, good, good), {
          ...{ seconds: 40, rate: 100 },
        });
        expect(mean(shares.slice(8))).toBeLessThan(0.04);
      }),
      runs,
    );
  });

  it('goes on when all are slow, stalled or failing alike', () => {
    for (const server of [{ seconds: 3 }, { seconds: 0.01, failing: 1 }, { ...good, stalls: true }]) {
      const fleet = new SimulatedFleet(1, 7);
      run(fleet, fleetOf(server, server, server), { seconds: 60, rate: 90 });
      expect([...fleet.factors().values()]).toEqual([1, 1, 1]);
      expect(fleet.commands).toBe(0);
    }
  });

  it('settles where servers have different capacities and many agents watch the same', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(1, 10, 40), (seed, agents) => {
        const fleet = new SimulatedFleet(agents, seed);
        // Of 1,000 requests a second the first can do 150: a third would drown it.
        const servers = fleetOf(
          { seconds: 0.01, capacity: 150 },
          { seconds: 0.01, capacity: 1000 },
          { seconds: 0.01, capacity: 1000 },
        );
        const shares = run(fleet, servers, { seconds: 240, rate: 1000 / agents });
        const late = shares.slice(-120);
        expect(mean(late)).toBeLessThan(0.18);
        expect(mean(late)).toBeGreaterThan(0.05);
        // Neither given up nor drowned again and again.
        expect(Math.max(...late)).toBeLessThan(0.22);
        expect(Math.min(...late)).toBeGreaterThan(0.02);
      }),
      { numRuns: 6 },
    );
  });

  it('is careful where data are few', () => {
    const fleet = new SimulatedFleet(1, 3);
    const servers = fleetOf({ seconds: 0.05 }, good, good);
    let before = 1;
    for (let second = 0; second < 20; second += 1) {
      fleet.tick(servers, 4);
      const now = fleet.factors().get('s0') ?? 1;
      expect(now).toBeGreaterThanOrEqual(before * 0.8 * 0.8 - 1e-9);
      before = now;
    }
    expect(before).toBeGreaterThan(0.05);
  });

  it('says nothing to a single server, nor of one that left', () => {
    const look = { latencies: new Array<number>(latencyBuckets).fill(0), failures: 0, lost: 0, open: 0 };
    const slow = { ...look, latencies: look.latencies.with(12, 500) };
    const alone = step(new Map(), ['a'], new Map([['a', slow]]), 1, () => 0.5);
    expect(alone.get('a')?.factor).toBe(1);
    expect([...step(alone, ['b'], new Map(), 1, () => 0.5).keys()]).toEqual(['b']);
  });
});
