import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Snapshot } from '../../catalog/types.js';
import { pollSource } from './poll.js';
import type { SourceReading } from './sourceState.js';

const one: SourceReading = { instances: [{ host: 'a', port: 1 } satisfies Instance] };

let clock: FakeClock;
let logger: RecordingLogger;
let snapshots: Snapshot[];
let stop: AbortController;
let asked: AbortSignal[];
let answer: (signal: AbortSignal) => Promise<SourceReading>;
let done: Promise<void>;

beforeEach(() => {
  clock = new FakeClock();
  logger = new RecordingLogger();
  snapshots = [];
  asked = [];
  stop = new AbortController();
  answer = () => Promise.resolve(one);
});
afterEach(async () => {
  stop.abort();
  await done;
  expect(clock.pending).toBe(0);
});

async function start(): Promise<void> {
  done = pollSource(
    {
      ...{ source: 'it', everyMs: 10_000, timeoutMs: 2_000, random: () => 0.5 },
      context: { service: 'web', clock, logger, metrics: { undecodable: () => undefined } },
      read: (signal) => {
        asked.push(signal);
        return answer(signal);
      },
      emit: (snapshot) => void snapshots.push(snapshot),
    },
    stop.signal,
  );
  await clock.advance(0);
}
const told = () => logger.records.map(({ message, fields }) => [message, fields.reason]);
const lost = 'the source cannot be read, its last instances stay';

describe('pollSource', () => {
  it('asks at once, and then at its interval', async () => {
    await start();
    expect(snapshots).toEqual([{ status: 'live', instances: one.instances }]);
    await clock.advance(9_999);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(asked).toHaveLength(2);
  });

  it('says nothing before it was answered', async () => {
    answer = () => Promise.reject(new Error('refused'));
    await start();
    expect(snapshots).toEqual([]);
    expect(told()).toEqual([[lost, 'refused']]);
    answer = () => Promise.resolve(one);
    await clock.advance(10_000);
    expect(snapshots).toHaveLength(1);
  });

  it('keeps what it knew as stale, tells each reason once, and asks sooner than usual', async () => {
    await start();
    answer = () => Promise.reject(new Error('refused'));
    await clock.advance(10_000);
    expect(snapshots.at(-1)).toEqual({
      status: 'stale',
      instances: one.instances,
      problems: [{ path: 'it', reason: 'refused' }],
    });
    expect(asked).toHaveLength(2);
    await clock.advance(10_000);
    expect(asked.length).toBeGreaterThan(4);
    expect(told()).toEqual([[lost, 'refused']]);
    answer = () => Promise.resolve(one);
    await clock.advance(10_000);
    expect(snapshots.at(-1)).toEqual({ status: 'live', instances: one.instances });
    expect(told().at(-1)).toEqual(['the source answers again', undefined]);
  });

  it('gives up a question that is not answered, and never asks two at once', async () => {
    await start();
    answer = () => new Promise(() => undefined);
    await clock.advance(11_999);
    expect(asked).toHaveLength(2);
    expect(asked[1]?.aborted).toBe(false);
    await clock.advance(1);
    expect(asked[1]?.aborted).toBe(true);
    expect(snapshots.at(-1)).toMatchObject({
      status: 'stale',
      problems: [{ reason: 'no answer within 2 s' }],
    });
  });

  it('takes a source that throws at once for one that fails', async () => {
    answer = () => {
      throw new Error('at once');
    };
    await start();
    expect(told()).toEqual([[lost, 'at once']]);
  });

  it('says nothing after its end', async () => {
    let late: (found: SourceReading) => void = () => undefined;
    answer = () => new Promise((resolve) => (late = resolve));
    await start();
    stop.abort();
    late(one);
    await done;
    expect(snapshots).toEqual([]);
  });
});
