import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.js';

describe('Backoff', () => {
  it('doubles its ceiling from the minimum to the maximum', () => {
    const backoff = new Backoff({ minMs: 50, maxMs: 400, random: () => 1 });
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([50, 100, 200, 400, 400, 400]);
  });

  it('never waits less than the minimum', () => {
    const backoff = new Backoff({ minMs: 50, maxMs: 400, random: () => 0 });
    expect([1, 2, 3].map(() => backoff.next())).toEqual([50, 50, 50]);
  });

  it('starts over after a reset', () => {
    const backoff = new Backoff({ minMs: 50, maxMs: 400, random: () => 1 });
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(backoff.attempt).toBe(0);
    expect(backoff.next()).toBe(50);
  });

  it('refuses bounds that cannot work', () => {
    expect(() => new Backoff({ minMs: 0, maxMs: 10 })).toThrow(RangeError);
    expect(() => new Backoff({ minMs: 20, maxMs: 10 })).toThrow(RangeError);
  });
});
