import { Backoff, type Clock, describeError, type Logger, within } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';

import type { Snapshot, SourceProblem } from '../catalog/types.js';

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

/** What one look at a source found. */
export interface Found {
  readonly instances: readonly Instance[];
  /** What cannot be used of it. */
  readonly problems?: readonly SourceProblem[];
}

export interface PollSourceOptions extends Pick<
  PollOptions<Found>,
  'everyMs' | 'timeoutMs' | 'read' | 'random'
> {
  /** The source, for people: its address. */
  readonly source: string;
  readonly emit: (snapshot: Snapshot) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Polls a source of instances. While it cannot be asked, what it said last is stale; a source that never answered
 * says nothing. A loss, its new reasons, and its end are told once each.
 */
export async function pollSource(options: PollSourceOptions, signal: AbortSignal): Promise<void> {
  const { source, emit, logger } = options;
  let last: Found | undefined;
  let told: string | undefined;
  const snapshot = ({ instances, problems = [] }: Found, status: 'live' | 'stale'): Snapshot => ({
    status,
    instances,
    ...(problems.length > 0 && { problems }),
  });
  await poll(
    {
      ...options,
      onValue: (found) => {
        if (told !== undefined) logger.info('the source can be read again', { source });
        told = undefined;
        last = found;
        emit(snapshot(found, 'live'));
      },
      onFailure: (error) => {
        const reason = describeError(error);
        if (reason !== told)
          logger.warn('the source cannot be read, what it said last stays', { source, reason });
        told = reason;
        if (last === undefined) return;
        const problems = [{ path: source, reason }, ...(last.problems ?? [])];
        emit(snapshot({ ...last, problems }, 'stale'));
      },
    },
    signal,
  );
}
