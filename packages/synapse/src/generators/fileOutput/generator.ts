import { AgentError, type Clock, describeError, type Logger, untilAborted } from '@smartstack/agent';
import { FileClaim } from '@smartstack/agent/fileClaim';
import type { Instance } from '@smartstack/registry';
import type {
  BlockIssue,
  CatalogView,
  Generator,
  ReconcileOutcome,
  ServiceView,
} from '../../catalog/types.js';
import { type FileOutputConfig, readFileOutputBlock, readServiceBlock } from './blocks.js';
import type { FileOutputMetrics } from './fileOutputMetrics.js';
import { fileNameOf } from './format.js';
import { OutputFolder, type WantedFile } from './outputFolder.js';

/** What the generator works with. */
export interface FileOutputOptions {
  readonly config: FileOutputConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: FileOutputMetrics;
}

/** Why a service has no file, or keeps the one that it has. */
interface Problem {
  readonly service: string;
  readonly problem: string;
}

/** Which files there should be. */
export interface Wanted {
  readonly files: readonly WantedFile[];
  /** Files to leave as they are: what should be in them is not known. */
  readonly kept: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** Works out the files for a view. Pure. */
export function wantedFiles({ services, unreadable = [] }: CatalogView): Wanted {
  const files: WantedFile[] = [];
  const kept = new Set<string>();
  const problems: Problem[] = [];
  const keep = (service: string): void => {
    const { name } = fileNameOf(service);
    if (name !== undefined) kept.add(name);
  };
  unreadable.forEach(keep);
  for (const view of services) {
    const { config, issues } = readServiceBlock(view.blocks.file_output ?? {});
    if (config === undefined) {
      keep(view.name);
      const reasons = issues.map(({ path, message }) => `${['file_output', ...path].join('.')}: ${message}`);
      problems.push({ service: view.name, problem: reasons.join('; ') });
      continue;
    }
    if (config.disabled) continue;
    const file = fileNameOf(view.name);
    if (file.name === undefined) problems.push({ service: view.name, problem: file.problem });
    else if (isUnknown(view) && view.instances.length === 0) keep(view.name);
    else files.push({ name: file.name, instances: toldOf(view), onlyIfAbsent: isUnknown(view) });
  }
  return { files, kept, problems };
}

/** Without those that are held where HAProxy checks them: nobody checks what a program reads in a file. */
function toldOf({ instances }: ServiceView): readonly Instance[] {
  return instances.some(({ held }) => held) ? instances.filter(({ held }) => !held) : instances;
}

/** A file from before the start of this agent knows better: nothing was told yet, or the source was never seen filled. */
function isUnknown({ source, instances }: ServiceView): boolean {
  return source === 'pending' || (source === 'previous' && instances.length === 0);
}

/** Writes the instances of each service into a file of its own, for programs that read them there. */
export class FileOutputGenerator implements Generator {
  readonly name = 'file_output';
  readonly #options: FileOutputOptions;
  readonly #claim: FileClaim;
  #folder: OutputFolder;
  #wanted: Wanted | undefined;
  #reported = new Set<string>();

  constructor(options: FileOutputOptions) {
    this.#options = options;
    this.#claim = new FileClaim(options.clock);
    this.#folder = new OutputFolder(options.config.directory, options.clock);
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
    this.#report(wanted.problems);
    // Two would remove each other's files.
    await this.#claim.take(folder.directory);
    const present = await folder.list();
    await folder.verify(present);
    const { metrics, logger } = this.#options;
    const failures: string[] = [];
    let changed = 0;
    for (const file of wanted.files) {
      signal.throwIfAborted();
      try {
        if (!(await folder.bring(file, present.has(file.name)))) continue;
        changed += 1;
        metrics.wrote('success');
      } catch (error) {
        metrics.wrote('failure');
        failures.push(describeError(error));
      }
    }
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

  /** Each problem once, when it begins; the status always has them all. */
  #report(problems: readonly Problem[]): void {
    const now = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
    for (const [key, problem] of now)
      if (!this.#reported.has(key)) this.#options.logger.warn('a service has no file', { ...problem });
    this.#reported = new Set(now.keys());
  }
}
