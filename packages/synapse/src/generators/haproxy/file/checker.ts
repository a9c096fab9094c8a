import type { Logger } from '@smartstack/agent';
import { addressProblems } from './addressProbe.js';
import type { ConfigMessage } from './configMessages.js';
import { type DescriptorNeed, descriptorNeed, descriptorProblem } from './descriptorNeed.js';
import type { HaproxyMetrics } from '../haproxyMetrics.js';
import type { DesiredState } from '../types.js';
import type { Validator, Verdict } from './validate.js';

/** What checking candidates needs. */
export interface CheckerOptions {
  readonly logger: Logger;
  readonly metrics: HaproxyMetrics;
  readonly validator: Validator;
  /** How many descriptors the HAProxy that will load the file may open; undefined when nobody knows. */
  readonly descriptorLimit: (signal: AbortSignal) => Promise<number | undefined>;
  /** Whether that is a master with a socket, which needs some for itself. */
  readonly hasMaster: boolean;
}

/** How a candidate is checked. */
export interface CheckOptions {
  readonly signal?: AbortSignal | undefined;
  /** The ports that HAProxy listens on now; undefined while that is not known, so that no address can be tried. */
  readonly boundPorts?: () => ReadonlySet<number> | undefined;
}

/** Has candidates checked by HAProxy, looks at what that does not see, and tells of what is rejected. */
export class Checker {
  readonly #options: CheckerOptions;
  #descriptors: { readonly needed: number; readonly limit: number | undefined } | undefined;
  /** Errors told last: what stays held is tried again now and then, which is no news. */
  #told = '';

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** File descriptors that the last candidate needs at least, and how many there may be, as far as it is known. */
  get descriptors(): { readonly needed: number; readonly limit: number | undefined } | undefined {
    return this.#descriptors;
  }

  /** What is rejected from here on is news. */
  forgetTold(): void {
    this.#told = '';
  }

  /** Why the candidate needs more file descriptors than there may be; undefined when it does not, as far as it is known. */
  async tooMany(candidate: DesiredState, { signal }: CheckOptions): Promise<string | undefined> {
    const { descriptorLimit, hasMaster, metrics } = this.#options;
    const need: DescriptorNeed = descriptorNeed(candidate, hasMaster);
    const limit = await descriptorLimit(signal ?? new AbortController().signal);
    this.#descriptors = { needed: need.count, limit };
    metrics.descriptors(need.count, limit);
    return descriptorProblem(need, limit);
  }

  /** Whether HAProxy could load the candidate, `text` in full. Throws AgentError as `Validator.check`. */
  async check(text: string, candidate: DesiredState, options: CheckOptions): Promise<Verdict> {
    const { validator, metrics, logger } = this.#options;
    // What HAProxy does not see is looked at while it looks.
    const [parsed, unloadable] = await Promise.all([
      validator.check(text, options.signal),
      this.#unloadable(text, candidate, options),
    ]);
    const problems = parsed.valid ? unloadable : [];
    const verdict = problems.length === 0 ? parsed : { valid: false, messages: problems };
    metrics.validated(verdict.unchecked !== undefined ? 'unchecked' : verdict.valid ? 'valid' : 'invalid');
    if (!verdict.valid) {
      const errors = verdict.messages.flatMap(({ severity, text: message }) =>
        severity === 'error' ? [message] : [],
      );
      // The numbers of a limit change with every server, which is no news.
      const told = problems.some(({ isLimit }) => isLimit) ? 'limit' : JSON.stringify(errors);
      logger[told === this.#told ? 'debug' : 'warn']('haproxy rejects a candidate', {
        // Lines of `defaults` are in the file more than once.
        errors: [...new Set(errors)].slice(0, 20),
      });
      this.#told = told;
    }
    return verdict;
  }

  /** What `haproxy -c` does not find. */
  async #unloadable(
    text: string,
    candidate: DesiredState,
    options: CheckOptions,
  ): Promise<readonly ConfigMessage[]> {
    const tooMany = await this.tooMany(candidate, options);
    if (tooMany !== undefined) return [{ severity: 'error', text: tooMany, isLimit: true }];
    const bound = options.boundPorts?.();
    return bound === undefined ? [] : addressProblems(text, bound);
  }
}
