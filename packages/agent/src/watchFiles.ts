import { once } from 'node:events';
import type { FSWatcher } from 'chokidar';
import type { Clock } from './clock.js';
import { Coalescer } from './coalesce.js';
import { fingerprint, watchTargets, type WatchTargets } from './diskLook.js';
import { describeError } from './errors.js';
import type { Logger } from './logger.js';
import { run, type Task } from './run.js';

export interface WatchFilesOptions {
  /** Files, and directories whose files count (not those of their subdirectories). Any may be missing. */
  readonly paths: readonly string[];
  /** Called after something changed; never twice at once. What it throws ends the watch. */
  readonly onChange: (signal: AbortSignal) => void | Promise<void>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Nothing must change for so long before `onChange`, in milliseconds (default 100): editors write in steps. */
  readonly quietMs?: number;
  /** Also look without an event, in milliseconds (default 30 s): network file systems send none. */
  readonly resyncMs?: number;
}

/**
 * A task that watches configuration. Create it before reading the files: whatever changes from then on
 * leads to `onChange`. Survives files replaced by rename, symbolic links turned to another target, and
 * files and directories that go and come back. An event only means "look again".
 */
export function watchFiles(options: WatchFilesOptions): Task {
  const watcher = new DiskWatch(options);
  return (signal) => watcher.run(signal);
}

class DiskWatch {
  readonly #options: WatchFilesOptions;
  readonly #coalescer: Coalescer;
  #seen: string;
  #targets: WatchTargets | undefined;
  #watcher: FSWatcher | undefined;

  constructor(options: WatchFilesOptions) {
    const { clock, quietMs = 100 } = options;
    this.#options = options;
    this.#coalescer = new Coalescer({
      clock,
      quietMs,
      maxMs: Math.max(quietMs * 10, 1000),
      immediate: false,
    });
    this.#seen = fingerprint(options.paths);
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#rewatch(watchTargets(this.#options.paths));
      this.#coalescer.trigger();
      const compare: Task = (both) => this.#coalescer.run((running) => this.#compare(running), both);
      await run([compare, (both) => this.#resync(both)], signal);
    } finally {
      await this.#watcher?.close();
    }
  }

  async #resync(signal: AbortSignal): Promise<void> {
    const { clock, resyncMs = 30_000 } = this.#options;
    for (;;) {
      await clock.sleep(resyncMs, signal);
      this.#coalescer.trigger();
    }
  }

  async #compare(signal: AbortSignal): Promise<void> {
    const targets = watchTargets(this.#options.paths);
    // Watch first, look after: a change in between is an event, one before it is in what we look at.
    if (targets.key !== this.#targets?.key) await this.#rewatch(targets);
    const now = fingerprint(this.#options.paths);
    if (now === this.#seen) return;
    this.#seen = now;
    await this.#options.onChange(signal);
  }

  /** A new watcher altogether: chokidar does not see a watched directory come back. */
  async #rewatch(targets: WatchTargets): Promise<void> {
    await this.#watcher?.close();
    this.#targets = targets;
    // Not before it is needed: an agent starts sooner.
    const { watch } = await import('chokidar');
    const watcher = watch([...targets.directories], {
      ignoreInitial: true,
      depth: 0,
      followSymlinks: false,
      atomic: false,
      // Only the directories themselves: their own events tell of every file in them.
      ignored: (path) => !targets.directories.has(path),
    });
    this.#watcher = watcher;
    // Not `all`: chokidar leaves out changes that follow each other too closely.
    watcher.on('raw', () => this.#coalescer.trigger());
    watcher.on('unlinkDir', () => {
      this.#targets = undefined;
      this.#coalescer.trigger();
    });
    watcher.on('error', (error) => {
      // Out of inotify watches, for instance: the periodic look goes on without events.
      this.#options.logger.warn('cannot watch files, looking periodically', { error: describeError(error) });
    });
    await once(watcher, 'ready');
  }
}
