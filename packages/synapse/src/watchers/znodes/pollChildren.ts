import { type Clock, describeError, type Logger } from '@smartstack/agent';
import {
  type ChildResult,
  type ChildrenSnapshot,
  isZooKeeperError,
  type ZkPath,
  type ZkSession,
} from '@smartstack/registry';

import { Repeater } from '../source/repeater.js';
import type { FollowedChildren, FollowOptions, OpenChildren } from './followService.js';

/** Ruby looks no more often than this, in milliseconds. */
const minIntervalMs = 500;
/** What failed is tried again after so long, in milliseconds. */
const retryMs = 5_000;
const maxAtOnce = 64;

const noData = Buffer.alloc(0);

/** Asks for a node and its children every `intervalMs` milliseconds, and sets no watches. */
export function pollChildren(intervalMs: number, clock: Clock, logger: Logger): OpenChildren {
  return (session, path, options) =>
    new ChildrenPoll(session, path, options, Math.max(intervalMs, minIntervalMs), clock, logger);
}

class ChildrenPoll implements FollowedChildren {
  freshness: FollowedChildren['freshness'] = 'never';
  readonly #options: FollowOptions;
  readonly #stop = new AbortController();
  readonly #unsubscribe: () => void;
  readonly #logger: Logger;
  readonly #path: ZkPath;
  #problem: string | undefined;

  constructor(
    session: ZkSession,
    path: ZkPath,
    options: FollowOptions,
    intervalMs: number,
    clock: Clock,
    logger: Logger,
  ) {
    this.#options = options;
    this.#logger = logger;
    this.#path = path;
    const repeater = new Repeater(clock);
    this.#unsubscribe = session.onState(({ kind }) => {
      if (kind === 'connected') repeater.trigger();
      else this.#setFreshness('stale');
    });
    const look = async (signal: AbortSignal): Promise<number> => {
      options.onLook?.();
      try {
        const snapshot = await readChildren(session, path, options.skipChildData ?? (() => false), signal);
        if (signal.aborted) return intervalMs;
        this.#problem = undefined;
        const revived = this.freshness !== 'live';
        this.freshness = 'live';
        options.onSnapshot(snapshot);
        if (revived) options.onFreshness?.('live');
        return intervalMs;
      } catch (error) {
        if (!signal.aborted) this.#failed(error);
        return Math.min(intervalMs, retryMs);
      }
    };
    repeater.run(look, this.#stop.signal).catch((error: unknown) => {
      logger.error('a reader failed', { path, error: describeError(error) });
    });
  }

  dispose(): void {
    this.#stop.abort();
    this.#unsubscribe();
  }

  #failed(error: unknown): void {
    this.#setFreshness('stale');
    const problem = describeError(error);
    // A connection that dies is the session's to report.
    if (problem === this.#problem || isZooKeeperError(error, 'ConnectionLoss', 'NotConnected')) return;
    this.#problem = problem;
    this.#logger.warn('cannot read a watched path', { path: this.#path, problem });
  }

  #setFreshness(freshness: 'stale'): void {
    if (this.freshness !== 'live') return;
    this.freshness = freshness;
    this.#options.onFreshness?.(freshness);
  }
}

/** One complete reading. Rejects when an answer is missing; a node that does not exist is an empty one. */
async function readChildren(
  session: ZkSession,
  path: ZkPath,
  skip: (name: string) => boolean,
  signal: AbortSignal,
): Promise<ChildrenSnapshot> {
  let listed;
  try {
    listed = await Promise.all([session.getChildren(path, { signal }), session.getData(path, { signal })]);
  } catch (error) {
    if (!isZooKeeperError(error, 'NoNode')) throw error;
    return { exists: false, data: noData, children: new Map() };
  }
  const [{ children }, { data }] = listed;
  const results: (ChildResult | undefined)[] = [];
  const queue = children.entries();
  const work = async (): Promise<void> => {
    for (const [index, name] of queue)
      results[index] = skip(name) ? { kind: 'skipped' } : await readChild(session, `${path}/${name}`, signal);
  };
  await Promise.all(Array.from({ length: Math.min(maxAtOnce, children.length) }, work));
  return {
    exists: true,
    data,
    children: new Map(
      children.flatMap((name, index) => {
        const result = results[index];
        return result === undefined ? [] : [[name, result]];
      }),
    ),
  };
}

/** Undefined for a child that is gone. */
async function readChild(
  session: ZkSession,
  path: ZkPath,
  signal: AbortSignal,
): Promise<ChildResult | undefined> {
  try {
    return { kind: 'data', ...(await session.getData(path, { signal })) };
  } catch (error) {
    if (isZooKeeperError(error, 'NoNode')) return undefined;
    // A child that we may not read is its own trouble; no answer is everyone's.
    if (!isZooKeeperError(error) || error.retriable) throw error;
    return { kind: 'error', error };
  }
}
