import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CheckResult, type HealthState, nextHealth, type Threshold, unknownHealth } from './health.js';

const up: CheckResult = { ok: true };
const down: CheckResult = { ok: false, reason: 'refused' };

function statuses(results: readonly boolean[], threshold: Threshold): string[] {
  let state: HealthState = unknownHealth;
  return results.map((ok) => {
    state = nextHealth(state, ok ? up : down, threshold);
    return state.status;
  });
}

/** airbnb's algorithm: a ring of the last max(rise, fall) results, filled with the first one. */
function ringBufferStatuses(results: readonly boolean[], { rise, fall }: Threshold): string[] {
  const size = Math.max(rise, fall);
  let ring: boolean[] = [];
  let last: boolean | undefined;
  return results.map((result) => {
    if (last === undefined) {
      last = result;
      ring = Array.from({ length: size }, () => result);
    }
    ring = [...ring.slice(1), result];
    if (!ring.slice(-fall).some(Boolean)) last = false;
    if (ring.slice(-rise).every(Boolean)) last = true;
    return last ? 'up' : 'down';
  });
}

describe('nextHealth', () => {
  it('takes the first result at once, whatever rise and fall are (trap 6)', () => {
    expect(statuses([true], { rise: 3, fall: 2 })).toEqual(['up']);
    expect(statuses([false], { rise: 3, fall: 2 })).toEqual(['down']);
  });

  it('falls after `fall` failures in a row and rises after `rise` successes in a row', () => {
    expect(statuses([true, false, true, false, false, true, true, true], { rise: 3, fall: 2 })).toEqual([
      'up',
      'up',
      'up',
      'up',
      'down',
      'down',
      'down',
      'up',
    ]);
  });

  it('counts results that contradict the health', () => {
    const state = nextHealth({ status: 'up', streak: 0 }, down, { rise: 1, fall: 3 });
    expect(state).toEqual({ status: 'up', streak: 1 });
    expect(nextHealth(state, up, { rise: 1, fall: 3 })).toEqual({ status: 'up', streak: 0 });
  });

  it('keeps the same object while nothing changes', () => {
    const state: HealthState = { status: 'up', streak: 0 };
    expect(nextHealth(state, up, { rise: 1, fall: 1 })).toBe(state);
  });

  it("equals airbnb's ring buffer for every sequence and threshold", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 200 }),
        fc.record({ rise: fc.integer({ min: 1, max: 12 }), fall: fc.integer({ min: 1, max: 12 }) }),
        (results, threshold) => {
          expect(statuses(results, threshold)).toEqual(ringBufferStatuses(results, threshold));
        },
      ),
      { numRuns: 500 },
    );
  });
});
