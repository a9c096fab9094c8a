import type { Logger } from '@smartstack/agent';
import type { HaproxyMetrics } from '../haproxyMetrics.js';
import type { DesiredState } from '../types.js';
import { addressProblems } from './addressProbe.js';
import type { ConfigMessage } from './configMessages.js';
import { descriptorNeed, descriptorProblem } from './descriptorNeed.js';
import type { Validator, Verdict } from './validate.js';

/** What checking a candidate needs. */
export interface CandidateCheckOptions {
  readonly logger: Logger;
  readonly metrics: HaproxyMetrics;
  readonly validator: Validator;
  /** How many descriptors the HAProxy that will load the file may open; undefined when nobody knows. */
  readonly descriptorLimit: (signal: AbortSignal) => Promise<number | undefined>;
  /** Whether that is a master with a socket, which needs some for itself. */
  readonly hasMaster: boolean;
}

/** What is known while one candidate is checked. */
export interface CheckContext {
  readonly signal?: AbortSignal | undefined;
  /** The ports that HAProxy listens on now; undefined while that is not known, so that no address can be tried. */
  readonly boundPorts?: () => ReadonlySet<number> | undefined;
}

/** Has HAProxy check candidates, and looks at what `haproxy -c` does not: descriptors, and addresses that are taken. */
export class CandidateCheck {
  readonly #options: CandidateCheckOptions;
  #descriptors: { readonly needed: number; readonly limit: number | undefined } | undefined;
  /** Errors told last: what stays held is tried again now and then, which is no news. */
  #told = '';

  constructor(options: CandidateCheckOptions) {
    this.#options = options;
  }

  /** File descriptors that the last candidate needs at least, and how many there may be, as far as it is known. */
  get descriptors(): { readonly needed: number; readonly limit: number | undefined } | undefined {
    return this.#descriptors;
  }

  /** Nothing is wrong any more: the next error is news, also the same one. */
  forget(): void {
    this.#told = '';
  }

  /** Why HAProxy would run out of file descriptors with this state; undefined when it would not. */
  async tooMany(candidate: DesiredState, { signal }: CheckContext): Promise<string | undefined> {
    const { descriptorLimit, hasMaster, metrics } = this.#options;
    const need = descriptorNeed(candidate, hasMaster);
    const limit = await descriptorLimit(signal ?? new AbortController().signal);
    this.#descriptors = { needed: need.count, limit };
    metrics.descriptors(need.count, limit);
    return descriptorProblem(need, limit);
  }

  /** Checks `text`, which renders `candidate`. Throws AgentError when no verdict is to be had. */
  async check(text: string, candidate: DesiredState, context: CheckContext): Promise<Verdict> {
    const { validator, metrics, logger } = this.#options;
    // What HAProxy does not see is looked at while it looks.
    const [parsed, unloadable] = await Promise.all([
      validator.check(text, context.signal),
      this.#unloadable(text, candidate, context),
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
        errors: errors.slice(0, 20),
      });
      this.#told = told;
    }
    return verdict;
  }

  /** What `haproxy -c` does not find. */
  async #unloadable(
    text: string,
    candidate: DesiredState,
    context: CheckContext,
  ): Promise<readonly ConfigMessage[]> {
    const tooMany = await this.tooMany(candidate, context);
    if (tooMany !== undefined) return [{ severity: 'error', text: tooMany, isLimit: true }];
    const bound = context.boundPorts?.();
    return bound === undefined ? [] : addressProblems(text, bound);
  }
}
