import { isDeepStrictEqual } from 'node:util';
import { type Clock, describeError, type Gauge, type Logger } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import type { Found, PlainState, Registrant, Reporter } from './reporter.js';

/** What a shadow of a reporter works with. */
export interface ShadowContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registrant: Registrant;
  /** Of the service's reporters, this one. */
  readonly name: string;
  /** 1 while what is registered differs. */
  readonly differs: Gauge;
  /** What is registered where these settings register; undefined where nobody can tell. */
  readonly list: ((settings: unknown, signal: AbortSignal) => Promise<Found>) | undefined;
  /** Lets go of what reading needs. */
  readonly release: () => Promise<void>;
}

/** How often the registry is read, in milliseconds. */
const lookMs = 5_000;
/** The other nerve needs its time to follow: what passes sooner is no difference. In milliseconds. */
const graceMs = 15_000;

/** Why what is registered is not what ours would register; undefined when it is. */
export function registrationDifference(
  wanted: Instance | undefined,
  found: readonly Instance[],
  { host, port, instanceId }: Registrant,
): string | undefined {
  // Not every format has a place for the name.
  const isOwn = (one: Instance): boolean =>
    one.host === host && one.port === port && (one.name ?? instanceId) === instanceId;
  const own = found.filter(isOwn);
  const [first] = own;
  if (wanted === undefined) return first === undefined ? undefined : 'it would not be registered, and is';
  if (first === undefined) return 'it would be registered, and is not';
  const as = (one: Instance): string =>
    JSON.stringify({ ...one, id: undefined, name: one.name ?? instanceId });
  const isSame = (one: Instance): boolean => isDeepStrictEqual(JSON.parse(as(one)), JSON.parse(as(wanted)));
  const other = own.find((one) => !isSame(one));
  if (other !== undefined) return `it is registered as ${as(other)}, and would be as ${as(wanted)}`;
  return own.length === 1 ? undefined : `it is registered ${own.length} times`;
}

/** `since` is wall clock milliseconds, for people; `from` is monotonic. */
interface Difference {
  readonly text: string;
  readonly since: number;
  readonly from: number;
  readonly told: boolean;
}

/**
 * Stands for a reporter in the shadow of another nerve: compares what that registers with what ours would. Writes
 * nothing, whatever it is told to report.
 */
export class ShadowReporter implements Reporter {
  readonly #context: ShadowContext;
  readonly #listeners = new Set<() => void>();
  #settings: unknown;
  #wanted: Instance | undefined;
  #difference: Difference | undefined;
  /** Something was compared since it was told what to report. */
  #compared = false;
  #unreachable = false;
  #since: number;

  constructor(settings: unknown, context: ShadowContext) {
    this.#settings = settings;
    this.#context = context;
    this.#since = context.clock.now();
  }

  get state(): PlainState {
    const canList = this.#context.list !== undefined;
    if (canList && !this.#compared)
      return { kind: 'pending', since: this.#since, error: 'shadow: not compared yet' };
    if (this.#difference !== undefined)
      return { kind: 'pending', since: this.#difference.since, error: `shadow: ${this.#difference.text}` };
    if (this.#wanted === undefined) return { kind: 'absent' };
    const place = canList ? 'shadow: as it should be' : 'shadow: cannot be compared';
    return { kind: 'present', place, since: this.#since };
  }

  get unreachable(): boolean {
    return this.#unreachable;
  }

  report(instance: Instance | undefined): void {
    this.#wanted = instance;
    this.#compared = false;
    this.#since = this.#context.clock.now();
  }

  configure(settings: unknown): void {
    this.#settings = settings;
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, list } = this.#context;
    if (list === undefined) return;
    while (!signal.aborted) {
      await this.#look(list, signal);
      await clock.sleep(lookMs, signal).catch(() => undefined);
    }
  }

  async dispose(): Promise<void> {
    const { differs, registrant, name, release } = this.#context;
    differs.remove({ service: registrant.service, reporter: name });
    await release();
  }

  async #look(list: NonNullable<ShadowContext['list']>, signal: AbortSignal): Promise<void> {
    const { registrant, logger } = this.#context;
    try {
      const { instances } = await list(this.#settings, signal);
      this.#unreachable = false;
      this.#compared = true;
      this.#note(registrationDifference(this.#wanted, instances, registrant));
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#unreachable) logger.warn('nothing to compare with', { error: describeError(error) });
      this.#unreachable = true;
    }
    for (const listener of this.#listeners) listener();
  }

  #note(text: string | undefined): void {
    const { clock, logger, differs, registrant, name } = this.#context;
    const before = this.#difference;
    const now = clock.monotonic();
    const isSame = before !== undefined && before.text === text;
    const { since, from } = isSame ? before : { since: clock.now(), from: now };
    const isLasting = text !== undefined && now - from >= graceMs;
    const told = isLasting || (isSame && before.told);
    if (isLasting && !(isSame && before.told))
      logger.warn('differs from what ours would do', { difference: text });
    if (before?.told === true && text === undefined) logger.info('a difference is over');
    this.#difference = text === undefined ? undefined : { text, since, from, told };
    differs.set(told ? 1 : 0, { service: registrant.service, reporter: name });
  }
}
