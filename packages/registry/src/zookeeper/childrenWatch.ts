import { Backoff, describeError, type Timer } from '@smartstack/agent';
import { ChildrenReadings } from './childrenReadings.js';
import { sameSnapshot } from './childrenSnapshot.js';
import { isZooKeeperError } from './errors.js';
import type { Live, SessionLink } from './link.js';
import type { ChildrenSnapshot, ChildrenWatch, ChildrenWatchOptions, ZkPath } from './types.js';

export interface ChildrenReaderOptions extends ChildrenWatchOptions {
  /** Mean time between re-readings without cause, in milliseconds. */
  readonly resyncIntervalMs: number;
}

const resyncJitter = 0.2;

/**
 * Keeps a complete reading of one node and its children. Level-triggered: an event only says what to
 * read again; one reading is under way at a time; what an old connection answered is discarded.
 */
export class ChildrenReader implements ChildrenWatch {
  onDispose: (() => void) | undefined;
  #last: ChildrenSnapshot | undefined;
  #freshness: ChildrenWatch['freshness'] = 'never';
  readonly #link: SessionLink;
  readonly #path: ZkPath;
  readonly #options: ChildrenReaderOptions;
  readonly #readings: ChildrenReadings;
  readonly #backoff: Backoff;
  readonly #unsubscribe: readonly (() => void)[];
  #running = false;
  #disposed = false;
  /** An event caused the coming reading, so that jitter applies. */
  #fromEvent = false;
  #resyncTimer: Timer | undefined;
  /** Ends the present pause early. */
  #interrupt = new AbortController();
  #problem: string | undefined;

  constructor(link: SessionLink, path: ZkPath, options: ChildrenReaderOptions) {
    this.#link = link;
    this.#path = path;
    this.#options = options;
    this.#readings = new ChildrenReadings(link, path, options.skipChildData ?? (() => false));
    this.#backoff = new Backoff({ minMs: 50, maxMs: 10_000, random: link.random });
    this.#unsubscribe = [
      link.onChange(() => this.#onConnectionChange()),
      link.watches.onNode(path, (type) => this.#onEvent(this.#readings.markNode(type))),
      link.watches.onChildrenOf(path, (name, type) => this.#onEvent(this.#readings.markChild(name, type))),
    ];
    this.#readings.forget();
    this.#scheduleResync();
    this.#kick();
  }

  get last(): ChildrenSnapshot | undefined {
    return this.#last;
  }

  get freshness(): ChildrenWatch['freshness'] {
    return this.#freshness;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#interrupt.abort();
    this.#resyncTimer?.cancel();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.onDispose?.();
  }

  #onConnectionChange(): void {
    // The new connection's server holds none of our watches, whichever session it carries.
    this.#readings.forget();
    this.#fromEvent = this.#last !== undefined;
    if (!this.#link.live && this.#freshness === 'live') this.#setFreshness('stale');
    this.#interrupt.abort();
    this.#interrupt = new AbortController();
    this.#kick();
  }

  async #pause(delayMs: number): Promise<void> {
    await this.#link.clock.sleep(delayMs, this.#interrupt.signal).catch(() => undefined);
  }

  #onEvent(relevant: boolean): void {
    if (!relevant) return;
    this.#fromEvent = true;
    this.#kick();
    this.#tell(() => this.#options.onEvent?.());
  }

  #scheduleResync(): void {
    const { clock, random } = this.#link;
    const delayMs = this.#options.resyncIntervalMs * (1 + resyncJitter * (2 * random() - 1));
    this.#resyncTimer = clock.setTimeout(() => {
      this.#readings.markAll();
      this.#kick();
      this.#scheduleResync();
    }, delayMs);
  }

  #kick(): void {
    if (this.#running || this.#disposed) return;
    this.#running = true;
    const done = (): void => {
      this.#running = false;
      // Whatever came after the last look, but before this word of its end, started nothing.
      if (this.#readings.dirty && this.#link.live) this.#kick();
    };
    this.#read().then(done, (error: unknown) => {
      done();
      this.#link.logger.error('a reader failed', { path: this.#path, error: describeError(error) });
    });
  }

  async #read(): Promise<void> {
    while (!this.#disposed && this.#readings.dirty) {
      const live = this.#link.live;
      if (!live) return;
      await this.#jitter();
      if (!this.#isCurrent(live)) continue;
      try {
        const snapshot = await this.#readings.read(live);
        // A promise settles later than the event that overtook it: ask whether the answer still counts.
        if (!this.#isCurrent(live) || !snapshot) continue;
        this.#backoff.reset();
        this.#problem = undefined;
        this.#publish(snapshot);
      } catch (error) {
        if (this.#isCurrent(live)) await this.#failed(error);
      }
    }
  }

  #isCurrent(live: Live): boolean {
    return !this.#disposed && this.#link.live === live;
  }

  async #jitter(): Promise<void> {
    const { jitterMs = 0 } = this.#options;
    if (jitterMs > 0 && this.#fromEvent) await this.#pause(jitterMs * this.#link.random());
    this.#fromEvent = false;
  }

  async #failed(error: unknown): Promise<void> {
    this.#readings.markLists();
    const problem = describeError(error);
    // A connection that dies is the session's to report.
    if (!isZooKeeperError(error, 'ConnectionLoss', 'NotConnected') && problem !== this.#problem) {
      this.#link.logger.warn('cannot read a watched path', { path: this.#path, problem });
      this.#problem = problem;
    }
    await this.#pause(this.#backoff.next());
  }

  #publish(snapshot: ChildrenSnapshot): void {
    const changed = this.#last === undefined || !sameSnapshot(this.#last, snapshot);
    const revived = this.#freshness !== 'live';
    // Both are in place before anybody is told, and the new content comes before the word that it is live.
    this.#last = snapshot;
    this.#freshness = 'live';
    if (changed) this.#tell(() => this.#options.onSnapshot(snapshot));
    if (revived && this.#isLive()) this.#tell(() => this.#options.onFreshness?.('live'));
  }

  #isLive(): boolean {
    return !this.#disposed && this.#freshness === 'live';
  }

  #setFreshness(freshness: 'live' | 'stale'): void {
    this.#freshness = freshness;
    this.#tell(() => this.#options.onFreshness?.(freshness));
  }

  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#link.logger.error('a snapshot listener failed', {
        path: this.#path,
        error: describeError(error),
      });
    }
  }
}
