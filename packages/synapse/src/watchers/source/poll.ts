import { Backoff, type Clock, describeError, within } from '@smartstack/agent';

import type { Snapshot } from '../../catalog/types.js';
import type { WatcherContext } from '../types.js';
import { type SourceReading, SourceState } from './sourceState.js';

export interface PollOptions<T> {
  /** From one look to the next, in milliseconds. A tenth of it is at random, so that a fleet does not ask at once. */
  readonly everyMs: number;
  /** An answer that takes longer does not count, in milliseconds. */
  readonly timeoutMs: number;
  /** Asks once; `signal` aborts when the answer is not waited for any more. */
  readonly read: (signal: AbortSignal) => Promise<T>;
  readonly onValue: (value: T) => void;
  readonly onFailure: (error: unknown) => void;
  readonly clock: Clock;
  readonly random?: (() => number) | undefined;
}

/** The first retry after a failure comes so soon, in milliseconds; later ones after up to the usual interval. */
const retryMinMs = 500;

/** Asks a source at once, and then time and again until `signal` aborts. Never rejects for what the source does. */
export async function poll<T>(options: PollOptions<T>, signal: AbortSignal): Promise<void> {
  const { everyMs, onValue, onFailure, clock, random = Math.random } = options;
  const backoff = new Backoff({
    minMs: Math.min(retryMinMs, everyMs),
    maxMs: everyMs,
    random,
  });
  const stopped = (): boolean => signal.aborted;
  while (!stopped()) {
    let waitMs = everyMs * (0.9 + random() * 0.2);
    try {
      const value = await askOnce(options, signal);
      if (stopped()) return;
      backoff.reset();
      onValue(value);
    } catch (error) {
      if (stopped()) return;
      waitMs = backoff.next();
      onFailure(error);
    }
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }
}

async function askOnce<T>({ timeoutMs, read, clock }: PollOptions<T>, signal: AbortSignal): Promise<T> {
  const late = new AbortController();
  const asked = (async () => ({ value: await read(AbortSignal.any([signal, late.signal])) }))();
  // It may fail after nobody waits for it.
  asked.catch(() => undefined);
  const answer = await within(asked, timeoutMs, clock, signal);
  if (answer !== undefined) return answer.value;
  late.abort();
  throw new Error(`no answer within ${timeoutMs / 1000} s`);
}

export interface PollSourceOptions extends Pick<
  PollOptions<SourceReading>,
  'everyMs' | 'timeoutMs' | 'read' | 'random'
> {
  /** The source, for people: its address. */
  readonly source: string;
  readonly emit: (snapshot: Snapshot) => void;
  readonly context: Pick<WatcherContext, 'service' | 'clock' | 'logger' | 'metrics'>;
}

/** Polls a source of instances. While it cannot be asked, what it said last is stale; one that never answered says nothing. */
export async function pollSource(
  { source, emit, context, ...polling }: PollSourceOptions,
  signal: AbortSignal,
): Promise<void> {
  const state = new SourceState(context, source, emit);
  await poll(
    {
      ...polling,
      onValue: (reading) => state.live(reading),
      onFailure: (error) => state.lost(describeError(error)),
      clock: context.clock,
    },
    signal,
  );
}
