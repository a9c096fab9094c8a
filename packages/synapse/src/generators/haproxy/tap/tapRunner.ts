import { type Clock, describeError, untilAborted } from '@smartstack/agent';
import { parseInfo } from '../plan/observed.js';
import { tapLeaseSeconds, tapName } from '../desired/tapNames.js';
import type { RuntimeSession } from '../runtime/runtimeClient.js';
import type { RuntimeTarget } from '../runtime/runtimeTarget.js';
import { RingReader } from './ringReader.js';
import type { TapHub } from './tapHub.js';
import { TapLosses } from './tapLosses.js';

/** What it works with. */
export interface TapRunnerOptions {
  readonly clock: Clock;
  readonly hub: TapHub;
  readonly targets: readonly Pick<RuntimeTarget, 'connect' | 'socketPath'>[];
}

/** How often it is looked whether HAProxy was reloaded or started, while somebody taps. */
const lookMs = 250;
/** How often what is wanted is said again: three times before it would be forgotten. */
const renewMs = (tapLeaseSeconds * 1000) / 4;
/** How long the ring of a worker that was replaced is followed: it lives on for that. */
const drainMs = 5_000;
/** How often it is looked for losses. */
const lossMs = 500;

interface Reading {
  readonly reader: RingReader;
  readonly losses: TapLosses;
  /** When another worker took its place, monotonic milliseconds. */
  retiredAt?: number;
}

interface Told {
  readonly permille: number;
  readonly at: number;
}

/** What is known of the processes behind one socket. */
class TappedTarget {
  /** By pid. */
  readonly readings = new Map<number, Reading>();
  /** Of the worker that answers now: what its table holds. */
  told = new Map<string, Told>();
  pid = 0;
  isAttached = false;
  reason: string | undefined = 'HAProxy does not answer';
}

/** Has HAProxy tell of the requests that somebody wants, and reads what it tells; with nobody there it does nothing. */
export class TapRunner {
  readonly #options: TapRunnerOptions;
  readonly #targets: ReadonlyMap<TapRunnerOptions['targets'][number], TappedTarget>;
  #lookedAt = 0;

  constructor(options: TapRunnerOptions) {
    this.#options = options;
    this.#targets = new Map(options.targets.map((target) => [target, new TappedTarget()]));
  }

  /** Runs until `signal` aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { hub } = this.#options;
    while (!signal.aborted) {
      if (this.#isQuiet) await hub.changed(signal);
      const { isIdle, revision } = hub;
      await Promise.all([...this.#targets].map(([target, known]) => this.#look(target, known, signal)));
      this.#tellLosses();
      this.#tellState(revision);
      if (isIdle) this.#hangUp();
      else await this.#pause(signal);
    }
    this.#hangUp();
  }

  /** Until the next look is due, or something else is wanted. */
  async #pause(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    const timer = this.#options.clock.setTimeout(() => over.abort(), lookMs);
    await Promise.race([this.#options.hub.changed(both), untilAborted(both)]);
    timer.cancel();
    over.abort();
  }

  async #look(
    target: TapRunnerOptions['targets'][number],
    known: TappedTarget,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, hub } = this.#options;
    if (hub.isIdle && known.told.size === 0) return;
    let session: RuntimeSession | undefined;
    try {
      const opened = await target.connect(signal);
      session = opened.session;
      const pid = Number(parseInfo(opened.reply).get('Pid'));
      if (pid !== known.pid) known.told = new Map();
      known.pid = pid;
      if (!hub.isIdle) this.#follow(target.socketPath, known);
      const problem = await this.#tell(session, known);
      known.isAttached = problem === undefined && known.readings.has(pid);
      known.reason = problem ?? (known.isAttached ? undefined : known.reason);
    } catch (error) {
      known.isAttached = false;
      known.reason = describeError(error);
    } finally {
      session?.close();
    }
    for (const [pid, reading] of known.readings) {
      if (pid === known.pid) continue;
      reading.retiredAt ??= clock.monotonic();
      if (clock.monotonic() - reading.retiredAt < drainMs) continue;
      reading.reader.close();
      known.readings.delete(pid);
    }
  }

  /** Follows the ring of the worker that answers. */
  #follow(path: string, known: TappedTarget): void {
    const { hub } = this.#options;
    const { pid, readings } = known;
    if (readings.has(pid)) return;
    const losses = new TapLosses();
    const reader = new RingReader(path, {
      line: (line) => {
        // At a reload another worker may have taken the call: then the right one is called again.
        if (line.pid !== pid && readings.get(pid)?.reader === reader) readings.delete(pid);
        losses.note(line);
        hub.line(line);
      },
      turn: () => hub.turn(),
      closed: (reason) => {
        if (readings.get(pid)?.reader !== reader) return;
        readings.delete(pid);
        known.isAttached = known.isAttached && pid !== known.pid;
        known.reason ??= reason;
      },
    });
    readings.set(pid, { reader, losses });
  }

  /** Says in the table whose requests are wanted. Resolves with what HAProxy says against it. */
  async #tell(session: RuntimeSession, known: TappedTarget): Promise<string | undefined> {
    const { clock, hub } = this.#options;
    const now = clock.monotonic();
    const wanted = hub.wanted();
    const { told } = known;
    const asked: Promise<string>[] = [];
    for (const [frontend, permille] of wanted) {
      const before = told.get(frontend);
      if (before?.permille === permille && now - before.at < renewMs) continue;
      told.set(frontend, { permille, at: now });
      asked.push(session.ask(`set table ${tapName} key ${frontend} data.gpt0 ${permille}`));
    }
    for (const frontend of [...told.keys()]) {
      if (wanted.has(frontend)) continue;
      told.delete(frontend);
      asked.push(session.ask(`clear table ${tapName} key ${frontend}`));
    }
    const problem = (await Promise.all(asked)).find((reply) => reply !== '')?.trim();
    if (problem !== undefined) told.clear();
    return problem;
  }

  #tellLosses(): void {
    const { clock, hub } = this.#options;
    if (clock.monotonic() - this.#lookedAt < lossMs) return;
    this.#lookedAt = clock.monotonic();
    for (const { readings } of this.#targets.values())
      for (const { losses } of readings.values())
        for (const [frontend, count] of losses.look()) hub.lost(frontend, count);
  }

  #tellState(revision: number): void {
    const all = [...this.#targets.values()];
    const isAttached = all.some((each) => each.isAttached);
    const reason = all.length === 0 ? '`do_socket` is false' : all[0]?.reason;
    this.#options.hub.attached(revision, isAttached, isAttached ? undefined : reason);
  }

  /** Nobody looks, and HAProxy knows it. */
  get #isQuiet(): boolean {
    return this.#options.hub.isIdle && [...this.#targets.values()].every(({ told }) => told.size === 0);
  }

  #hangUp(): void {
    for (const known of this.#targets.values()) {
      for (const { reader } of known.readings.values()) reader.close();
      known.readings.clear();
      known.isAttached = false;
      known.told.clear();
    }
  }
}
