import type {
  BlockIssue,
  CatalogView,
  Generator,
  GeneratorPlan,
  GeneratorTrace,
  ReconcileOutcome,
  TraceSubject,
} from '../catalog/types.js';
import { onlyLayout } from './lineChanges.js';
import { type Difference, Differences, type DifferencesOptions } from './differences.js';

/** A generator that can say what it would write. */
export type Planning = Generator & Required<Pick<Generator, 'plan' | 'trace'>>;

/** How often the files are compared, in milliseconds. */
const lookMs = 5_000;
/** So many lines of a file's difference are told. */
const maxLines = 5;

/**
 * Runs in the place of a generator that writes files, beside another synapse: asks it again and again what it would
 * write, and reports what differs from the files on disk. The generator itself is never run.
 */
export class PlanShadow implements Generator {
  readonly name: string;
  readonly #inner: Planning;
  readonly #options: DifferencesOptions;
  readonly #differences: Differences;

  constructor(inner: Planning, options: DifferencesOptions) {
    this.name = inner.name;
    this.#inner = inner;
    this.#options = options;
    this.#differences = new Differences(options);
  }

  configure(block: unknown): void {
    this.#inner.configure(block);
  }

  checkBlock(service: string, block: unknown): readonly BlockIssue[] {
    return this.#inner.checkBlock(service, block);
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(lookMs, signal).catch(() => undefined);
      wake();
    }
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    const { files } = await this.#inner.plan(view, signal);
    signal.throwIfAborted();
    this.#differences.note(files.flatMap((file) => differenceOf(file) ?? []));
    return { outcome: 'noop' };
  }

  async plan(view: CatalogView, signal: AbortSignal): Promise<GeneratorPlan> {
    const { files, notes } = await this.#inner.plan(view, signal);
    return { commands: [], reload: [], files, notes: [...notes, '--shadow: nothing of this is ever done'] };
  }

  trace(subjects: readonly TraceSubject[], signal: AbortSignal): Promise<readonly GeneratorTrace[]> {
    return this.#inner.trace(subjects, signal);
  }

  status(): unknown {
    return { shadow: true, differences: this.#differences.all };
  }
}

function differenceOf({ path, changes }: GeneratorPlan['files'][number]): Difference | undefined {
  if (changes.length === 1 && changes[0] === onlyLayout) return undefined;
  const shown = changes.slice(0, maxLines);
  const more = changes.length > shown.length ? [`and ${changes.length - shown.length} more lines`] : [];
  return { where: 'file', subject: path, detail: [...shown, ...more].join('; ') };
}
