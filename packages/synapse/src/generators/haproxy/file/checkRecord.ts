import type { Clock } from '@smartstack/agent';
import type { DesiredState } from '../types.js';
import { isVouchedFor } from './vouched.js';

/** So long the file may hold lines of servers that no check has read, in milliseconds. */
const patienceMs = 5 * 60_000;

/** What keeping the record needs. */
export interface CheckRecordOptions {
  readonly clock: Clock;
  /** Version of the executable that checks; undefined while it does not tell. */
  readonly executable: () => Promise<string | undefined>;
  /** What an earlier run wrote was not checked any more. */
  readonly isOwed: boolean;
}

/** Remembers what was checked last, for which files that speaks, and since when the file is another one. */
export class CheckRecord {
  readonly #options: CheckRecordOptions;
  #checked: { readonly desired: DesiredState; readonly by: string | undefined } | undefined;
  /** Monotonic: since when the file holds what was not checked; undefined while it was. */
  #owedSince: number | undefined;

  constructor(options: CheckRecordOptions) {
    this.#options = options;
    if (options.isOwed) this.#owedSince = options.clock.monotonic();
  }

  /** Milliseconds until the file is to be checked, at most 0 when it is due; undefined when it was. */
  get dueInMs(): number | undefined {
    if (this.#owedSince === undefined) return undefined;
    return this.#owedSince + patienceMs - this.#options.clock.monotonic();
  }

  /** What was checked last, while the file is another state; undefined also where nobody knows. */
  get fallback(): DesiredState | undefined {
    return this.#owedSince === undefined ? undefined : this.#checked?.desired;
  }

  /** True when the last check speaks for `candidate`: see `isVouchedFor`. Another executable may think otherwise. */
  async vouchesFor(candidate: DesiredState): Promise<boolean> {
    if (this.#checked?.by === undefined || !isVouchedFor(candidate, this.#checked.desired)) return false;
    return (await this.#options.executable()) === this.#checked.by;
  }

  /** The file is a state that was not checked. */
  postponed(): void {
    this.#owedSince ??= this.#options.clock.monotonic();
  }

  /** To be asked before a check: who checks. */
  get executable(): Promise<string | undefined> {
    return this.#options.executable();
  }

  /**
   * The file is a state that passed a check just now; undefined where nobody could check it. `by` is who was to check:
   * where that was replaced meanwhile, nobody knows who did.
   */
  async passed(desired: DesiredState | undefined, by: string | undefined): Promise<void> {
    const isSame = (await this.#options.executable()) === by;
    this.#checked = desired && { desired, by: isSame ? by : undefined };
    this.#owedSince = undefined;
  }

  /** The file is what was checked last, again. */
  returned(): void {
    this.#owedSince = undefined;
  }
}
