import type { Logger } from '@smartstack/agent';
import { isDeepStrictEqual } from 'node:util';
import { Checklist, type ChecklistDeps, type CheckStatus, type Verdict } from './checklist.js';
import type { ServiceDefinition } from './config/service.js';
import { type Bucket, newBucket, takeToken } from './registration/rateLimit.js';
import type { Reporter, ReportState } from './reporters/reporter.js';

/** What a service's loop needs beside its definition. */
export interface ServiceDeps extends ChecklistDeps {
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** A change of a service's health. `at` is wall clock milliseconds. */
export interface Transition {
  readonly at: number;
  readonly to: 'up' | 'down';
  readonly reason?: string;
}

/** One service as the status shows it. */
export interface ServiceStatus {
  readonly service: string;
  readonly health: 'unknown' | 'up' | 'down';
  /** Why it is down. */
  readonly reason?: string;
  readonly instance: ServiceDefinition['instance'];
  readonly registration: ReportState;
  /** True when the rate limit holds back a change of the registration. */
  readonly throttled: boolean;
  readonly checks: readonly CheckStatus[];
  /** The latest ones, oldest first. */
  readonly transitions: readonly Transition[];
}

const keptTransitions = 20;

/**
 * One service's loop: check, health, registration, report. It starts where a predecessor for the
 * same service stopped: with its health if the checks are the same, and with its registration.
 */
export class Service {
  readonly definition: ServiceDefinition;
  readonly reporter: Reporter;
  /** Resolves with the first verdict. */
  readonly known: Promise<void>;
  readonly #deps: ServiceDeps;
  readonly #logger: Logger;
  readonly #checklist: Checklist;
  #becomeKnown = (): void => undefined;
  #verdict: Verdict | undefined;
  #transitions: readonly Transition[] = [];
  #bucket: Bucket;
  #reported: 'up' | 'down' | undefined;
  #throttled = false;
  #roundAt: number;

  constructor(definition: ServiceDefinition, reporter: Reporter, deps: ServiceDeps, predecessor?: Service) {
    this.definition = definition;
    this.reporter = reporter;
    this.#deps = deps;
    this.#logger = deps.logger.child({ service: definition.name });
    this.known = new Promise((resolve) => (this.#becomeKnown = resolve));
    this.#bucket = newBucket(definition.rateLimit, deps.clock.monotonic());
    this.#roundAt = deps.clock.monotonic();
    const { name, checks, instance } = definition;
    if (predecessor) {
      this.#transitions = predecessor.#transitions;
      if (isDeepStrictEqual(predecessor.definition.rateLimit, definition.rateLimit))
        this.#bucket = predecessor.#bucket;
    }
    if (predecessor && isDeepStrictEqual(tested(predecessor.definition), tested(definition))) {
      this.#checklist = predecessor.#checklist;
      this.#verdict = predecessor.#verdict;
      this.#takeOver(predecessor);
    } else {
      const context = { service: name, host: instance.host, port: instance.port };
      this.#checklist = new Checklist(definition.mocked ? [] : checks, context, deps);
    }
  }

  /** Publishes at once what the predecessor knew: here with the new data, or at the new place. */
  #takeOver(predecessor: Service): void {
    if (this.#verdict === undefined) return;
    if (predecessor.reporter !== this.reporter) this.#report(this.#verdict.up ? 'up' : 'down');
    else if (predecessor.#reported !== undefined) this.#report(predecessor.#reported);
    this.#becomeKnown();
  }

  /** Checks and reports until `signal` aborts. Withdraws nothing. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#loop(signal), this.reporter.run(signal)]);
  }

  get checkNames(): readonly string[] {
    return this.#checklist.status.map(({ name }) => name);
  }

  get status(): ServiceStatus {
    const verdict = this.#verdict;
    return {
      service: this.definition.name,
      health: verdict === undefined ? 'unknown' : verdict.up ? 'up' : 'down',
      ...(verdict === undefined || verdict.up ? {} : { reason: verdict.reason }),
      instance: this.definition.instance,
      registration: this.reporter.state,
      throttled: this.#throttled,
      checks: this.#checklist.status,
      transitions: this.#transitions,
    };
  }

  /** Whether a round has taken longer than its checks and the pause together ever may. */
  isStuck(nowMs: number): boolean {
    const allowedMs = 2 * (this.#checklist.deadlineMs + this.definition.checkIntervalMs) + 10_000;
    return nowMs - this.#roundAt > allowedMs;
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const intervalMs = this.definition.checkIntervalMs;
    // Services that start together must not be tested together for ever.
    let share = 0.5 + random() / 2;
    while (!signal.aborted) {
      const started = clock.monotonic();
      this.#roundAt = started;
      const verdict = await this.#checklist.round(signal);
      signal.throwIfAborted();
      this.#take(verdict);
      const tookMs = clock.monotonic() - started;
      // From start to start, but a slow service gets at least half of the interval to itself.
      await clock.sleep(share * Math.max(intervalMs - tookMs, intervalMs / 2), signal);
      share = 1;
    }
  }

  #take(verdict: Verdict): void {
    const { clock, metrics } = this.#deps;
    const to = verdict.up ? 'up' : 'down';
    const changed = this.#verdict?.up !== verdict.up;
    this.#verdict = verdict;
    metrics.serviceUp.set(verdict.up ? 1 : 0, { service: this.definition.name });
    if (changed) {
      const why = verdict.up ? {} : { reason: verdict.reason };
      this.#transitions = [...this.#transitions, { at: clock.now(), to, ...why } as const].slice(
        -keptTransitions,
      );
      metrics.transitions.inc({ service: this.definition.name, to });
      if (verdict.up) this.#logger.info('service is up');
      else this.#logger.warn('service is down', why);
    }
    if (to !== this.#reported && this.#allowed()) this.#report(to);
    this.#becomeKnown();
  }

  #report(to: 'up' | 'down'): void {
    this.#reported = to;
    this.reporter.report(to === 'up' ? this.definition.instance : undefined);
  }

  /** Asks the rate limit for one change. */
  #allowed(): boolean {
    const { clock, metrics } = this.#deps;
    const limit = this.definition.rateLimit;
    const { taken, bucket } = takeToken(limit, this.#bucket, clock.monotonic());
    this.#bucket = bucket;
    if (!taken) {
      if (!this.#throttled) this.#logger.warn('report is over the rate limit', { shadow: limit.shadow });
      metrics.throttled.inc({ service: this.definition.name, shadow: String(limit.shadow) });
    }
    this.#throttled = !taken && !limit.shadow;
    return !this.#throttled;
  }
}

/** What a service's health depends on: while it is the same, the health is. */
function tested({ checks, mocked, instance }: ServiceDefinition): unknown {
  return { checks, mocked, host: instance.host, port: instance.port };
}
