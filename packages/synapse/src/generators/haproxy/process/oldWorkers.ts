import type { Logger } from '@smartstack/agent';
import type { HaproxyConfig } from '../block/schema.js';
import type { MasterStatus } from './masterCli.js';

/** A worker of an earlier configuration that still ends its requests. */
export interface OldWorker {
  readonly pid: number;
  /** Reloads that it survived. */
  readonly reloads: number;
  /** Seconds since it was started. */
  readonly ageSeconds: number;
  /** Seconds for which we have known it as an old one. */
  readonly drainingSeconds: number;
}

/** More of them than this are told. */
const manyWorkers = 5;
/** HAProxy kills a worker whose time is over; one that is there so much later will not go by itself. */
const graceMs = 5_000;

const unitMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  '': 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `hard-stop-after` in the global section; undefined without one. */
export function hardStopAfterMs(base: HaproxyConfig['base']): number | undefined {
  const lines = base.flatMap(({ title, lines: all }) => (title.trim() === 'global' ? all : []));
  const values = lines.flatMap(
    (line) => /^\s*hard-stop-after\s+(\d+)(us|ms|s|m|h|d|)(?:\s|$)/.exec(line) ?? [],
  );
  const [, number, unit] = values.slice(-3);
  return number === undefined ? undefined : Number(number) * (unitMs[unit ?? ''] ?? 1);
}

/** Follows the old workers of one master, and tells once when they are too many or too old, and when they are gone. */
export class OldWorkers {
  readonly #logger: Logger;
  readonly #hardStopAfterMs: () => number | undefined;
  /** Since when each is known as an old one, on the monotonic clock. */
  #since: ReadonlyMap<number, number> = new Map();
  readonly #overdue = new Set<number>();
  #isMany = false;
  #workers: readonly OldWorker[] | undefined;

  constructor(logger: Logger, hardStopAfterMs: () => number | undefined) {
    this.#logger = logger;
    this.#hardStopAfterMs = hardStopAfterMs;
  }

  /** Undefined when no master tells. */
  get workers(): readonly OldWorker[] | undefined {
    return this.#workers;
  }

  /** Takes what the master says at `nowMs` of the monotonic clock; undefined: it is silent, or there is none. */
  update(status: MasterStatus | undefined, nowMs: number): void {
    if (status === undefined) {
      this.#workers = undefined;
      return;
    }
    this.#since = new Map(status.oldWorkers.map(({ pid }) => [pid, this.#since.get(pid) ?? nowMs]));
    this.#workers = status.oldWorkers.map(({ pid, reloads, uptimeSeconds }) => ({
      pid,
      reloads,
      ageSeconds: uptimeSeconds,
      drainingSeconds: Math.floor((nowMs - (this.#since.get(pid) ?? nowMs)) / 1000),
    }));
    this.#tell(nowMs);
  }

  #tell(nowMs: number): void {
    const workers = this.#workers ?? [];
    const isTold = this.#isMany || this.#overdue.size > 0;
    if (!this.#isMany && workers.length > manyWorkers) {
      this.#isMany = true;
      const pids = workers.map(({ pid }) => pid);
      this.#logger.warn('old haproxy workers pile up', { count: workers.length, pids });
    }
    const limitMs = (this.#hardStopAfterMs() ?? Infinity) + graceMs;
    for (const worker of workers) {
      if (this.#overdue.has(worker.pid) || nowMs - (this.#since.get(worker.pid) ?? nowMs) < limitMs) continue;
      this.#overdue.add(worker.pid);
      this.#logger.warn('an old haproxy worker outlives hard-stop-after', { ...worker });
    }
    if (!isTold || workers.length > 0) return;
    this.#isMany = false;
    this.#overdue.clear();
    this.#logger.info('old haproxy workers are gone');
  }
}
