import type { Instance } from '@smartstack/registry';
import type { Reporter, ReportState } from '../reporters/reporter.js';

/** A registry in memory. `log` shares the order of events between reporters. */
export class FakeReporter implements Reporter {
  readonly place: string;
  readonly log: string[];
  /** What the registry holds. */
  published: Instance | undefined;
  /** While false the registry takes nothing, like a ZooKeeper that is down. */
  reachable = true;
  disposed = false;
  settings: unknown;
  #wanted: Instance | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #waiting = new Set<() => void>();

  constructor(place: string, log: string[] = []) {
    this.place = place;
    this.log = log;
  }

  get state(): ReportState {
    if (this.published === undefined && this.#wanted === undefined) return { kind: 'absent' };
    if (this.published === this.#wanted) return { kind: 'present', place: this.place, since: 0 };
    return { kind: 'pending', since: 0 };
  }

  get unreachable(): boolean {
    return !this.reachable;
  }

  report(instance: Instance | undefined): void {
    if (this.disposed) throw new Error(`${this.place} was disposed of`);
    this.#wanted = instance;
    this.#carry();
  }

  configure(settings: unknown): void {
    this.settings = settings;
  }

  /** How many wait for it to settle. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** ZooKeeper can be reached, but does not take what is reported yet. */
  come(): void {
    this.reachable = true;
    for (const listener of this.#listeners) listener();
  }

  /** ZooKeeper comes back. */
  reach(): void {
    this.reachable = true;
    this.#carry();
  }

  settled(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (signal.aborted) reject(signal.reason as Error);
        else if (this.published === this.#wanted) resolve();
        else return;
        this.#waiting.delete(check);
        signal.removeEventListener('abort', check);
      };
      this.#waiting.add(check);
      signal.addEventListener('abort', check, { once: true });
      check();
    });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  run(): Promise<void> {
    return Promise.resolve();
  }

  dispose(): Promise<void> {
    this.disposed = true;
    this.log.push(`${this.place} disposed`);
    return Promise.resolve();
  }

  #carry(): void {
    if (!this.reachable || this.published === this.#wanted) return;
    this.published = this.#wanted;
    this.log.push(`${this.place} ${describe(this.published)}`);
    for (const listener of this.#listeners) listener();
    for (const check of [...this.#waiting]) check();
  }
}

function describe(instance: Instance | undefined): string {
  if (instance === undefined) return 'withdrawn';
  return `up ${instance.host}:${instance.port}${instance.weight === undefined ? '' : ` weight ${instance.weight}`}`;
}
