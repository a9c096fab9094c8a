import type {
  BlockIssue,
  CatalogView,
  GeneratorPlan,
  GeneratorTrace,
  ReconcileOutcome,
  TraceSubject,
} from '../catalog/types.js';
import type { Planning } from './planShadow.js';

/** A generator whose code is read when it is to do something. */
export interface LateOptions {
  readonly name: string;
  readonly block: unknown;
  /** Called once, with the block of then. */
  readonly load: (block: unknown) => Promise<Planning>;
  readonly checkBlock: (service: string, block: unknown) => readonly BlockIssue[];
}

/** Keeps the code of a generator out of the start of every agent that has none of its kind, and of commands that only look. */
export class LateGenerator implements Planning {
  readonly name: string;
  readonly checkBlock: LateOptions['checkBlock'];
  readonly #load: LateOptions['load'];
  #block: unknown;
  #loading: Promise<Planning> | undefined;
  #loaded: Planning | undefined;

  constructor({ name, block, load, checkBlock }: LateOptions) {
    this.name = name;
    this.checkBlock = checkBlock;
    this.#block = block;
    this.#load = load;
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    await (await this.#get()).run(wake, signal);
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    return (await this.#get()).reconcile(view, signal);
  }

  async plan(view: CatalogView, signal: AbortSignal): Promise<GeneratorPlan> {
    return (await this.#get()).plan(view, signal);
  }

  async trace(subjects: readonly TraceSubject[], signal: AbortSignal): Promise<readonly GeneratorTrace[]> {
    return (await this.#get()).trace(subjects, signal);
  }

  configure(block: unknown): void {
    this.#block = block;
    this.#loaded?.configure(block);
  }

  status(): unknown {
    return this.#loaded?.status() ?? {};
  }

  #get(): Promise<Planning> {
    this.#loading ??= this.#create().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #create(): Promise<Planning> {
    const block = this.#block;
    const generator = await this.#load(block);
    if (this.#block !== block) generator.configure(this.#block);
    this.#loaded = generator;
    return generator;
  }
}
