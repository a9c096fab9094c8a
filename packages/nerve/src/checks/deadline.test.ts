import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import type { Check } from './check.js';
import { probeWithin, startDeadline } from './deadline.js';

const never = (): Promise<never> => new Promise(() => undefined);
const check = (probe: Check['probe']): Check => ({ name: 'x', deadlineMs: 100, probe });

describe('probeWithin', () => {
  it('settles by the deadline even if the check ignores its signal', async () => {
    const clock = new FakeClock();
    const result = probeWithin(check(never), clock, new AbortController().signal);
    await clock.advance(100);
    expect(await result).toEqual({ ok: false, reason: 'no result within 0.1 s' });
    expect(clock.pending).toBe(0);
  });

  it('aborts what the check still does, on every way out', async () => {
    const clock = new FakeClock();
    const signals: AbortSignal[] = [];
    const seen = (then: () => Promise<{ ok: true }>) =>
      check((signal) => {
        signals.push(signal);
        return then();
      });
    await probeWithin(
      seen(() => Promise.resolve({ ok: true })),
      clock,
      new AbortController().signal,
    );
    const late = probeWithin(seen(never), clock, new AbortController().signal);
    await clock.advance(100);
    await late;
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true]);
  });

  it('takes a check that throws for a failure', async () => {
    const clock = new FakeClock();
    const broken = check(() => {
      throw new TypeError('x is undefined');
    });
    expect(await probeWithin(broken, clock, new AbortController().signal)).toEqual({
      ok: false,
      reason: 'x is undefined',
    });
    expect(clock.pending).toBe(0);
  });

  it('rejects when the caller aborts, and leaves no listener behind', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const result = probeWithin(check(never), clock, stop.signal);
    stop.abort(new Error('stopping'));
    await expect(result).rejects.toThrow('stopping');
    await expect(probeWithin(check(never), clock, stop.signal)).rejects.toThrow('stopping');
    expect(clock.pending).toBe(0);
  });
});

describe('startDeadline', () => {
  it('expires on time', async () => {
    const clock = new FakeClock();
    let at: number | undefined;
    startDeadline(clock, 100, () => (at = clock.monotonic()));
    await clock.advance(500);
    expect(at).toBe(100);
  });

  it('grants once more, and only once, the time that the agent itself lost', async () => {
    const clock = new FakeClock();
    const lagging = Object.create(clock, {
      // The timer for 100 ms is served 60 ms late, as after a blocked event loop.
      setTimeout: {
        value: (callback: () => void, ms: number) => clock.setTimeout(callback, ms === 100 ? 160 : ms),
      },
      monotonic: { value: () => clock.monotonic() },
    }) as FakeClock;
    let at: number | undefined;
    startDeadline(lagging, 100, () => (at = clock.monotonic()));
    await clock.advance(1000);
    expect(at).toBe(220);
  });

  it('can be cancelled in both of its lives', async () => {
    const clock = new FakeClock();
    startDeadline(clock, 100, () => expect.unreachable()).cancel();
    await clock.advance(1000);
    expect(clock.pending).toBe(0);
  });
});
