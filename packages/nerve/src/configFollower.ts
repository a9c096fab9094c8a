import {
  type Clock,
  type ConfigIssue,
  Coalescer,
  formatIssue,
  type Logger,
  run,
  unlessAborted,
  watchFiles,
} from '@smartstack/agent';
import { type LoadedConfig, loadConfig, type LoadOptions } from './config/load.js';
import type { NerveMetrics } from './metrics.js';

/** The configuration as the status shows it. */
export interface ConfigStatus {
  readonly file: string;
  readonly directory: string | undefined;
  /** False while something on disk has errors; then some of what runs may be older than the files. */
  readonly valid: boolean;
  /** Wall clock milliseconds of the last reading. */
  readonly readAt: number;
  readonly issues: readonly string[];
}

/** What the follower needs. */
export interface FollowerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: NerveMetrics;
}

/** Reads the configuration again whenever it changes on disk, or when told to. */
export class ConfigFollower {
  readonly #options: LoadOptions;
  readonly #deps: FollowerDeps;
  readonly #coalescer: Coalescer;
  #status: ConfigStatus;
  #logged: ReadonlySet<string> = new Set();
  /** Ends the watch of what is watched now. */
  #rewatch = new AbortController();

  constructor(options: LoadOptions, deps: FollowerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#coalescer = new Coalescer({ clock: deps.clock, quietMs: 50, maxMs: 500 });
    this.#status = { file: options.file, directory: undefined, valid: false, readAt: 0, issues: [] };
  }

  get status(): ConfigStatus {
    return this.#status;
  }

  /** Asks for a reading. */
  trigger(): void {
    this.#coalescer.trigger();
  }

  /** Reads everything now, and reports what is wrong with it. */
  async load(): Promise<LoadedConfig> {
    const loaded = await loadConfig({ ...this.#options, clock: this.#deps.clock });
    // Never rejects.
    loaded.hangOver?.then(() => this.trigger()).catch(() => undefined);
    const { file } = this.#options;
    const valid = !loaded.issues.some(({ severity }) => severity === 'error');
    const issues = loaded.issues.map(formatIssue);
    // At the start, what is fatal is told by whoever ends the agent for it.
    const told = this.#status.readAt === 0 ? loaded.fatal : [];
    const moved = loaded.directory !== this.#status.directory;
    this.#status = { file, directory: loaded.directory, valid, readAt: this.#deps.clock.now(), issues };
    this.#deps.metrics.configValid.set(valid ? 1 : 0);
    this.#log(loaded.issues.filter((issue) => !told.includes(issue)));
    if (moved) this.#rewatch.abort();
    return loaded;
  }

  /** Calls `changed` with every new reading until `signal` aborts. */
  async run(changed: (loaded: LoadedConfig) => Promise<void>, signal: AbortSignal): Promise<void> {
    const read = (both: AbortSignal): Promise<void> =>
      this.#coalescer.run(async () => {
        // A file system that hangs must not keep the agent from stopping.
        const loaded = await unlessAborted(this.load(), both);
        if (loaded === undefined || both.aborted) return;
        this.#deps.metrics.configReloads.inc({ result: this.#status.valid ? 'ok' : 'errors' });
        await changed(loaded);
      }, both);
    await run([read, (both) => this.#watch(both)], signal);
  }

  /** Watches the main file and the directory that it names at that time. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    const ended = (): void => this.#rewatch.abort();
    signal.addEventListener('abort', ended, { once: true });
    while (!signal.aborted) {
      this.#rewatch = new AbortController();
      const { file, directory } = this.#status;
      const paths = directory === undefined ? [file] : [file, directory];
      const rewatch = this.#rewatch.signal;
      const watching = watchFiles({ paths, clock, logger, onChange: () => this.trigger() });
      const watch = await unlessAborted(watching, rewatch);
      if (watch === undefined) continue;
      // Whatever changed before this watch began.
      this.trigger();
      await run([watch], rewatch);
    }
    signal.removeEventListener('abort', ended);
  }

  /** Each issue once, for as long as it lasts. */
  #log(issues: readonly ConfigIssue[]): void {
    const { logger } = this.#deps;
    for (const issue of issues) {
      const text = formatIssue(issue);
      if (this.#logged.has(text)) continue;
      if (issue.severity === 'error') logger.error('bad configuration', { issue: text });
      else logger.warn('doubtful configuration', { issue: text });
    }
    this.#logged = new Set(issues.map(formatIssue));
  }
}
