import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import type { BeliefStore } from '../loaded/beliefStore.js';
import { aServer, aService, aState } from '../testing/sections.js';
import type { DesiredState } from '../types.js';
import type { ConfigKeeper } from './configKeeper.js';
import { FileFollower, type FileWish } from './fileFollower.js';

const wish = (name: string): FileWish => ({
  desired: aState([aService([aServer(name)])]),
  shared: new Map(),
});

/** A follower of a keeper that takes `checkMs` for each file, and notes which it was given. */
function start(checkMs: number) {
  const clock = new FakeClock();
  const kept: string[] = [];
  const logger = new RecordingLogger();
  const trouble: { problem?: string } = {};
  const keep = async (desired: DesiredState): Promise<unknown> => {
    await clock.sleep(checkMs);
    if (trouble.problem !== undefined) throw new Error(trouble.problem);
    kept.push(desired.services[0]!.backend.servers[0]!.name);
    return { accepted: desired, current: true };
  };
  const keeper = { keep, quarantine: { revision: 0 } } as unknown as ConfigKeeper;
  const beliefs = { save: () => Promise.resolve() } as unknown as BeliefStore;
  const ownStart = { agoMs: Infinity };
  const follower = new FileFollower({
    ...{ clock, keeper, beliefs, logger, ownStart },
    ...{ boundPorts: () => undefined, wake: () => undefined },
  });
  return { clock, kept, follower, logger, trouble, ownStart };
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
});
