import { type Clock, describeError, type Logger, within } from '@smartstack/agent';

import { followDisk } from './followDisk.js';
import { type FolderFile, RegistrationFolder } from './registrationFolder.js';

/** A file system that has not answered for so long hangs, in milliseconds. */
const hungMs = 5_000;
/** Without an event, what failed is tried again after so long, in milliseconds. */
const retryMs = 5_000;
/** Time passes between that a file runs out and that it counts as such: its writer may be slow. */
const graceMs = 20;

/** What is in a folder now, or why that is not known. */
export type FolderReading =
  | { readonly kind: 'read'; readonly files: ReadonlyMap<string, FolderFile>; readonly at: number }
  | { readonly kind: 'lost'; readonly reason: string };

type Listener = (reading: FolderReading) => void;

interface Entry {
  readonly listeners: Set<Listener>;
  readonly stop: AbortController;
  readonly done: Promise<void>;
  last: FolderReading | undefined;
}

/** Folders of registrations: one look at each, for all services that are registered there. */
export class FolderPool {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Tells `listener` what is in the folder, now and after each look. Returns what ends that; the last one ends the looks. */
  follow(directory: string, listener: Listener): () => Promise<void> {
    const entry = this.#entries.get(directory) ?? this.#start(directory);
    entry.listeners.add(listener);
    if (entry.last !== undefined) listener(entry.last);
    return async () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size > 0 || entry.stop.signal.aborted) return;
      this.#entries.delete(directory);
      entry.stop.abort();
      await entry.done;
    };
  }

  #start(directory: string): Entry {
    const stop = new AbortController();
    const listeners = new Set<Listener>();
    const look = this.#looker(directory, (reading) => {
      entry.last = reading;
      for (const listener of listeners) this.#tell(listener, reading);
    });
    const logger = this.#logger.child({ component: 'folder' });
    const done = followDisk({ path: directory, look, clock: this.#clock, logger }, stop.signal);
    const entry: Entry = { listeners, stop, done, last: undefined };
    this.#entries.set(directory, entry);
    return entry;
  }

  /** One that fails must not take the others with it. */
  #tell(listener: Listener, reading: FolderReading): void {
    try {
      listener(reading);
    } catch (error) {
      this.#logger.error('a snapshot listener failed', { error: describeError(error) });
    }
  }

  #looker(
    directory: string,
    tell: (reading: FolderReading) => void,
  ): (signal: AbortSignal) => Promise<number> {
    const clock = this.#clock;
    const folder = new RegistrationFolder(directory);
    const lookNow = async (): Promise<FolderReading> => {
      try {
        const moment = { now: clock.now(), monotonic: clock.monotonic() };
        return { kind: 'read', files: await folder.look(moment), at: moment.monotonic };
      } catch (error) {
        return { kind: 'lost', reason: describeError(error) };
      }
    };
    let looking: Promise<FolderReading> | undefined;
    return async (signal) => {
      // While it hangs, the next look waits for the same answer.
      looking ??= lookNow().finally(() => (looking = undefined));
      const found = await within(looking, hungMs, clock, signal);
      if (signal.aborted) return retryMs;
      const reading = found ?? { kind: 'lost', reason: `No answer from the disk within ${hungMs} ms` };
      tell(reading);
      return reading.kind === 'lost' ? retryMs : nextExpiry(reading.files, reading.at) + graceMs;
    };
  }
}

/** Milliseconds until the next file runs out; looked at then, it may have been touched. */
function nextExpiry(files: ReadonlyMap<string, FolderFile>, at: number): number {
  let next = Infinity;
  for (const { freshUntil } of files.values()) if (freshUntil > at && freshUntil < next) next = freshUntil;
  return next === Infinity ? 60_000 : next - at;
}
