import {
  type Clock,
  type ConfigIssue,
  formatIssue,
  type Logger,
  type Task,
  unlessAborted,
  watchFiles,
} from '@smartstack/agent';

import { type Configuration, loadConfiguration, type LoadOptions } from './config/load.js';
import type { DiscoveryOptions } from './config/service.js';
import { hasErrors } from './config/source.js';
import type { ConfigurationMetrics } from './metrics.js';

export interface LiveConfigurationOptions<D extends DiscoveryOptions> {
  readonly source: Omit<LoadOptions<D>, 'previous'>;
  readonly initial: Configuration<D>;
  readonly issues: readonly ConfigIssue[];
  /** Takes each configuration after the first. */
  readonly onConfiguration: (configuration: Configuration<D>) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ConfigurationMetrics;
}

/** Waits before files are watched again after that failed, in milliseconds. */
const rewatchMs = 30_000;

/** The configuration that follows its files. What has errors stays as it was, and is in `issues`. */
export class LiveConfiguration<D extends DiscoveryOptions> {
  readonly #options: LiveConfigurationOptions<D>;
  #current: Configuration<D>;
  #issues: readonly ConfigIssue[];
  #queued: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #rewatch: AbortController | undefined;

  constructor(options: LiveConfigurationOptions<D>) {
    this.#options = options;
    this.#current = options.initial;
    this.#issues = [];
    this.#report(options.issues);
  }

  get current(): Configuration<D> {
    return this.#current;
  }

  get issues(): readonly ConfigIssue[] {
    return this.#issues;
  }

  /** Reads everything again. A call while a reading has not begun yet joins it. */
  reload(): Promise<void> {
    const begin = (): Promise<void> => {
      this.#queued = undefined;
      return this.#reload();
    };
    // Whoever asked for the one before was told of its failure.
    this.#queued ??= this.#last = this.#last.then(begin, begin);
    return this.#queued;
  }

  /** Follows the files until `signal` aborts, also when the configuration moves its own directory. */
  readonly run: Task = async (signal) => {
    const { clock, logger } = this.#options;
    const stopped = (): boolean => signal.aborted;
    while (!stopped()) {
      this.#rewatch = new AbortController();
      const inner = AbortSignal.any([signal, this.#rewatch.signal]);
      const { paths, seen } = this.#current;
      try {
        const watching = watchFiles({ paths, seen, onChange: () => this.reload(), clock, logger });
        await (
          await unlessAborted(watching, inner)
        )?.(inner);
      } catch (error) {
        if (inner.aborted) continue;
        // Without a watch there is still SIGHUP; the routes matter more.
        logger.error('cannot watch the configuration, trying again', { error, paths });
        await clock.sleep(rewatchMs, signal).catch(() => undefined);
      }
    }
    await this.#last.catch(() => undefined);
  };

  async #reload(): Promise<void> {
    const { source, logger, metrics, onConfiguration } = this.#options;
    const before = this.#current;
    const { configuration = before, issues } = await loadConfiguration({ ...source, previous: before });
    this.#current = configuration;
    this.#report(issues);
    metrics.reloaded(!hasErrors(issues));
    logger.info('configuration read again', {
      services: configuration.services.size,
      issues: issues.length,
    });
    onConfiguration(configuration);
    if (configuration.paths.join('\0') !== before.paths.join('\0')) this.#rewatch?.abort();
  }

  /** Logs what was not said before: a file that stays bad is one event, not one per reading. */
  #report(issues: readonly ConfigIssue[]): void {
    const { logger, metrics } = this.#options;
    const told = new Set(this.#issues.map(formatIssue));
    this.#issues = issues;
    metrics.configured(!hasErrors(issues));
    for (const issue of issues) {
      const line = formatIssue(issue);
      if (told.has(line)) continue;
      logger[issue.severity === 'error' ? 'error' : 'warn']('bad configuration', { issue: line });
    }
  }
}
