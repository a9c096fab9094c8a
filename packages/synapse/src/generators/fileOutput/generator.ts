import { AgentError, type Clock, describeError, type Logger, untilAborted } from '@smartstack/agent';
import { FileClaim } from '@smartstack/agent/fileClaim';
import type {
  BlockIssue,
  CatalogView,
  GeneratorPlan,
  GeneratorTrace,
  ReconcileOutcome,
  TraceSubject,
} from '../../catalog/types.js';
import { Presence } from '../presence.js';
import type { Planning } from '../planShadow.js';
import { TellOnce } from '../tellOnce.js';
import { type FileOutputConfig, readFileOutputBlock, readServiceBlock } from './blocks.js';
import type { FileOutputMetrics } from './fileOutputMetrics.js';
import { keyOf, planFolder, traceFiles } from './explain.js';
import { OutputFolder, type WantedFile } from './outputFolder.js';
import { type Wanted, wantedFiles } from './wanted.js';

/** What the generator works with. */
export interface FileOutputOptions {
  readonly config: FileOutputConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: FileOutputMetrics;
}

/** Writes the instances of each service into a file of its own, for programs that read them there. */
export class FileOutputGenerator implements Planning {
  readonly name = 'file_output';
  readonly #options: FileOutputOptions;
  readonly #claim: FileClaim;
  #folder: OutputFolder;
  #wanted: Wanted | undefined;
  readonly #presence = new Presence();
  readonly #reported: TellOnce;

  constructor(options: FileOutputOptions) {
    this.#options = options;
    this.#claim = new FileClaim(options.clock);
    this.#folder = new OutputFolder(options.config.directory, options.clock);
    this.#reported = new TellOnce((problem) => options.logger.warn('a service has no file', { ...problem }));
  }

  async run(_wake: () => void, signal: AbortSignal): Promise<void> {
    await untilAborted(signal);
    await this.#claim.release();
  }

  configure(block: unknown): void {
    const { config } = readFileOutputBlock(block);
    if (config === undefined || config.directory === this.#folder.directory) return;
    this.#folder = new OutputFolder(config.directory, this.#options.clock);
  }

  checkBlock(_service: string, block: unknown): readonly BlockIssue[] {
    return readServiceBlock(block).issues;
  }

  status(): unknown {
    return {
      directory: this.#folder.directory,
      files: this.#wanted?.files.length ?? 0,
      problems: this.#wanted?.problems ?? [],
    };
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    const folder = this.#folder;
    const wanted = wantedFiles(view);
    this.#wanted = wanted;
    this.#reported.note(wanted.problems);
    // Two would remove each other's files.
    await this.#claim.take(folder.directory);
    const present = await folder.list();
    await folder.verify(present);
    const { metrics, logger, clock } = this.#options;
    const failures: string[] = [];
    let changed = 0;
    for (const file of wanted.files) {
      signal.throwIfAborted();
      try {
        const isWritten = await folder.bring(file, present.has(file.name));
        if (isWritten || this.#presence.service(file.name) === undefined)
          this.#note(file, isWritten ? clock.now() : ((await folder.changedAt(file.name)) ?? clock.now()));
        if (!isWritten) continue;
        changed += 1;
        metrics.wrote('success');
      } catch (error) {
        metrics.wrote('failure');
        failures.push(describeError(error));
      }
    }
    this.#presence.keepOnly(new Set(wanted.files.map(({ name }) => name)));
    const known = new Set([...wanted.files.map(({ name }) => name), ...wanted.kept]);
    const unknown = [...present].filter((name) => !known.has(name));
    if (unknown.length > 0) logger.info('purging files of unknown services', { files: unknown });
    for (const name of unknown)
      await folder.remove(name).catch((error: unknown) => failures.push(describeError(error)));
    if (unknown.length > 0) metrics.purged(unknown.length);
    const [first] = failures;
    if (first !== undefined) {
      const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
      throw new AgentError('file_write', `${first}${more}`, { retriable: true });
    }
    return { outcome: changed + unknown.length > 0 ? 'write' : 'noop' };
  }

  plan(view: CatalogView): Promise<GeneratorPlan> {
    this.#wanted = wantedFiles(view);
    return planFolder(this.#wanted, this.#folder);
  }

  trace(subjects: readonly TraceSubject[]): Promise<readonly GeneratorTrace[]> {
    return traceFiles(subjects, { wanted: this.#wanted, folder: this.#folder, presence: this.#presence });
  }

  #note({ name, instances }: WantedFile, at: number): void {
    this.#presence.note(name, instances.map(keyOf), at);
  }
}
