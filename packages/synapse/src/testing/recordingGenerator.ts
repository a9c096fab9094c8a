import type { BlockIssue, CatalogView, Generator, ReconcileOutcome } from '../catalog/types.js';

/** What a test wants the next passes of a RecordingGenerator to do. */
export type Behaviour = (view: CatalogView, signal: AbortSignal) => Promise<ReconcileOutcome>;

/** A generator that keeps every view it was given, and does what the test says. */
export class RecordingGenerator implements Generator {
  readonly views: CatalogView[] = [];
  readonly blocks: unknown[] = [];
  behaviour: Behaviour = () => Promise.resolve({ outcome: 'noop' });
  wake: () => void = () => undefined;
  readonly name: string;
  #running = 0;

  constructor(name = 'haproxy') {
    this.name = name;
  }

  /** The last view. */
  get view(): CatalogView | undefined {
    return this.views.at(-1);
  }

  /** `host:port` of each instance of a service in the last view; undefined when the view lacks the service. */
  addresses(service: string): readonly string[] | undefined {
    const found = this.view?.services.find(({ name }) => name === service);
    return found?.instances.map(({ host, port }) => `${host}:${port}`);
  }

  run(wake: () => void, signal: AbortSignal): Promise<void> {
    this.wake = wake;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    if (this.#running > 0) throw new Error('reconcile was called concurrently');
    this.#running += 1;
    try {
      this.views.push(view);
      return await this.behaviour(view, signal);
    } finally {
      this.#running -= 1;
    }
  }

  configure(block: unknown): void {
    this.blocks.push(block);
  }

  checkBlock(): readonly BlockIssue[] {
    return [];
  }

  status(): unknown {
    return { passes: this.views.length };
  }
}
