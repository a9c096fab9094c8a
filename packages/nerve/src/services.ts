import { type Clock, describeError, type Logger } from '@smartstack/agent';
import { setMaxListeners } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { ServiceDefinition } from './config/service.js';
import { forgetChecks, forgetService } from './metrics.js';
import type { Reporter } from './reporters/reporter.js';
import { Service, type ServiceDeps, type ServiceStatus } from './service.js';

/** How long a replacement may take to register before the old registration goes, in milliseconds (airbnb's 30 s). */
const handoverMs = 30_000;

/** How services reach registries; in tests, a fake one. */
export interface Reporting {
  /** Equal for definitions whose registration is one and the same, to be updated in place. */
  place(definition: ServiceDefinition): string;
  /** True when both cannot be published at once, so that the old one has to make room first. */
  clash(before: ServiceDefinition, after: ServiceDefinition): boolean;
  /** Throws when the definition cannot be published (a key file that vanished). */
  create(definition: ServiceDefinition): Reporter;
}

/** One registration: a service at a place. It stays while the loops that feed it come and go. */
interface Slot {
  readonly service: string;
  readonly place: string;
  readonly reporter: Reporter;
  /** The loop that feeds it; none while it is being withdrawn. */
  owner: Running | undefined;
  forget: () => void;
}

interface Running {
  readonly service: Service;
  readonly slot: Slot;
  readonly stop: AbortController;
}

/** All services of the agent, changed by difference. */
export class Services {
  readonly #reporting: Reporting;
  readonly #deps: ServiceDeps;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #current = new Map<string, Running>();
  /** By service and place. */
  readonly #slots = new Map<string, Slot>();
  readonly #failures = new Map<string, string>();
  readonly #disposing = new Set<Promise<void>>();
  /** Ends everything that waits. */
  readonly #end = new AbortController();
  #crash: (error: unknown) => void = () => undefined;
  readonly #crashed: Promise<never>;

  constructor(reporting: Reporting, deps: ServiceDeps) {
    this.#reporting = reporting;
    this.#deps = deps;
    this.#logger = deps.logger;
    this.#clock = deps.clock;
    this.#crashed = new Promise((_, reject) => (this.#crash = reject));
    // One listener for each service that waits is no leak.
    setMaxListeners(0, this.#end.signal);
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
      .sort((a, b) => (a.service < b.service ? -1 : 1));
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
    return [...this.#slots.values()].filter(({ owner }) => owner === undefined);
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

  /**
   * Stops every check, then withdraws every registration and lets go of the registries, all within
   * `limitMs`. One that cannot be reached gets less: what is ephemeral goes with its session anyway.
   */
  async withdrawAll(limitMs: number): Promise<void> {
    for (const { stop } of this.#current.values()) stop.abort();
    this.#current.clear();
    this.#end.abort();
    const slots = [...this.#slots.values()];
    await Promise.all(slots.map((slot) => this.#withdrawNow(slot, limitMs * 0.75)));
    for (const slot of slots) this.#dispose(slot, limitMs * 0.25);
    await Promise.all(this.#disposing);
  }

  #start(definition: ServiceDefinition, before: Running | undefined): void {
    const { name } = definition;
    let slot: Slot;
    try {
      slot = this.#slotFor(definition);
    } catch (error) {
      this.#failures.set(name, describeError(error));
      this.#logger.error('cannot use a definition', { service: name, error: describeError(error) });
      return;
    }
    slot.owner?.stop.abort();
    const service = new Service(definition, slot.reporter, this.#deps, before?.service);
    const running: Running = { service, slot, stop: new AbortController() };
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
    if (before && before.slot !== slot) this.#handOver(running).catch(this.#crash);
  }

  #slotFor(definition: ServiceDefinition): Slot {
    const place = this.#reporting.place(definition);
    const known = this.#slots.get(slotKey(definition.name, place));
    if (known) {
      known.reporter.configure(definition.reporters);
      return known;
    }
    const slot: Slot = {
      service: definition.name,
      place,
      reporter: this.#reporting.create(definition),
      owner: undefined,
      forget: () => undefined,
    };
    this.#slots.set(slotKey(slot.service, place), slot);
    slot.forget = slot.reporter.onChange(() => this.#note(slot));
    return slot;
  }

  /** Withdraws a service's older registrations once the newest stands, or could stand but for them. */
  async #handOver(running: Running): Promise<void> {
    const { definition, known, reporter } = running.service;
    const older = (): readonly Slot[] =>
      [...this.#slots.values()].filter((slot) => slot.service === definition.name && slot !== running.slot);
    const clash = older().some(
      ({ owner }) => owner && this.#reporting.clash(owner.service.definition, definition),
    );
    await this.#within(handoverMs, this.#end.signal, async (limit) => {
      await known;
      await (clash ? reached(reporter) : reporter.settled(limit));
    });
    if (this.#end.signal.aborted || this.#current.get(definition.name) !== running) return;
    for (const slot of older()) this.#withdraw(slot);
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
    for (const slot of this.#slots.values()) if (slot.service === name) this.#withdraw(slot);
    forgetService(this.#deps.metrics, name, checks);
  }

  #withdraw(slot: Slot): void {
    slot.owner?.stop.abort();
    slot.owner = undefined;
    slot.reporter.report(undefined);
    slot.reporter.settled(this.#end.signal).then(
      () => {
        // The service may have come back to this place meanwhile.
        if (slot.owner === undefined) this.#dispose(slot);
      },
      () => undefined,
    );
  }

  async #withdrawNow(slot: Slot, limitMs: number): Promise<void> {
    slot.owner?.stop.abort();
    const limit = new AbortController();
    let timer = this.#clock.setTimeout(() => {
      // Waiting for what cannot be reached may take for ever.
      if (slot.reporter.unreachable) limit.abort();
      else timer = this.#clock.setTimeout(() => limit.abort(), limitMs * 0.8);
    }, limitMs / 5);
    slot.reporter.report(undefined);
    try {
      await slot.reporter.settled(limit.signal);
    } catch {
      this.#logger.warn('could not withdraw in time', {
        service: slot.service,
        registration: slot.reporter.state,
      });
    }
    timer.cancel();
  }

  #dispose(slot: Slot, deadlineMs?: number): void {
    if (!this.#slots.delete(slotKey(slot.service, slot.place))) return;
    slot.forget();
    const disposed = slot.reporter.dispose(deadlineMs).finally(() => this.#disposing.delete(disposed));
    this.#disposing.add(disposed);
  }

  #note(slot: Slot): void {
    if (this.#current.get(slot.service)?.slot !== slot) return;
    const registered = slot.reporter.state.kind === 'present' ? 1 : 0;
    this.#deps.metrics.serviceRegistered.set(registered, { service: slot.service });
  }
}

function slotKey(service: string, place: string): string {
  return JSON.stringify([service, place]);
}

/** Resolves as soon as the registry can be reached. */
async function reached(reporter: Reporter): Promise<void> {
  let forget = (): void => undefined;
  await new Promise<void>((resolve) => {
    forget = reporter.onChange(() => {
      if (!reporter.unreachable) resolve();
    });
    if (!reporter.unreachable) resolve();
  });
  forget();
}
