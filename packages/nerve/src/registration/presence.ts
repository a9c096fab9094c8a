import type { Clock, Logger, Timer } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import { isDeepStrictEqual } from 'node:util';
import type { ServiceDefinition } from '../config/service.js';
import type { NerveMetrics } from '../metrics.js';
import type { Drain } from '../orders/order.js';
import type { OrdersOfService } from '../orders/orders.js';
import type { Reporter } from '../reporters/reporter.js';
import { Departure, type DepartureStatus } from './departure.js';
import { runHook } from './hook.js';
import { leave } from './leave.js';
import { rampStep } from './ramp.js';

/** What a presence needs. `orders` answers for its service. */
export interface PresenceDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: NerveMetrics;
  readonly orders: () => OrdersOfService;
}

type PreAvailable = NonNullable<ServiceDefinition['lifecycle']['preAvailable']>;

/** A registration beside what the registry says of it. */
export interface PresenceStatus {
  readonly drain?: Drain & { readonly scope: 'service' | 'host' } & DepartureStatus;
  readonly weight: {
    readonly configured?: number;
    /** Set at run time. */
    readonly ordered?: OrdersOfService['weight'];
    /** What is registered; less than the others while it grows. */
    readonly published?: number;
  };
  /** Healthy and not drained, and yet not registered: why. */
  readonly held?: string;
}

/**
 * Decides what the registry should hold of one service, from its health and its orders, and reports that.
 * Called again with nothing new it does nothing.
 */
export class Presence {
  readonly #definition: ServiceDefinition;
  readonly #reporter: Reporter;
  readonly #deps: PresenceDeps;
  /** Undefined until known; then whatever is registered stays. */
  #up: boolean | undefined;
  /** The pre-available command has succeeded since the last time that nothing was to be registered. */
  #prepared = false;
  /** How its pre-available command went. */
  #unprepared: string | undefined;
  /** Why its health does not count yet. */
  #distrusted: string | undefined;
  /** Monotonic: when the weight began to grow. */
  #grownFrom: number | undefined;
  #reported: Instance | undefined;
  /** The reporter has heard it from this presence: what is new in a reporter is told with the next report. */
  #told = false;
  #departure: Departure | undefined;
  #preparing: AbortController | undefined;
  #growth: Timer | undefined;
  #ended = false;

  constructor(definition: ServiceDefinition, reporter: Reporter, deps: PresenceDeps, before?: Presence) {
    this.#definition = definition;
    this.#reporter = reporter;
    this.#deps = deps;
    if (before === undefined) return;
    this.#prepared = before.#prepared;
    this.#grownFrom = before.#grownFrom;
    this.#reported = before.#reported;
    this.#departure = before.#departure;
    // From now on it is ours to end.
    before.#departure = undefined;
  }

  /** The health that was admitted last. */
  get up(): boolean | undefined {
    return this.#up;
  }

  /** Why the service counts as down although it is up. */
  get distrusted(): string | undefined {
    return this.#distrusted;
  }

  get isDrained(): boolean {
    return this.#deps.orders().drain !== undefined;
  }

  /** Whether somebody may be calling it, as far as is known here. */
  get hasCallers(): boolean {
    return this.#reported !== undefined || this.#departure?.status.phase === 'leaving';
  }

  /** Why it is not registered although it is healthy and not drained. */
  get held(): string | undefined {
    const { drain, isUnread } = this.#deps.orders();
    if (drain !== undefined) return undefined;
    const unread = isUnread && this.#up ? 'what operators ordered could not be read yet' : undefined;
    return this.#distrusted ?? unread ?? this.#unprepared;
  }

  get status(): PresenceStatus {
    const { drain, scope, weight: ordered } = this.#deps.orders();
    const configured = this.#definition.instance.weight;
    const published = this.#reported?.weight;
    const { held } = this;
    return {
      ...(drain === undefined
        ? {}
        : { drain: { ...drain, scope, ...(this.#departure?.status ?? { phase: 'leaving' as const }) } }),
      weight: {
        ...(configured === undefined ? {} : { configured }),
        ...(ordered === undefined ? {} : { ordered }),
        ...(published === undefined ? {} : { published }),
      },
      ...(held === undefined ? {} : { held }),
    };
  }

  /** Takes a new health. `distrusted`: why it counts as down for now although it is up. */
  set(up: boolean, distrusted?: string): void {
    if (up === this.#up && distrusted === this.#distrusted) return;
    this.#up = up;
    this.#distrusted = distrusted;
    this.update();
  }

  /** Looks again at everything: for whoever changed an order. */
  update(): void {
    if (this.#ended) return;
    const { drain, isUnread } = this.#deps.orders();
    if (drain !== undefined || this.#up === false) this.#withdraw();
    // It may be drained. What is registered already stays until that is known.
    else if (this.#up && !isUnread) this.#register();
    if (drain === undefined) {
      this.#departure?.end();
      this.#departure = undefined;
    } else this.#departure ??= this.#depart();
    this.#measure(drain !== undefined);
  }

  /** Runs the shutdown command once callers have let go. Only while drained; false without such a command. */
  shutDown(): boolean {
    return this.#departure?.shutDown() ?? false;
  }

  /** For a service that was withdrawn because the agent stops: waits for its callers. */
  async leave(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    await leave(this.#definition.lifecycle.drain, this.#env, { clock, logger }, signal);
  }

  /** Ends its timers and commands. Withdraws nothing; does nothing any more. */
  end(): void {
    this.#ended = true;
    this.#growth?.cancel();
    this.#preparing?.abort();
    this.#departure?.end();
  }

  get #env(): Readonly<Record<string, string>> {
    const { name, instance } = this.#definition;
    return { NERVE_SERVICE: name, NERVE_HOST: instance.host, NERVE_PORT: String(instance.port) };
  }

  #depart(): Departure {
    const { clock, logger } = this.#deps;
    const withdrawn = (signal: AbortSignal): Promise<void> => this.#reporter.settled(signal);
    return new Departure(this.#definition.lifecycle.drain, withdrawn, this.#env, { clock, logger });
  }

  #withdraw(): void {
    this.#preparing?.abort();
    this.#preparing = undefined;
    this.#prepared = false;
    this.#unprepared = undefined;
    this.#growth?.cancel();
    this.#grownFrom = undefined;
    this.#reported = undefined;
    this.#reporter.report(undefined);
  }

  #register(): void {
    const { preAvailable } = this.#definition.lifecycle;
    if (preAvailable !== undefined && !this.#prepared) {
      if (this.#preparing === undefined) this.#prepare(preAvailable);
      return;
    }
    this.#prepared = true;
    this.#unprepared = undefined;
    const instance = this.#instance();
    if (this.#told && isDeepStrictEqual(this.#reported, instance)) return;
    this.#told = true;
    this.#reported = instance;
    this.#reporter.report(instance);
  }

  /** With the weight of this moment; sets the alarm for the next one. */
  #instance(): Instance {
    const { clock, orders } = this.#deps;
    const { instance, lifecycle } = this.#definition;
    const weight = orders().weight?.value ?? instance.weight;
    this.#growth?.cancel();
    if (weight === undefined) return instance;
    this.#grownFrom ??= clock.monotonic();
    if (lifecycle.slowStart === undefined) return { ...instance, weight };
    const elapsedMs = clock.monotonic() - this.#grownFrom;
    const { weight: now, nextMs } = rampStep(lifecycle.slowStart, weight, elapsedMs);
    if (nextMs !== undefined)
      this.#growth = clock.setTimeout(() => this.update(), Math.max(0, nextMs - elapsedMs));
    return { ...instance, weight: now };
  }

  #prepare(command: PreAvailable): void {
    const stop = new AbortController();
    this.#preparing = stop;
    this.#unprepared ??= 'the pre-available command runs';
    this.#succeed(command, stop.signal).then(
      () => {
        this.#preparing = undefined;
        this.#prepared = true;
        this.update();
      },
      (error: unknown) => {
        // Anything else is a bug, and ends the process.
        if (!stop.signal.aborted) throw error;
      },
    );
  }

  /** Resolves once the command has succeeded; rejects when `signal` aborts. */
  async #succeed(command: PreAvailable, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    for (let told: string | undefined; ;) {
      const result = await runHook({ ...command, env: this.#env }, clock, signal);
      signal.throwIfAborted();
      if (result.ok) return;
      this.#unprepared = `pre-available command: ${result.reason}`;
      if (result.reason !== told) logger.warn('pre-available command failed', { reason: result.reason });
      told = result.reason;
      await clock.sleep(command.intervalMs, signal);
    }
  }

  #measure(drained: boolean): void {
    const { metrics } = this.#deps;
    const labels = { service: this.#definition.name };
    metrics.serviceDrained.set(drained ? 1 : 0, labels);
    metrics.serviceHeld.set(this.held === undefined ? 0 : 1, labels);
    const weight = this.#reported?.weight;
    if (weight === undefined) metrics.serviceWeight.remove(labels);
    else metrics.serviceWeight.set(weight, labels);
  }
}
