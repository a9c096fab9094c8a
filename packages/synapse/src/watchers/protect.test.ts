import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { beforeEach, describe, expect, it } from 'vitest';

import type { MassLossRules } from '../catalog/massLoss.js';
import type { Snapshot } from '../catalog/types.js';
import { protectFromMassLoss } from './protect.js';

const instances = (...ids: readonly number[]): readonly Instance[] =>
  ids.map((id) => ({ host: `10.0.0.${id}`, port: 80 }));
const live = (...ids: readonly number[]): Snapshot => ({ status: 'live', instances: instances(...ids) });

describe('a protected watcher', () => {
  let clock: FakeClock;
  let rules: MassLossRules | undefined;
  let logger: RecordingLogger;
  let tell: (snapshot: Snapshot) => void;
  let seen: Snapshot[];
  let ended: Promise<void>;
  let stop: AbortController;

  const last = (): string => {
    const snapshot = seen.at(-1);
    if (snapshot === undefined || snapshot.status === 'pending') return String(snapshot?.status);
    const shown = snapshot.instances.map(({ host, held }) => `${host.slice(7)}${held ? '*' : ''}`);
    return `${snapshot.status}: ${shown.join(' ')}`;
  };

  beforeEach(() => {
    clock = new FakeClock();
    rules = { share: 0.5, minimum: 3, windowMs: 10_000, holdMs: 60_000, keepsPrevious: true };
    logger = new RecordingLogger();
    seen = [];
    stop = new AbortController();
    const source = {
      run: (emit: (snapshot: Snapshot) => void, signal: AbortSignal) => {
        tell = emit;
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    };
    const watcher = protectFromMassLoss(source, { rules: () => rules, clock, logger });
    ended = watcher.run((snapshot) => seen.push(snapshot), stop.signal);
  });

  it('hands on what its source tells, the very same', () => {
    const snapshot = live(1, 2);
    tell(snapshot);
    expect(seen).toEqual([snapshot]);
    expect(seen[0]).toBe(snapshot);
    tell({ status: 'pending' });
    expect(last()).toBe('pending');
  });

  it('keeps most of a service that vanishes, says so once, and lets it go when its time is over', async () => {
    tell(live(1, 2, 3, 4));
    tell(live(1));
    expect(last()).toBe('live: 1 2* 3* 4*');
    tell(live(1, 2));
    expect(last()).toBe('live: 1 2 3* 4*');
    expect(logger.records.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn most instances vanished at once, they stay in rotation where they are checked',
    ]);
    expect(logger.records[0]?.fields).toMatchObject({ held: 3, present: 1, seconds: 60 });
    await clock.advance(59_999);
    expect(last()).toBe('live: 1 2 3* 4*');
    await clock.advance(1);
    expect(last()).toBe('live: 1 2');
    expect(logger.records.at(-1)).toMatchObject({ level: 'info' });
  });

  it('goes on holding while its source is away', () => {
    tell(live(1, 2, 3, 4));
    tell(live(1));
    tell({ status: 'stale', instances: instances(1) });
    expect(last()).toBe('stale: 1 2* 3* 4*');
  });

  it('leaves an empty source to the fallback for that, and keeps the others when one returns', async () => {
    tell(live(1, 2, 3, 4));
    tell(live());
    expect(last()).toBe('live: ');
    await clock.advance(3_600_000);
    tell(live(2));
    expect(last()).toBe('live: 2 1* 3* 4*');
  });

  it('holds what an empty source lost where there is no such fallback', () => {
    rules = { ...rules!, keepsPrevious: false };
    tell(live(1, 2, 3, 4));
    tell(live());
    expect(last()).toBe('live: 1* 2* 3* 4*');
  });

  it('obeys the rules of the moment', () => {
    const before = rules;
    rules = undefined;
    tell(live(1, 2, 3, 4));
    tell(live(1));
    expect(last()).toBe('live: 1');
    rules = before;
    tell(live(1, 2, 3, 4));
    tell(live(1));
    expect(last()).toBe('live: 1 2* 3* 4*');
    rules = undefined;
    tell(live(1));
    expect(last()).toBe('live: 1');
  });

  it('leaves no timer behind', async () => {
    tell(live(1, 2, 3, 4));
    tell(live(1));
    stop.abort();
    await ended;
    const count = seen.length;
    await clock.advance(120_000);
    expect(seen).toHaveLength(count);
    expect(clock.pending).toBe(0);
  });
});
