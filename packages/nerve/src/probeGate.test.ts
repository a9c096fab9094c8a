import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProbeGate } from './probeGate.js';

const never = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Comes to the gate; notes its name when it is let in. */
function come(gate: ProbeGate, name: string, log: string[], signal = never): void {
  gate.enter(signal).then(
    () => log.push(name),
    () => log.push(`${name} left`),
  );
}

describe('ProbeGate', () => {
  it('lets in at once below the limit, and in the order of coming above it', async () => {
    const gate = new ProbeGate(2);
    const log: string[] = [];
    expect([gate.tryEnter(), gate.tryEnter(), gate.tryEnter()]).toEqual([true, true, false]);
    for (const name of ['a', 'b', 'c']) come(gate, name, log);
    await turn();
    expect(log).toEqual([]);
    gate.leave();
    await turn();
    expect(log).toEqual(['a']);
    // Whoever comes now waits behind those who wait, even if a place is free in passing.
    expect(gate.tryEnter()).toBe(false);
    gate.leave();
    gate.leave();
    await turn();
    expect(log).toEqual(['a', 'b', 'c']);
    expect(gate).toMatchObject({ inside: 2, waiting: 0 });
  });

  it('forgets who gives up waiting', async () => {
    const gate = new ProbeGate(1);
    const log: string[] = [];
    const stop = new AbortController();
    gate.tryEnter();
    come(gate, 'a', log, stop.signal);
    come(gate, 'b', log);
    stop.abort();
    come(gate, 'late', log, stop.signal);
    gate.leave();
    await turn();
    expect(log.toSorted()).toEqual(['a left', 'b', 'late left']);
    expect(gate).toMatchObject({ inside: 1, waiting: 0 });
  });

  it('follows a limit that changes', async () => {
    const gate = new ProbeGate(1);
    const log: string[] = [];
    for (const name of ['a', 'b', 'c']) come(gate, name, log);
    gate.limit = 3;
    await turn();
    expect(log).toEqual(['a', 'b', 'c']);
    gate.limit = 1;
    gate.leave();
    expect(gate.tryEnter()).toBe(false);
  });

  it('is never over its limit and never keeps a place free while somebody waits', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.constantFrom('come', 'leave', 'abort'), { maxLength: 60 }),
        async (limit, events) => {
          const gate = new ProbeGate(limit);
          const log: string[] = [];
          const stops: AbortController[] = [];
          for (const event of events) {
            if (event === 'come') {
              const stop = new AbortController();
              stops.push(stop);
              come(gate, 'in', log, stop.signal);
            } else if (event === 'leave' && gate.inside > 0) gate.leave();
            else stops.pop()?.abort();
            await turn();
            expect(gate.inside).toBeLessThanOrEqual(limit);
            expect(gate.waiting === 0 || gate.inside === limit).toBe(true);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
