import { isDeepStrictEqual } from 'node:util';
import { type Clock, describeError, type Gauge, type Logger } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import type { Found, PlainState, Registrant, Reporter } from './reporter.js';

/** What a shadow of a reporter works with. */
export interface ShadowContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registrant: Registrant;
  /** 1 while what is registered differs. */
  readonly differs: Gauge;
  /** Lets go of what reading needs. */
  readonly release: () => Promise<void>;
  /** What is registered where the reporter would register; undefined where nobody can tell. */
  readonly list: ((signal: AbortSignal) => Promise<Found>) | undefined;
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
  const own = found.filter((one) => one.host === host && one.port === port && one.name === instanceId);
  const [first, ...others] = own;
  if (wanted === undefined) return first === undefined ? undefined : 'it would not be registered, and is';
  if (first === undefined) return 'it would be registered, and is not';
  const plain = ({ id: _, ...rest }: Instance): unknown => rest;
  if (own.some((one) => isDeepStrictEqual(plain(one), plain(wanted))))
    return others.length === 0 ? undefined : `it is registered ${own.length} times`;
  return `it is registered as ${JSON.stringify(plain(first))}, and would be as ${JSON.stringify(plain(wanted))}`;
}

/** Stands for a reporter in the shadow of another nerve: compares what that registers with what ours would. Writes nothing. */
export class ShadowReporter implements Reporter {
  readonly #context: ShadowContext;
  readonly #listeners = new Set<() => void>();
  #wanted: Instance | undefined;
  #difference: { readonly text: string; readonly since: number; readonly told: boolean } | undefined;
  #unreachable = false;
  #since: number;

  constructor(context: ShadowContext) {
    this.#context = context;
    this.#since = context.clock.now();
  }

  get state(): PlainState {
    const { list } = this.#context;
    if (this.#difference !== undefined)
      return { kind: 'pending', since: this.#difference.since, error: `shadow: ${this.#difference.text}` };
    if (this.#wanted === undefined) return { kind: 'absent' };
    const place = list === undefined ? 'shadow: cannot be compared' : 'shadow: as the other nerve has it';
    return { kind: 'present', place, since: this.#since };
  }

  get unreachable(): boolean {
    return this.#unreachable;
  }

  report(instance: Instance | undefined): void {
    this.#wanted = instance;
    this.#since = this.#context.clock.now();
  }

  configure(): void {
    // The settings are those of whoever reads: its place would be another reporter.
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    while (!signal.aborted) {
      await this.#look(signal);
      await clock.sleep(lookMs, signal).catch(() => undefined);
    }
  }

  dispose(): Promise<void> {
    return this.#context.release();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { list, registrant, logger } = this.#context;
    if (list === undefined) return;
    try {
      const { instances } = await list(signal);
      this.#unreachable = false;
      this.#note(registrationDifference(this.#wanted, instances, registrant));
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#unreachable) logger.warn('nothing to compare with', { error: describeError(error) });
      this.#unreachable = true;
    }
    for (const listener of this.#listeners) listener();
  }

  #note(text: string | undefined): void {
    const { clock, logger, differs, registrant } = this.#context;
    const before = this.#difference;
    const now = clock.now();
    const since = before?.text === text ? (before?.since ?? now) : now;
    const wasTold = before?.text === text && before?.told === true;
    const isLasting = text !== undefined && now - since >= graceMs;
    if (isLasting && !wasTold) logger.warn('differs from what ours would do', { difference: text });
    if (before?.told === true && text === undefined) logger.info('a difference is over');
    this.#difference = text === undefined ? undefined : { text, since, told: wasTold || isLasting };
    differs.set(this.#difference?.told === true ? 1 : 0, { service: registrant.service });
  }
}
