import type { Clock, Logger } from '@smartstack/agent';
import type { Check, CheckContext } from './checks/check.js';
import { probeWithin } from './checks/deadline.js';
import { distinctNames } from './checks/distinctNames.js';
import { type CheckOptions, createCheck } from './checks/index.js';
import {
  type CheckResult,
  type HealthState,
  nextHealth,
  type Threshold,
  unknownHealth,
} from './health/health.js';
import { History, type PastResult } from './health/history.js';
import type { Heartbeats } from './heartbeats/board.js';
import type { NerveMetrics } from './metrics.js';
import type { ProbeGate } from './probeGate.js';

/** One check as the status shows it. Times are wall clock milliseconds. */
export interface CheckStatus {
  readonly name: string;
  readonly health: HealthState['status'];
  /** Results in a row that contradict `health`. */
  readonly streak: number;
  readonly last?: PastResult;
  /** The last ones, oldest first; where they were asked for. */
  readonly history?: readonly PastResult[];
}

/** What one round of a service's checks says about the service. */
export type Verdict = { readonly up: true } | { readonly up: false; readonly reason: string };

interface Entry {
  readonly check: Check;
  /** No other check of the service has it. */
  readonly name: string;
  readonly threshold: Threshold;
  health: HealthState;
  last: PastResult | undefined;
  readonly history: History;
}

/** What a checklist needs to run. */
export interface ChecklistDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: NerveMetrics;
  /** Bounds how many probes are under way at once. */
  readonly gate: ProbeGate;
  /** Without it no application has said anything. */
  readonly heartbeats?: Heartbeats;
}

const silence: Heartbeats = { last: () => undefined };

/** The checks of one service, with their health. */
export class Checklist {
  readonly #service: string;
  readonly #deps: ChecklistDeps;
  readonly #entries: readonly Entry[];
  #waiting = false;

  constructor(
    options: readonly CheckOptions[],
    address: Omit<CheckContext, 'clock' | 'heartbeats'>,
    deps: ChecklistDeps,
  ) {
    this.#service = address.service;
    this.#deps = deps;
    const context = { ...address, clock: deps.clock, heartbeats: deps.heartbeats ?? silence };
    const checks = options.map((one) => ({ one, check: createCheck(one, context) }));
    const names = distinctNames(checks.map(({ check }) => check.name));
    this.#entries = checks.map(({ one, check }, index) => ({
      check,
      name: names[index] ?? check.name,
      threshold: { rise: one.rise, fall: one.fall },
      health: unknownHealth,
      last: undefined,
      history: new History(),
    }));
  }

  /** The longest that a round may take, in milliseconds. */
  get deadlineMs(): number {
    return this.#entries.reduce((sum, { check }) => sum + check.deadlineMs, 0);
  }

  /** Whether it waits for its turn: that is no time of its own. */
  get isWaiting(): boolean {
    return this.#waiting;
  }

  get status(): readonly CheckStatus[] {
    return this.#status(false);
  }

  /** The same with the history of each. */
  get details(): readonly CheckStatus[] {
    return this.#status(true);
  }

  #status(withHistory: boolean): readonly CheckStatus[] {
    return this.#entries.map(({ name, health, last, history }) => ({
      name,
      health: health.status,
      streak: health.streak,
      ...(last === undefined ? {} : { last }),
      ...(withHistory ? { history: history.results } : {}),
    }));
  }

  /**
   * Executes the checks in their order, up to the first that is down: those behind it are not
   * executed and do not count, as with airbnb's nerve. Rejects only when `signal` aborts.
   */
  async round(signal: AbortSignal): Promise<Verdict> {
    for (const entry of this.#entries) {
      const result = await this.#execute(entry, signal);
      if (entry.health.status === 'up') continue;
      const why = result.ok ? 'passes again, not yet often enough' : result.reason;
      return { up: false, reason: `${entry.name}: ${why}` };
    }
    return { up: true };
  }

  async #execute(entry: Entry, signal: AbortSignal): Promise<CheckResult> {
    const { gate } = this.#deps;
    if (!gate.tryEnter()) await this.#wait(signal);
    try {
      return await this.#probe(entry, signal);
    } finally {
      gate.leave();
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    this.#deps.metrics.checksDelayed.inc();
    this.#waiting = true;
    try {
      await this.#deps.gate.enter(signal);
    } finally {
      this.#waiting = false;
    }
  }

  async #probe(entry: Entry, signal: AbortSignal): Promise<CheckResult> {
    const { clock, logger, metrics } = this.#deps;
    const labels = { service: this.#service, check: entry.name };
    const started = clock.monotonic();
    const result = await probeWithin(entry.check, clock, signal);
    const tookMs = clock.monotonic() - started;
    metrics.checkDuration.observe(tookMs / 1000, labels);
    metrics.checkResults.inc({ ...labels, result: result.ok ? 'pass' : 'fail' });
    logger.debug('probed', { ...labels, ...result, tookMs });
    const before = entry.health.status;
    entry.health = nextHealth(entry.health, result, entry.threshold);
    metrics.checked(labels.service, labels.check, entry.health.status === 'up');
    const at = clock.now();
    entry.last = { ...result, at, tookMs };
    entry.history.add(result, at, tookMs);
    if (entry.health.status !== before) {
      logger.info('check changed', { ...labels, from: before, to: entry.health.status, ...result });
    }
    return result;
  }
}
