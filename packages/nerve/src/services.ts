import { byText, type Clock, describeError, type Logger, within } from '@smartstack/agent';
import { setMaxListeners } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { ServiceDefinition } from './config/service.js';
import { forgetChecks, forgetService } from './metrics.js';
import type { Reporter } from './reporters/reporter.js';
import { Service, type ServiceDeps, type ServiceStatus } from './service.js';
import { type Reporting, type Running, type Slot, Slots } from './slots.js';

/** All services of the agent, changed by difference. */
export class Services {
  readonly #deps: ServiceDeps;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #current = new Map<string, Running>();
  readonly #slots: Slots;
  readonly #failures = new Map<string, string>();
  /** Ends everything that waits. */
  readonly #end = new AbortController();
  #crash: (error: unknown) => void = () => undefined;
  readonly #crashed: Promise<never>;

  constructor(reporting: Reporting, deps: ServiceDeps) {
    this.#deps = deps;
    this.#logger = deps.logger;
    this.#clock = deps.clock;
    this.#crashed = new Promise((_, reject) => (this.#crash = reject));
    // One listener for each service that waits is no leak.
    setMaxListeners(0, this.#end.signal);
    const { clock, logger } = deps;
    const noted = (slot: Slot): void => this.#note(slot);
    this.#slots = new Slots({ reporting, clock, logger, noted, signal: this.#end.signal });
    deps.orders.onChange(() => this.#update());
    // Whoever calls `run` hears of it.
    this.#crashed.catch(() => undefined);
  }

  /** What runs now. */
  get definitions(): readonly ServiceDefinition[] {
    return [...this.#current.values()].map(({ service }) => service.definition);
  }

  /** In the order of their names. */
  get status(): readonly ServiceStatus[] {
    return [...this.#current.values()]
      .map(({ service }) => service.status)
      .sort((a, b) => byText(a.service, b.service));
  }

  /** Services whose loop has not come round for far too long. None, unless there is a bug. */
  get stuck(): readonly string[] {
    const now = this.#clock.monotonic();
    return this.definitions
      .filter(({ name }) => this.#current.get(name)?.service.isStuck(now))
      .map(({ name }) => name);
  }

  /** Why a definition could not be put to use, by service. */
  get failures(): ReadonlyMap<string, string> {
    return this.#failures;
  }

  /** Registrations that have no service any more, and still wait for their registry to forget them. */
  get withdrawing(): readonly { readonly service: string; readonly reporter: Reporter }[] {
    return this.#slots.all.filter(({ owner }) => owner === undefined);
  }

  /** Makes what runs equal to what is desired. Services that did not change are not touched. */
  apply(desired: ReadonlyMap<string, ServiceDefinition>): void {
    // What is being withdrawn must not come back.
    if (this.#end.signal.aborted) return;
    this.#failures.clear();
    for (const name of [...this.#current.keys()]) if (!desired.has(name)) this.#remove(name);
    for (const definition of desired.values()) {
      const before = this.#current.get(definition.name);
      if (before && isDeepStrictEqual(before.service.definition, definition)) continue;
      this.#start(definition, before);
    }
  }

  /** Resolves when every service was checked and registered as it should be, or when that takes too long. */
  async settled(limitMs: number, signal: AbortSignal): Promise<void> {
    const all = [...this.#current.values()].map(({ service }) => service);
    const stands = async ({ known, reporter }: Service, limit: AbortSignal): Promise<void> => {
      await known;
      await reporter.settled(limit);
    };
    await this.#within(limitMs, signal, async (limit) => {
      await Promise.all(all.map((service) => stands(service, limit)));
    });
  }

  /** Waits until `signal` aborts. Rejects when a service's loop failed, which is a bug. */
  async run(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([aborted, this.#crashed]);
  }

  /** The loop of a service that runs now. */
  find(name: string): Service | undefined {
    return this.#current.get(name)?.service;
  }

  /**
   * Stops every check, withdraws every registration and lets go of the registries, within `limitMs`. Unless
   * `leaveMs` is 0, waits in between until the callers have let go, for as long as each service's `drain`
   * says and at most for `leaveMs`.
   */
  async withdrawAll(limitMs: number, leaveMs = 0): Promise<void> {
    const services = [...this.#current.values()].map(({ service }) => service);
    const called = leaveMs > 0 ? services.filter(({ presence }) => presence.hasCallers) : [];
    for (const { stop } of this.#current.values()) stop.abort();
    this.#current.clear();
    this.#end.abort();
    await this.#slots.end(limitMs, () => this.#leave(called, leaveMs));
  }

  async #leave(services: readonly Service[], limitMs: number): Promise<void> {
    if (services.length === 0) return;
    const limit = new AbortController();
    setMaxListeners(0, limit.signal);
    this.#logger.info('waiting for callers to let go', { services: services.length });
    const all = services.map(({ presence }) => presence.leave(limit.signal).catch(() => undefined));
    await within(Promise.all(all), limitMs, this.#clock);
    limit.abort();
  }

  /** Orders have changed. */
  #update(): void {
    for (const { owner } of this.#slots.all) owner?.service.presence.update();
  }

  #start(definition: ServiceDefinition, before: Running | undefined): void {
    const { name } = definition;
    let slot: Slot | undefined;
    let service: Service;
    try {
      slot = this.#slots.obtain(definition);
      // What it takes over from its predecessor must not end with that.
      service = new Service(definition, slot.reporter, this.#deps, before?.service);
    } catch (error) {
      this.#failures.set(name, describeError(error));
      this.#logger.error('cannot use a definition', { service: name, error: describeError(error) });
      if (slot !== undefined) this.#slots.giveBack(slot, before?.service.definition);
      return;
    }
    slot.owner?.stop.abort();
    const running: Running = { service, stop: new AbortController() };
    slot.owner = running;
    this.#current.set(name, running);
    this.#note(slot);
    const kept = new Set(service.checkNames);
    const dropped = before?.service.checkNames.filter((check) => !kept.has(check)) ?? [];
    forgetChecks(this.#deps.metrics, name, dropped);
    this.#logger.info(before ? 'service changed' : 'service added', { service: name });
    service.run(running.stop.signal).catch((error: unknown) => {
      if (!running.stop.signal.aborted) this.#crash(error);
    });
  }

  /** Waits for `work`, at most for `limitMs` and until `signal` aborts, whatever it does. */
  async #within(
    limitMs: number,
    signal: AbortSignal,
    work: (limit: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const limit = new AbortController();
    setMaxListeners(0, limit.signal);
    const expired = new Promise<void>((resolve) =>
      limit.signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    const end = (): void => limit.abort();
    const timer = this.#clock.setTimeout(end, limitMs);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    await Promise.race([expired, work(limit.signal).catch(() => undefined)]);
    timer.cancel();
    signal.removeEventListener('abort', end);
  }

  #remove(name: string): void {
    this.#logger.info('service removed', { service: name });
    const checks = this.#current.get(name)?.service.checkNames ?? [];
    this.#current.delete(name);
    this.#slots.withdraw(name);
    forgetService(this.#deps.metrics, name, checks);
  }

  #note(slot: Slot): void {
    if (!this.#current.has(slot.service)) return;
    const registered = slot.reporter.state.kind === 'present' ? 1 : 0;
    this.#deps.metrics.serviceRegistered.set(registered, { service: slot.service });
  }
}
