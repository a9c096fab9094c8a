import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';

import { maxInstances } from '../../catalog/limit.js';
import { WatcherBed } from '../../testing/index.js';
import { Repeater } from './repeater.js';
import { SourceState } from './sourceState.js';

describe('Repeater', () => {
  it('looks after the time that it was told, or at once when triggered, and never twice at once', async () => {
    const clock = new FakeClock();
    const repeater = new Repeater(clock);
    const stop = new AbortController();
    let looks = 0;
    let release = (): void => undefined;
    const look = async (): Promise<number> => {
      looks += 1;
      await new Promise<void>((resolve) => (release = resolve));
      return 1_000;
    };
    const running = repeater.run(look, stop.signal);
    repeater.trigger();
    repeater.trigger();
    await clock.advance(5_000);
    expect(looks).toBe(1);
    release();
    await clock.advance(0);
    expect(looks).toBe(2);
    release();
    await clock.advance(999);
    expect(looks).toBe(2);
    await clock.advance(1);
    expect(looks).toBe(3);
    release();
    await clock.advance(10);
    repeater.trigger();
    await clock.advance(0);
    expect(looks).toBe(4);
    stop.abort();
    release();
    await running;
    expect(clock.pending).toBe(0);
  });

  it('ends a pause when it is stopped', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const running = new Repeater(clock).run(() => Promise.resolve(Infinity), stop.signal);
    await clock.advance(1);
    stop.abort();
    await running;
    expect(clock.pending).toBe(0);
  });
});

describe('SourceState', () => {
  const a = { host: 'a', port: 1 };

  it('says nothing before it knows something, and is stale, not empty, while the source is away', () => {
    const bed = new WatcherBed();
    const state = new SourceState(bed.context, 'there', (snapshot) => bed.snapshots.push(snapshot));
    state.lost('refused');
    expect(bed.snapshots).toEqual([]);
    state.live({ instances: [a] });
    expect(bed.last).toEqual({ status: 'live', instances: [a] });
    state.lost('refused');
    state.lost('refused');
    expect(bed.last).toEqual({
      status: 'stale',
      instances: [a],
      problems: [{ path: 'there', reason: 'refused' }],
    });
    expect(bed.logger.records.map(({ message }) => message)).toEqual([
      'the source cannot be read, its last instances stay',
      'the source answers again',
      'the source cannot be read, its last instances stay',
    ]);
  });

  it('tells and counts each problem once, and again when it came back', () => {
    const bed = new WatcherBed();
    const state = new SourceState(bed.context, 'there', (snapshot) => bed.snapshots.push(snapshot));
    const problems = [{ path: 'x', reason: 'bad' }];
    state.live({ instances: [], problems });
    state.live({ instances: [], problems });
    expect(bed.undecodable).toBe(1);
    state.live({ instances: [] });
    expect(bed.problems).toEqual([]);
    state.live({ instances: [], problems });
    expect(bed.undecodable).toBe(2);
  });

  it('shows so many instances and no more', () => {
    const bed = new WatcherBed();
    const state = new SourceState(bed.context, 'there', (snapshot) => bed.snapshots.push(snapshot));
    state.live({ instances: Array.from({ length: maxInstances + 3 }, () => a) });
    expect(bed.instances).toHaveLength(maxInstances);
    expect(bed.problems).toEqual([`there: More than ${maxInstances} instances: 3 are left out`]);
  });
});
