import { RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { hardStopAfterMs, OldWorkers } from './oldWorkers.js';

const master = (...pids: number[]) => ({
  ...{ pid: 1, reloads: pids.length, failed: 0, workers: [{ pid: 2, reloads: 0, uptimeSeconds: 1 }] },
  oldWorkers: pids.map((pid) => ({ pid, reloads: 1, uptimeSeconds: 100 })),
});

function start(limitMs?: number) {
  const logger = new RecordingLogger();
  const old = new OldWorkers(logger, () => limitMs);
  return { old, told: () => logger.records.map(({ level, message }) => `${level}: ${message}`) };
}

describe('OldWorkers', () => {
  it('shows pid, age, and for how long each has been an old one', () => {
    const { old } = start();
    old.update(master(7), 1_000);
    old.update(master(7, 8), 5_500);
    expect(old.workers).toEqual([
      { pid: 7, reloads: 1, ageSeconds: 100, drainingSeconds: 4 },
      { pid: 8, reloads: 1, ageSeconds: 100, drainingSeconds: 0 },
    ]);
  });

  it('does not know them without a master', () => {
    const { old } = start();
    expect(old.workers).toBeUndefined();
    old.update(master(7), 0);
    old.update(undefined, 1);
    expect(old.workers).toBeUndefined();
  });

  it('tells once when they pile up, and when they are gone', () => {
    const { old, told } = start();
    old.update(master(1, 2, 3, 4, 5), 0);
    expect(told()).toEqual([]);
    for (const now of [1, 2, 3]) old.update(master(1, 2, 3, 4, 5, 6), now);
    old.update(master(1), 4);
    old.update(master(1, 2, 3, 4, 5, 6), 5);
    old.update(undefined, 6);
    expect(told()).toEqual(['warn: old haproxy workers pile up']);
    old.update(master(), 7);
    old.update(master(), 8);
    expect(told()).toEqual(['warn: old haproxy workers pile up', 'info: old haproxy workers are gone']);
    old.update(master(1, 2, 3, 4, 5, 6), 9);
    expect(told()).toHaveLength(3);
  });

  it('tells of each that outlives hard-stop-after', () => {
    const { old, told } = start(10_000);
    old.update(master(7), 0);
    old.update(master(7), 14_999);
    expect(told()).toEqual([]);
    for (const now of [15_000, 16_000]) old.update(master(7), now);
    expect(told()).toEqual(['warn: an old haproxy worker outlives hard-stop-after']);
    old.update(master(), 17_000);
    expect(told()).toHaveLength(2);
  });

  it('never does where HAProxy has no such limit', () => {
    const { old, told } = start();
    old.update(master(7), 0);
    old.update(master(7), 1e12);
    expect(told()).toEqual([]);
  });
});

describe('hardStopAfterMs', () => {
  it.each([
    ['hard-stop-after 30s', 30_000],
    [' hard-stop-after  10m # old ones', 600_000],
    ['hard-stop-after 1500', 1_500],
    ['hard-stop-after 2h', 7_200_000],
    ['# hard-stop-after 2h', undefined],
    ['maxconn 5', undefined],
  ])('reads %s', (line, expected) => {
    expect(hardStopAfterMs([{ title: 'global', lines: ['daemon', line] }])).toBe(expected);
  });

  it('takes the last of several, as HAProxy does, and those of global only', () => {
    const lines = ['hard-stop-after 1s', 'hard-stop-after 2s'];
    expect(hardStopAfterMs([{ title: 'global', lines }])).toBe(2_000);
    expect(hardStopAfterMs([{ title: 'defaults', lines }])).toBeUndefined();
  });
});
