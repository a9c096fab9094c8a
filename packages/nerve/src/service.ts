import type { Logger } from '@smartstack/agent';
import { isDeepStrictEqual } from 'node:util';
import { Checklist, type ChecklistDeps, type CheckStatus, type Verdict } from './checklist.js';
import type { ServiceDefinition } from './config/service.js';
import { type FlapState, holdMs, noFlaps, noteFall } from './health/damping.js';
import type { Orders } from './orders/orders.js';
import { Presence, type PresenceStatus } from './registration/presence.js';
import { type Bucket, newBucket, takeToken } from './registration/rateLimit.js';
import type { Reporter, ReportState } from './reporters/reporter.js';

/** What a service's loop needs beside its definition. */
export interface ServiceDeps extends ChecklistDeps {
  readonly orders: Orders;
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
export interface ServiceStatus extends PresenceStatus {
  readonly service: string;
  /** Starting: not up yet, within its grace. */
  readonly health: 'unknown' | 'starting' | 'up' | 'down';
  /** Why it is not up. */
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
/** A round that waits for its turn for so long, in milliseconds, waits because of a bug. */
const turnMs = 300_000;

/**
 * One service's loop: check, health, presence. It starts where a predecessor with the same reporter stopped:
 * with its health if the checks are the same, and with its registration.
 */
export class Service {
  readonly definition: ServiceDefinition;
  readonly reporter: Reporter;
  readonly presence: Presence;
  /** Resolves with the first verdict. */
  readonly known: Promise<void>;
  readonly #deps: ServiceDeps;
  readonly #logger: Logger;
  readonly #checklist: Checklist;
  #becomeKnown = (): void => undefined;
  #verdict: Verdict | undefined;
  #health: ServiceStatus['health'] = 'unknown';
  /** Monotonic: when the service was first looked after. */
  #since: number;
  /** It has been up, or down after its grace. */
  #isStarted = false;
  #flaps: FlapState = noFlaps;
  #transitions: readonly Transition[] = [];
  #bucket: Bucket;
  #throttled = false;
  #roundAt: number;

  constructor(definition: ServiceDefinition, reporter: Reporter, deps: ServiceDeps, predecessor?: Service) {
    this.definition = definition;
    this.reporter = reporter;
    this.#deps = deps;
    const { name, checks, instance, lifecycle } = definition;
    this.#logger = deps.logger.child({ service: name });
    this.known = new Promise((resolve) => (this.#becomeKnown = resolve));
    this.#bucket = newBucket(definition.rateLimit, deps.clock.monotonic());
    this.#roundAt = deps.clock.monotonic();
    this.#since = this.#roundAt;
    const goesOn = predecessor && isDeepStrictEqual(tested(predecessor.definition), tested(definition));
    const context = { service: name, host: instance.host, port: instance.port };
    this.#checklist = goesOn
      ? predecessor.#checklist
      : new Checklist(definition.mocked ? [] : checks, context, deps);
    const orders = () => deps.orders.of(name, lifecycle.ignoresHostDrain);
    const presenceDeps = { ...deps, logger: this.#logger, orders };
    // Whatever can be refused has been looked at: from here on the predecessor has nothing left to end.
    this.presence = new Presence(definition, reporter, presenceDeps, predecessor?.presence);
    if (predecessor) {
      this.#transitions = predecessor.#transitions;
      this.#flaps = predecessor.#flaps;
      this.#since = predecessor.#since;
      this.#isStarted = predecessor.#isStarted;
      if (isDeepStrictEqual(predecessor.definition.rateLimit, definition.rateLimit))
        this.#bucket = predecessor.#bucket;
    }
    if (goesOn) {
      this.#verdict = predecessor.#verdict;
      this.#health = predecessor.#health;
      this.#takeOver(predecessor);
    }
    this.presence.update();
  }

  /** Publishes at once what the predecessor knew, with the new data. */
  #takeOver(predecessor: Service): void {
    if (this.#verdict === undefined) return;
    const { up } = predecessor.presence;
    if (up !== undefined) this.presence.set(up, predecessor.presence.distrusted);
    this.#becomeKnown();
  }

  /** Checks and reports until `signal` aborts. Withdraws nothing. */
  async run(signal: AbortSignal): Promise<void> {
    // At once, whatever else takes its time to end.
    signal.addEventListener('abort', () => this.presence.end(), { once: true });
    await Promise.all([this.#loop(signal), this.reporter.run(signal)]);
  }

  get checkNames(): readonly string[] {
    return this.#checklist.status.map(({ name }) => name);
  }

  get status(): ServiceStatus {
    const verdict = this.#verdict;
    return {
      service: this.definition.name,
      health: this.#health,
      ...(verdict === undefined || verdict.up ? {} : { reason: verdict.reason }),
      instance: this.definition.instance,
      registration: this.reporter.state,
      ...this.presence.status,
      throttled: this.#throttled,
      checks: this.#checklist.status,
      transitions: this.#transitions,
    };
  }

  /** The same with the history of each check. */
  get details(): ServiceStatus {
    return { ...this.status, checks: this.#checklist.details };
  }

  /** Whether a round has taken longer than its checks and the pause together ever may. */
  isStuck(nowMs: number): boolean {
    const allowedMs = 2 * (this.#checklist.deadlineMs + this.definition.checkIntervalMs) + 10_000;
    return nowMs - this.#roundAt > allowedMs + (this.#checklist.isWaiting ? turnMs : 0);
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const { checkIntervalMs: intervalMs, lifecycle } = this.definition;
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
      share = lifecycle.checkJitter === 0 ? 1 : 1 - lifecycle.checkJitter * random();
    }
  }

  #take(verdict: Verdict): void {
    const before = this.#health;
    this.#verdict = verdict;
    this.#isStarted ||=
      verdict.up || this.#deps.clock.monotonic() >= this.#since + this.definition.lifecycle.startupGraceMs;
    this.#health = verdict.up ? 'up' : this.#isStarted ? 'down' : 'starting';
    this.#deps.metrics.serviceUp.set(verdict.up ? 1 : 0, { service: this.definition.name });
    if (this.#health !== before && this.#health !== 'starting') this.#noteTransition(verdict, before);
    this.#admit(verdict);
    this.#becomeKnown();
  }

  /** What damping and the rate limit let through becomes the registration's. */
  #admit(verdict: Verdict): void {
    const { presence } = this;
    const damped = verdict.up && this.#isDamped();
    const up = verdict.up && !damped;
    if (up === presence.up) this.#throttled = false;
    // While it is drained, nothing is registered that would have to be limited.
    else if (!presence.isDrained && !this.#allowed()) return;
    presence.set(up, damped ? 'it went down too often lately' : undefined);
  }

  #noteTransition(verdict: Verdict, before: ServiceStatus['health']): void {
    const { clock, metrics } = this.#deps;
    const { damping } = this.definition.lifecycle;
    const to = verdict.up ? 'up' : 'down';
    const why = verdict.up ? {} : { reason: verdict.reason };
    this.#transitions = [...this.#transitions, { at: clock.now(), to, ...why } as const].slice(
      -keptTransitions,
    );
    metrics.transitions.inc({ service: this.definition.name, to });
    if (verdict.up) this.#logger.info('service is up');
    else this.#logger.warn('service is down', why);
    if (damping === undefined || before !== 'up' || verdict.up) return;
    this.#flaps = noteFall(damping, this.#flaps, clock.monotonic());
    const seconds = Math.round(holdMs(this.#flaps, clock.monotonic()) / 1000);
    if (seconds > 0) this.#logger.warn('service falls too often, it is held back', { seconds });
  }

  #isDamped(): boolean {
    const { damping } = this.definition.lifecycle;
    return damping !== undefined && holdMs(this.#flaps, this.#deps.clock.monotonic()) > 0;
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
