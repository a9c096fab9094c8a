import type { Logger } from '@smartstack/agent';
import type { HaproxyIssue } from './desired/issue.js';

/** Tells of each issue once, when it begins and when it ends; the status always has them all. */
export class IssueLog {
  readonly #logger: Logger;
  #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Takes all that there are now. */
  tell(issues: readonly HaproxyIssue[]): void {
    const logger = this.#logger;
    const now = new Map(issues.map((issue) => [JSON.stringify(issue), issue]));
    for (const [key, { severity, ...fields }] of now) {
      if (this.#told.has(key)) continue;
      logger[severity === 'error' ? 'error' : 'warn']('something is left out of haproxy.cfg', fields);
    }
    const over = [...this.#told].filter((key) => !now.has(key)).length;
    if (over > 0) logger.info('issues of haproxy.cfg are over', { count: over });
    this.#told = new Set(now.keys());
  }
}
