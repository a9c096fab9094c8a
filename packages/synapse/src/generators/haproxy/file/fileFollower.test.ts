import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import type { BeliefStore } from '../loaded/beliefStore.js';
import { aServer, aService, aState } from '../testing/sections.js';
import type { DesiredState } from '../types.js';
import type { ConfigKeeper } from './configKeeper.js';
import type { KeepOptions } from './keeping.js';
import { FileFollower, type FileWish } from './fileFollower.js';

const wish = (name: string): FileWish => ({
  desired: aState([aService([aServer(name)])]),
  shared: new Map(),
});

/** A follower of a keeper that takes `checkMs` for each file, and notes which it was given. */
function start(checkMs: number, fileBytes = 0) {
  const clock = new FakeClock();
  const kept: string[] = [];
  const logger = new RecordingLogger();
  const trouble: { problem?: string } = {};
  /** What is checked at once, and until when the rest may wait. */
  const checked: string[] = [];
  const owed: { dueAt?: number } = {};
  const keep = async (desired: DesiredState, _: unknown, { mayWait }: KeepOptions): Promise<unknown> => {
    await clock.sleep(checkMs);
    if (mayWait !== true) {
      checked.push(desired.services[0]!.backend.servers[0]!.name);
      delete owed.dueAt;
    } else owed.dueAt ??= clock.monotonic() + 300_000;
    if (trouble.problem !== undefined) throw new Error(trouble.problem);
    kept.push(desired.services[0]!.backend.servers[0]!.name);
    return { accepted: desired, current: true };
  };
  const keeper = {
    ...{ keep, quarantine: { revision: 0 }, fileBytes },
    get checkDueInMs() {
      return owed.dueAt === undefined ? undefined : owed.dueAt - clock.monotonic();
    },
  } as unknown as ConfigKeeper;
  const beliefs = { save: () => Promise.resolve() } as unknown as BeliefStore;
  const ownStart = { agoMs: Infinity };
  const follower = new FileFollower({
    ...{ clock, keeper, beliefs, logger, ownStart },
    ...{ boundPorts: () => undefined, wake: () => undefined },
  });
  return { clock, kept, checked, follower, logger, trouble, ownStart };
}

describe('following the file', () => {
  it('lets a start of our own serve first', async () => {
    const { clock, kept, follower, ownStart } = start(100);
    ownStart.agoMs = 500;
    follower.followSoon(wish('a'));
    await clock.advance(2_599);
    expect(kept).toEqual([]);
    await clock.advance(1);
    expect(kept).toEqual(['a']);
  });

  it('begins soon, then rests four times as long as it took; of several wishes the last counts', async () => {
    const { clock, kept, follower } = start(100);
    follower.followSoon(wish('a'));
    await clock.advance(199);
    expect(kept).toEqual([]);
    await clock.advance(1);
    expect(kept).toEqual(['a']);
    follower.followSoon(wish('b'));
    follower.followSoon(wish('c'));
    await clock.advance(399);
    expect(kept).toEqual(['a']);
    await clock.advance(101);
    expect(kept).toEqual(['a', 'c']);
  });

  it('rests the longer the larger the file is, up to five seconds', async () => {
    for (const [bytes, rest] of [
      [2_000_000, 2_000],
      [40_000_000, 5_000],
    ] as const) {
      const { clock, kept, follower } = start(0, bytes);
      follower.followSoon(wish('a'));
      await clock.advance(100);
      follower.followSoon(wish('b'));
      await clock.advance(rest - 1);
      expect(kept).toEqual(['a']);
      await clock.advance(1);
      expect(kept).toEqual(['a', 'b']);
    }
  });

  it('does not let an older wish that waits undo a newer one that did not', async () => {
    const { clock, kept, follower } = start(100);
    follower.followSoon(wish('a'));
    await clock.advance(200);
    follower.followSoon(wish('older'));
    const newer = follower.follow(wish('newer'));
    await clock.advance(100);
    await newer;
    await clock.advance(10_000);
    expect(kept).toEqual(['a', 'newer']);
  });

  it('tells a problem that lasts once, and again when it comes back', async () => {
    const { clock, follower, logger, trouble } = start(0);
    const follow = async (problem?: string): Promise<void> => {
      if (problem === undefined) delete trouble.problem;
      else trouble.problem = problem;
      follower.followSoon(wish('a'));
      await clock.advance(10_000);
    };
    for (const problem of ['full', 'full', 'read-only', undefined, 'read-only']) await follow(problem);
    const warned = logger.records.filter(({ level }) => level === 'warn');
    expect(warned.map(({ fields }) => fields.problem)).toEqual(['full', 'read-only', 'read-only']);
  });

  it('does not rest when it is told to come to an end', async () => {
    const { clock, kept, follower } = start(1_000);
    follower.followSoon(wish('a'));
    await clock.advance(1_100);
    follower.followSoon(wish('b'));
    const idle = follower.idle();
    await clock.advance(1_000);
    await idle;
    expect(kept).toEqual(['a', 'b']);
  });

  describe('of servers that run', () => {
    const running = (name: string): FileWish => ({ ...wish(name), isRunning: true });

    it('checks five minutes after the first that was not checked, what the file is then', async () => {
      const { clock, kept, checked, follower } = start(0);
      follower.followSoon(running('a'));
      await clock.advance(200_000);
      follower.followSoon(running('b'));
      await clock.advance(99_000);
      expect([kept, checked]).toEqual([['a', 'b'], []]);
      await clock.advance(2_000);
      expect(checked).toEqual(['b']);
      await clock.advance(1_000_000);
      expect(checked).toEqual(['b']);
    });

    it('has no older wish come back when the check is due', async () => {
      const { clock, kept, checked, follower } = start(0);
      follower.followSoon(running('a'));
      await clock.advance(1_000);
      // A reload waits for this one.
      const followed = follower.follow(wish('b'));
      await clock.advance(1);
      await followed;
      await clock.advance(1_000_000);
      expect([kept, checked]).toEqual([['a', 'b'], ['b']]);
    });

    it('checks before it comes to an end', async () => {
      const { clock, checked, follower } = start(0);
      follower.followSoon(running('a'));
      await clock.advance(1_000);
      expect(checked).toEqual([]);
      const idle = follower.idle();
      await clock.advance(1);
      await idle;
      expect(checked).toEqual(['a']);
    });

    it('tries a check that is due again and again, and ends all the same', async () => {
      const { clock, checked, follower, trouble } = start(0);
      follower.followSoon(running('a'));
      await clock.advance(1_000);
      trouble.problem = 'full';
      await clock.advance(310_000);
      const tried = checked.length;
      expect(tried).toBeGreaterThan(0);
      expect(follower.problem).toBe('full');
      const idle = follower.idle();
      await clock.advance(1);
      await idle;
    });

    it('checks what stands in for something else at once', async () => {
      const { clock, checked, follower } = start(0);
      follower.followSoon({ ...running('a'), isStandIn: true });
      await clock.advance(1_000);
      expect(checked).toEqual(['a']);
    });
  });
});
