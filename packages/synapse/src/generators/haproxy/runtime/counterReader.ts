import { type Clock, type Logger, unlessAborted } from '@smartstack/agent';
import type { Budgets } from '../budget/budgets.js';
import type { StatRow } from '../counters/statTable.js';
import type { HaproxyProcess } from '../process/process.js';
import type { Traffic } from '../traffic.js';
import { Turns } from '../turns.js';
import { CounterFailures } from './counterFailures.js';
import { CounterLosses } from './counterLosses.js';
import { isDear, lookClosely } from './lookClosely.js';
import { type CpuMeter, cpuMeter, Pace } from './pace.js';
import type { RuntimeSession } from './runtimeClient.js';
import { readCounters } from './readCounters.js';
import { codeOf } from './runtimeError.js';
import type { RuntimeTarget } from './runtimeTarget.js';
import { downAt, downIn, isSameSet } from './serverHealth.js';
import { readUnheld } from './unheldWorkers.js';
import {
  type Ask,
  nameOf,
  readHistograms,
  readVitals,
  removeHistogram,
  type Vitals,
  vitalsIn,
} from './workerCounters.js';

/** What reading counters needs. */
export interface CounterReaderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly targets: readonly RuntimeTarget[];
  readonly process: HaproxyProcess;
  readonly traffic: Traffic;
  readonly budgets: Budgets;
  /** How often counters are read at most, in milliseconds. */
  readonly countMs: number;
  /** The same of histograms of latencies. */
  readonly latencyMs: number;
  /** Of what readings cost. */
  readonly meter?: CpuMeter;
}

interface Round {
  readonly isDue: boolean;
  readonly hasServers: boolean;
  readonly hasLatencies: boolean;
  readonly signal: AbortSignal;
}

interface Held {
  readonly target: RuntimeTarget;
  readonly session: RuntimeSession;
  vitals: Vitals;
  /** When all of its counters were read last, monotonic milliseconds. */
  readAt: number;
  /** Keys of servers whose checks fail, by the last reading of servers; undefined before the first. */
  down?: ReadonlySet<string>;
}

/** Workers are looked at this often: one on its way out waits for us to have read its last word. */
const lookMs = 250;
/** How long a reload waits for a last reading. A worker that is held is read to its end all the same. */
const lastReadingMs = 200;

/** Reading counters takes at most this share of one core: sections half of it, servers the other. */
const share = 0.01;
/** And reading histograms this. */
const latencyShare = 0.01;

/**
 * Reads what HAProxy counts, over one session to each worker that is kept for as long as the worker lives.
 * HAProxy does not end an old worker before its last session is closed: so that the counters of its last
 * request are read, whoever reloaded it; as soon as it has no clients left we let go.
 */
export class CounterReader {
  readonly #options: CounterReaderOptions;
  readonly #held = new Map<string, Held>();
  /** Workers that are read without being held. */
  #others: readonly string[] = [];
  readonly #failures: CounterFailures;
  readonly #sections: Pace;
  readonly #servers: Pace;
  readonly #latencies: Pace;
  readonly #losses: CounterLosses;
  readonly #meter: CpuMeter;
  readonly #turns = new Turns();
  #running: AbortSignal | undefined;
  #wake: () => void = () => undefined;

  constructor(options: CounterReaderOptions) {
    this.#options = options;
    const { clock, logger, traffic, countMs, latencyMs, meter = cpuMeter } = options;
    this.#meter = meter;
    this.#failures = new CounterFailures(logger, () => traffic.failed());
    this.#sections = new Pace(clock, countMs, share / 2);
    this.#servers = new Pace(clock, countMs, share / 2);
    this.#latencies = new Pace(clock, latencyMs, latencyShare);
    this.#losses = new CounterLosses(clock, logger, (seconds) => traffic.lost(seconds));
  }

  /**
   * Reads again and again until `signal` aborts; calls `wake` when HAProxy took servers out of rotation or back in,
   * so that status, metrics and timeline follow. Never throws.
   */
  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    this.#wake = wake;
    const { clock, countMs, targets } = this.#options;
    if (targets.length > 0) this.#running = signal;
    while (!signal.aborted) {
      const isDue = this.#sections.isDue;
      const hasServers = isDue && this.#servers.isDue;
      const hasLatencies = this.#latencies.isDue && this.#options.traffic.hasLatencies;
      await this.#turns.take(() => this.#round({ isDue, hasServers, hasLatencies, signal }));
      await clock.sleep(Math.min(lookMs, countMs), signal).catch(() => undefined);
    }
    this.#running = undefined;
    for (const { session } of this.#held.values()) session.close();
    this.#held.clear();
  }

  /** Reads once more before workers are replaced; gives up soon. Never throws. */
  async lastReading(signal: AbortSignal): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    const patience = new AbortController();
    const timer = this.#options.clock.setTimeout(() => patience.abort(), lastReadingMs);
    const { hasLatencies } = this.#options.traffic;
    const round = { isDue: true, hasServers: false, hasLatencies, signal: running };
    const reading = this.#turns.take(() => this.#round(round));
    await unlessAborted(reading, AbortSignal.any([signal, patience.signal]));
    timer.cancel();
    // Never rejects.
    if (hasLatencies) this.#followToTheEnd(running).catch(() => undefined);
  }

  /** Reads latencies again and again until the workers of now have been told to end. */
  async #followToTheEnd(signal: AbortSignal): Promise<void> {
    const workers = [...this.#held].filter(([, { vitals }]) => !vitals.isStopping);
    const live = (): boolean =>
      workers.some(([name, held]) => this.#held.get(name) === held && !held.vitals.isStopping);
    await lookClosely(this.#options.clock, signal, {
      isWorthIt: () => live() && !isDear(this.#latencies.costMs),
      look: () => this.#turns.take(() => this.#readAllLatencies(signal)),
    });
  }

  /** Looks at every worker; reads the counters of those that end, and of all when that is due. */
  async #round(round: Round): Promise<void> {
    const { isDue, hasServers, signal } = round;
    const { targets, traffic } = this.#options;
    const spent = this.#meter();
    await Promise.all(targets.map((target) => this.#attach(target, signal)));
    this.#losses.tellOld();
    await Promise.all([...this.#held].map(([name, held]) => this.#readHeld(name, held, round)));
    if (isDue) {
      this.#others = await this.#readUnheld(signal);
      const cpuMs = spent();
      if (hasServers) {
        this.#servers.took(cpuMs);
        this.#sections.wasIncluded();
      } else this.#sections.took(cpuMs);
    }
    // Before the latencies: who hears of those looks at what is under way, too.
    traffic.publish([...this.#held.keys(), ...this.#others], hasServers);
    // Apart, so that it is known what takes how long.
    if (round.hasLatencies) await this.#readAllLatencies(signal);
  }

  async #readAllLatencies(signal: AbortSignal): Promise<void> {
    const spent = this.#meter();
    await Promise.all(
      [...this.#held].map(async ([name, held]) => {
        try {
          held.vitals = await readVitals((command) => held.session.ask(command));
          await this.#readLatencies(held);
        } catch (error) {
          this.#dismiss(name, held, error, signal);
        }
      }),
    );
    this.#latencies.took(spent());
  }

  /** What left the services for good is removed from the worker's table on the way. */
  async #readLatencies({ session, vitals }: Held): Promise<void> {
    const { traffic } = this.#options;
    const ask: Ask = (command) => session.ask(command);
    const worker = nameOf(vitals);
    const leftovers = traffic.addLatencies({ worker, rows: await readHistograms(ask) }, vitals.uptimeSeconds);
    if (vitals.isStopping) return;
    await Promise.all(
      leftovers.map(async (key) => {
        if (await removeHistogram(ask, key)) traffic.removedLatencies(worker, key);
      }),
    );
  }

  /** Whoever answers on a socket is held from now on. */
  async #attach(target: RuntimeTarget, signal: AbortSignal): Promise<void> {
    let session: RuntimeSession | undefined;
    try {
      const opened = await target.connect(signal);
      session = opened.session;
      const vitals = vitalsIn(opened.reply);
      this.#failures.over(target.socketPath);
      const name = nameOf(vitals);
      this.#losses.found(name, target.socketPath);
      if (this.#held.has(name)) return;
      this.#held.set(name, { target, session, vitals, readAt: this.#options.clock.monotonic() });
      session = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.#failures.tell(target.socketPath, error);
      if (codeOf(error) === 'runtime-unreachable') this.#losses.nobody(target.socketPath);
    } finally {
      session?.close();
    }
  }

  async #readHeld(name: string, held: Held, { isDue, hasServers, signal }: Round): Promise<void> {
    const { traffic } = this.#options;
    const ask: Ask = (command) => held.session.ask(command);
    try {
      held.vitals = await readVitals(ask);
      const isDrained = held.vitals.isStopping && held.vitals.connections === 0;
      if (isDue || isDrained) {
        const rows = await readCounters(this.#options, held.vitals, ask, hasServers || isDrained);
        if (hasServers) this.#noteHealth(held, rows);
        held.readAt = this.#options.clock.monotonic();
      }
      // Its table is emptied once a second from now on.
      if (held.vitals.isStopping && traffic.hasLatencies) await this.#readLatencies(held);
      this.#failures.over(name);
      if (!isDrained) return;
      traffic.forget(name);
      this.#options.budgets.forget(name);
      held.session.close();
      this.#held.delete(name);
    } catch (error) {
      this.#dismiss(name, held, error, signal);
    }
  }

  async #readUnheld(signal: AbortSignal): Promise<readonly string[]> {
    const { process: haproxy, traffic, budgets } = this.#options;
    const held = new Set([...this.#held.values()].map(({ vitals }) => vitals.identity.pid));
    const read = await readUnheld((pid) => held.has(pid), { haproxy, traffic, budgets }, signal);
    for (const name of read) this.#losses.found(name);
    return read;
  }

  #noteHealth(held: Held, rows: readonly StatRow[]): void {
    const { observation } = held.target;
    const before = held.down ?? (observation && downAt(observation.state));
    held.down = downIn(rows);
    if (before === undefined || held.vitals.isStopping || isSameSet(before, held.down)) return;
    held.target.invalidate();
    this.#wake();
  }

  /** The conversation with a worker is over. Who still lives is found again. */
  #dismiss(name: string, held: Held, error: unknown, signal: AbortSignal): void {
    held.session.close();
    if (!this.#held.delete(name) || signal.aborted) return;
    this.#failures.tell(name, error);
    this.#losses.missed(name, held.target.socketPath, held.readAt, codeOf(error) !== 'runtime-closed');
  }
}
