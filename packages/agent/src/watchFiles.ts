import { once } from 'node:events';
import type { FSWatcher } from 'chokidar';
import type { Clock } from './clock.js';
import { Coalescer } from './coalesce.js';
import { type Disk, fingerprint, systemDisk, watchTargets, type WatchTargets } from './diskLook.js';
import { describeError } from './errors.js';
import type { Logger } from './logger.js';
import { run, type Task, within } from './run.js';

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
  readonly disk?: Disk;
  /** The `fingerprint` of `paths` from before they were read. Absent: as they are when this is called. */
  readonly seen?: string;
}

/** A file system that has not answered for so long hangs, in milliseconds. */
const hungMs = 5_000;

/** What one look at the disk found. */
interface Look {
  readonly targets: WatchTargets;
  readonly fingerprint: string;
}

/**
 * A task that watches configuration. Await it before reading the files, or say how they were then (`seen`):
 * whatever changes from then on leads to `onChange`. Survives files replaced by rename, symbolic links turned to another target, and
 * files and directories that go and come back; a file system that hangs holds up nothing else. An event
 * only means "look again".
 */
export async function watchFiles(options: WatchFilesOptions): Promise<Task> {
  const seen = options.seen ?? (await fingerprint(options.paths, options.disk));
  const watcher = new DiskWatch(options, seen);
  return (signal) => watcher.run(signal);
}

class DiskWatch {
  readonly #options: WatchFilesOptions;
  readonly #coalescer: Coalescer;
  #seen: string;
  #targets: WatchTargets | undefined;
  #watcher: FSWatcher | undefined;
  #looking: Promise<Look> | undefined;
  #hangs = false;

  constructor(options: WatchFilesOptions, seen: string) {
    const { clock, quietMs = 100 } = options;
    this.#options = options;
    this.#coalescer = new Coalescer({
      clock,
      quietMs,
      maxMs: Math.max(quietMs * 10, 1000),
      immediate: false,
    });
    this.#seen = seen;
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
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
    const before = await this.#look(signal);
    if (before === undefined) return;
    let now = before.fingerprint;
    if (before.targets.key !== this.#targets?.key) {
      await this.#rewatch(before.targets, signal);
      // Watch first, look after: a change in between is an event, one before it is in what we look at.
      const after = await this.#look(signal);
      if (after === undefined) return;
      now = after.fingerprint;
    }
    if (now === this.#seen) return;
    this.#seen = now;
    await this.#options.onChange(signal);
  }

  /** Undefined when the file system does not answer; the next look then waits for the same answer. */
  async #look(signal: AbortSignal): Promise<Look | undefined> {
    const { paths, clock, logger, disk = systemDisk } = this.#options;
    const look = async (): Promise<Look> => ({
      targets: await watchTargets(paths, disk),
      fingerprint: await fingerprint(paths, disk),
    });
    this.#looking ??= look().finally(() => (this.#looking = undefined));
    const found = await within(this.#looking, hungMs, clock, signal);
    if (found === undefined && !signal.aborted && !this.#hangs)
      logger.warn('a file system that is watched does not answer', { paths });
    this.#hangs = found === undefined;
    return found;
  }

  /** A new watcher altogether: chokidar does not see a watched directory come back. */
  async #rewatch(targets: WatchTargets, signal: AbortSignal): Promise<void> {
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
    // Where it hangs, the look that follows says so; events come when it does not any more.
    await within(once(watcher, 'ready'), hungMs, this.#options.clock, signal);
  }
}
