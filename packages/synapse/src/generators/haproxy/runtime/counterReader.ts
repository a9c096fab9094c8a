import { type Clock, type Logger, unlessAborted } from '@smartstack/agent';
import type { HaproxyProcess } from '../process/process.js';
import type { Traffic } from '../traffic.js';
import { CounterFailures } from './counterFailures.js';
import { Pace } from './pace.js';
import type { RuntimeSession } from './runtimeClient.js';
import type { RuntimeTarget } from './runtimeTarget.js';
import { type Ask, readRows, readVitals, type Vitals, vitalsIn } from './workerCounters.js';

/** What reading counters needs. */
export interface CounterReaderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly targets: readonly RuntimeTarget[];
  readonly process: HaproxyProcess;
  readonly traffic: Traffic;
  /** How often counters are read at most, in milliseconds. */
  readonly countMs: number;
}

interface Round {
  readonly isDue: boolean;
  readonly hasServers: boolean;
  readonly signal: AbortSignal;
}

interface Held {
  readonly session: RuntimeSession;
  vitals: Vitals;
}

/** Workers are looked at this often: one on its way out waits for us to have read its last word. */
const lookMs = 250;
/** How long a reload waits for a last reading. A worker that is held is read to its end all the same. */
const lastReadingMs = 200;

/** Reading counters takes at most this share of one core: sections half of it, servers the other. */
const share = 0.01;

const nameOf = ({ identity: { pid, startedAt } }: Vitals): string => `${pid} of ${startedAt}`;

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
  #turn: Promise<unknown> = Promise.resolve();
  #running: AbortSignal | undefined;

  constructor(options: CounterReaderOptions) {
    this.#options = options;
    const { clock, logger, traffic, countMs } = options;
    this.#failures = new CounterFailures(logger, () => traffic.failed());
    this.#sections = new Pace(clock, countMs, share / 2);
    this.#servers = new Pace(clock, countMs, share / 2);
  }

  /** Reads again and again until `signal` aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, countMs, targets } = this.#options;
    if (targets.length > 0) this.#running = signal;
    while (!signal.aborted) {
      const isDue = this.#sections.isDue;
      const hasServers = isDue && this.#servers.isDue;
      await this.#exclusively(() => this.#round({ isDue, hasServers, signal }));
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
    const reading = this.#exclusively(() => this.#round({ isDue: true, hasServers: false, signal: running }));
    await unlessAborted(reading, AbortSignal.any([signal, patience.signal]));
    timer.cancel();
  }

  #exclusively(action: () => Promise<void>): Promise<void> {
    const next = this.#turn.then(action);
    this.#turn = next;
    return next;
  }

  /** Looks at every worker; reads the counters of those that end, and of all when that is due. */
  async #round(round: Round): Promise<void> {
    const { isDue, hasServers, signal } = round;
    const before = process.cpuUsage();
    const { targets, traffic } = this.#options;
    await Promise.all(targets.map((target) => this.#attach(target, signal)));
    await Promise.all([...this.#held].map(([name, held]) => this.#readHeld(name, held, round)));
    if (isDue) {
      this.#others = await this.#readOthers(signal);
      // Not the time that passed: on a busy machine that is mostly the time of others.
      const { user, system } = process.cpuUsage(before);
      const cpuMs = (user + system) / 1000;
      if (hasServers) this.#servers.took(cpuMs);
      this.#sections.took(hasServers ? 0 : cpuMs);
    }
    traffic.publish([...this.#held.keys(), ...this.#others], hasServers);
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
      if (this.#held.has(name)) return;
      this.#held.set(name, { session, vitals });
      session = undefined;
    } catch (error) {
      if (!signal.aborted) this.#failures.tell(target.socketPath, error);
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
      if (isDue || isDrained) await this.#read(held.vitals, ask, hasServers || isDrained);
      this.#failures.over(name);
      if (!isDrained) return;
      traffic.forget(name);
    } catch (error) {
      if (!signal.aborted) this.#failures.tell(name, error);
    }
    held.session.close();
    this.#held.delete(name);
  }

  /** Old workers that are not held, for synapse was started after the reload: through their master. */
  async #readOthers(signal: AbortSignal): Promise<readonly string[]> {
    const { process: haproxy } = this.#options;
    const status = await haproxy.status(signal);
    const held = new Set([...this.#held.values()].map(({ vitals }) => vitals.identity.pid));
    const read: string[] = [];
    for (const { pid } of status?.oldWorkers ?? []) {
      if (held.has(pid)) continue;
      const ask: Ask = (command) => haproxy.askWorker(pid, command, signal);
      // It may end at any moment: that is no failure.
      const vitals = await readVitals(ask).catch(() => undefined);
      if (vitals === undefined) continue;
      const isRead = await this.#read(vitals, ask, false).then(
        () => true,
        () => false,
      );
      if (isRead) read.push(nameOf(vitals));
    }
    return read;
  }

  async #read(vitals: Vitals, ask: Ask, hasServers: boolean): Promise<void> {
    const rows = await readRows(ask, hasServers);
    this.#options.traffic.add({ worker: nameOf(vitals), rows, hasServers }, vitals.uptimeSeconds);
  }
}
