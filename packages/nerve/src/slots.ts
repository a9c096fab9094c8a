import type { Clock, Logger } from '@smartstack/agent';
import type { ServiceDefinition } from './config/service.js';
import type { Reporter } from './reporters/reporter.js';
import type { Service } from './service.js';

/** How services reach registries; in tests, a fake one. */
export interface Reporting {
  /** Throws when the definition cannot be published (a key file that vanished). */
  create(definition: ServiceDefinition): Reporter;
  /** The definition has changed: what that reporter adds from now on is for this one. */
  update(definition: ServiceDefinition): void;
}

/** The registration of one service. It stays while the loops that feed it come and go. */
export interface Slot {
  readonly service: string;
  readonly reporter: Reporter;
  /** The loop that feeds it; none while it is being withdrawn. */
  owner: Running | undefined;
  /** Goes up whenever it gets another task, so that who waits for the end of one sees that there is a later. */
  turn: number;
  forget: () => void;
}

/** A service's loop, and how to stop it. */
export interface Running {
  readonly service: Service;
  readonly stop: AbortController;
}

/** What slots need. */
export interface SlotsDeps {
  readonly reporting: Reporting;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called whenever the registry's answer about a slot changes. */
  readonly noted: (slot: Slot) => void;
  /** Ends every wait for a registry to forget something. */
  readonly signal: AbortSignal;
}

/** All registrations of the agent, also those that are on their way out. */
export class Slots {
  readonly #deps: SlotsDeps;
  /** By service. */
  readonly #slots = new Map<string, Slot>();
  readonly #disposing = new Set<Promise<void>>();

  constructor(deps: SlotsDeps) {
    this.#deps = deps;
  }

  get all(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  /** The one for a definition: the one that is there, brought up to date, or a new one. Throws as `Reporting.create` does. */
  obtain(definition: ServiceDefinition): Slot {
    const { reporting, noted } = this.#deps;
    reporting.update(definition);
    const known = this.#slots.get(definition.name);
    if (known) {
      known.turn += 1;
      known.reporter.configure(definition.reporters);
      return known;
    }
    const slot: Slot = {
      service: definition.name,
      reporter: reporting.create(definition),
      owner: undefined,
      turn: 0,
      forget: () => undefined,
    };
    this.#slots.set(slot.service, slot);
    slot.forget = slot.reporter.onChange(() => noted(slot));
    return slot;
  }

  /**
   * For one that was obtained for a definition that turned out to be of no use. With `before`, it is that one's again.
   * Without, whatever an earlier run of the agent has left in the registry stays, as with any definition that is refused.
   */
  giveBack(slot: Slot, before: ServiceDefinition | undefined): void {
    if (before !== undefined) this.obtain(before);
    else if (slot.turn === 0) this.#dispose(slot);
    // It was on its way out.
    else this.withdraw(slot.service);
  }

  /** Stops what feeds a service's, withdraws, and lets go of the registry once that has forgotten it. */
  withdraw(service: string): void {
    const slot = this.#slots.get(service);
    if (slot === undefined) return;
    slot.owner?.stop.abort();
    slot.owner = undefined;
    slot.turn += 1;
    const { turn } = slot;
    slot.reporter.report(undefined);
    slot.reporter.settled(this.#deps.signal).then(
      () => {
        // The service may have come back meanwhile, and gone again.
        if (slot.turn === turn) this.#dispose(slot);
      },
      () => undefined,
    );
  }

  /**
   * Withdraws all of them, waits as `linger` says, and lets go of the registries; all but the waiting within
   * `limitMs`. One that cannot be reached gets less: what is ephemeral goes with its session anyway.
   */
  async end(limitMs: number, linger: () => Promise<void>): Promise<void> {
    const slots = this.all;
    await Promise.all(slots.map((slot) => this.#withdrawNow(slot, limitMs * 0.75)));
    await linger();
    for (const slot of slots) this.#dispose(slot, limitMs * 0.25);
    await Promise.all(this.#disposing);
  }

  async #withdrawNow(slot: Slot, limitMs: number): Promise<void> {
    const { clock, logger } = this.#deps;
    slot.owner?.stop.abort();
    const limit = new AbortController();
    let timer = clock.setTimeout(() => {
      // Waiting for what cannot be reached may take for ever.
      if (slot.reporter.unreachable) limit.abort();
      else timer = clock.setTimeout(() => limit.abort(), limitMs * 0.8);
    }, limitMs / 5);
    slot.reporter.report(undefined);
    try {
      await slot.reporter.settled(limit.signal);
    } catch {
      logger.warn('could not withdraw in time', { service: slot.service, registration: slot.reporter.state });
    }
    timer.cancel();
  }

  #dispose(slot: Slot, deadlineMs?: number): void {
    if (!this.#slots.delete(slot.service)) return;
    slot.forget();
    const disposed = slot.reporter.dispose(deadlineMs).finally(() => this.#disposing.delete(disposed));
    this.#disposing.add(disposed);
  }
}
