import { access, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  AgentError,
  type Clock,
  describeError,
  type Logger,
  makeDirectory,
  writeFileAtomic,
} from '@smartstack/agent';
import { runCommand } from '@smartstack/agent/command';
import { FileClaim } from '@smartstack/agent/fileClaim';
import { Presence } from '../presence.js';
import type { TemplateConfig } from './blocks.js';
import { chosen, TemplateFile } from './templateFile.js';
import type { TemplateMetrics } from './templateMetrics.js';
import { keyOf, type TemplateValues } from './values.js';

/** What a target works with. */
export interface TargetOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: TemplateMetrics;
}

/** How a pass over one template ended. */
export interface TargetOutcome {
  readonly wrote: boolean;
  /** The command has to wait for so long, in milliseconds. */
  readonly againInMs?: number;
}

/** What is known of a target, for whoever asks what it would do or why. */
export interface TargetState {
  readonly config: TemplateConfig;
  /** The file; undefined where there is none. */
  readonly disk: string | undefined;
  /** When the file was written last, in milliseconds since the epoch. */
  readonly writtenAt: number | undefined;
  /** What the template makes of `values`, or why it makes nothing. */
  readonly text: string | undefined;
  readonly problem: string | undefined;
  /** Services of which nothing is known yet: the file stays as it is. */
  readonly waitingFor: readonly string[];
  /** The command is still to be run for the file. */
  readonly commandDue: boolean;
  readonly commandProblem: string | undefined;
  /** When the command ran last and did not fail, in milliseconds since the epoch. */
  readonly ranAt: number | undefined;
  /** Not before so many milliseconds; 0 for at once. */
  readonly waitMs: number;
  /** Since when servers, by service, are among what the file was made of. */
  readonly presence: Presence;
}

/** One file that is made of a template, and the command after it. */
export class Target {
  readonly config: TemplateConfig;
  readonly #options: TargetOptions;
  readonly #claim: FileClaim;
  readonly #template: TemplateFile;
  /** Undefined: nobody looked yet whether an earlier process left it to be done. */
  #commandDue: boolean | undefined;
  #ranAt = -Infinity;
  #succeededAt: number | undefined;
  #presence = new Presence();
  #waitingFor: readonly string[] = [];
  #problem: string | undefined;
  #commandProblem: string | undefined;

  constructor(config: TemplateConfig, options: TargetOptions) {
    this.config = config;
    this.#options = options;
    this.#claim = new FileClaim(options.clock);
    this.#template = new TemplateFile(config.templateFile);
  }

  /** The template cannot be rendered: why. */
  get problem(): string | undefined {
    return this.#problem;
  }

  status(): unknown {
    return {
      template: this.config.templateFile,
      file: this.config.destinationFile,
      problem: this.#problem,
      waitingFor: this.#waitingFor,
      commandPending: this.#commandDue ?? false,
      commandProblem: this.#commandProblem,
    };
  }

  /** Brings the file up to date and runs the command if need be. Throws AgentError: `template`, `file_write`, `command-failed`, `in-use`. */
  async bring(
    values: TemplateValues,
    restartIntervalMs: number,
    signal: AbortSignal,
  ): Promise<TargetOutcome> {
    const { destinationFile } = this.config;
    await this.#claim.take(destinationFile);
    this.#commandDue ??= await exists(this.#marker);
    const wrote = await this.#write(values);
    if (this.#waitingFor.length === 0) await this.#note(values, wrote);
    const { command } = this.config;
    if (command === undefined || !this.#commandDue) return { wrote };
    const { clock } = this.#options;
    const waitMs = this.#ranAt + restartIntervalMs - clock.monotonic();
    if (waitMs > 0) return { wrote, againInMs: waitMs };
    this.#ranAt = clock.monotonic();
    await this.#run(command, signal);
    return { wrote };
  }

  /** Looks at what there is and what would be made of `values`. Changes nothing, never rejects. */
  async look(values: TemplateValues, restartIntervalMs: number): Promise<TargetState> {
    const { config } = this;
    const disk = await readFile(config.destinationFile, 'utf8').catch(() => undefined);
    const waitingFor = disk === undefined ? [] : chosen(config, values.unknown);
    const made = await this.#template.render(chosen(config, values.services)).then(
      (text) => ({ text, problem: undefined }),
      (error: unknown) => ({ text: undefined, problem: describeError(error) }),
    );
    const waitMs = Math.max(0, this.#ranAt + restartIntervalMs - this.#options.clock.monotonic());
    return {
      ...{ config, disk, waitingFor, ...made, waitMs },
      ...{ writtenAt: await changedAt(config.destinationFile), presence: this.#presence },
      commandDue: config.command !== undefined && (this.#commandDue ?? (await exists(this.#marker))),
      ...{ commandProblem: this.#commandProblem, ranAt: this.#succeededAt },
    };
  }

  async release(): Promise<void> {
    await this.#claim.release();
  }

  /** Takes from a target of the configuration before what it knows of the same file. */
  inherit(before: Target): void {
    this.#ranAt = before.#ranAt;
    this.#succeededAt = before.#succeededAt;
    this.#presence = before.#presence;
  }

  /** What the file was there with before is as old as the file. */
  async #note({ services }: TemplateValues, wrote: boolean): Promise<void> {
    const { clock } = this.#options;
    const given = chosen(this.config, services);
    const isFirst = given.some(({ name }) => this.#presence.service(name) === undefined);
    const before = isFirst && !wrote ? await changedAt(this.config.destinationFile) : undefined;
    for (const { name, instances } of given)
      this.#presence.note(name, instances.map(keyOf), before ?? clock.now());
    this.#presence.keepOnly(new Set(given.map(({ name }) => name)));
  }

  /** Beside the file as long as the command is still to be run for it: a crash in between must not lose that. */
  get #marker(): string {
    const { destinationFile } = this.config;
    return join(dirname(destinationFile), `.${basename(destinationFile)}.command`);
  }

  async #write(values: TemplateValues): Promise<boolean> {
    const { destinationFile, mode, command } = this.config;
    const before = await readFile(destinationFile, 'utf8').catch(() => undefined);
    this.#waitingFor = before === undefined ? [] : chosen(this.config, values.unknown);
    // Whoever wrote the file knew more.
    if (this.#waitingFor.length > 0) return false;
    let text: string;
    try {
      text = await this.#template.render(chosen(this.config, values.services));
      this.#problem = undefined;
    } catch (error) {
      this.#problem = describeError(error);
      throw error;
    }
    if (text === before) return false;
    const { metrics, logger } = this.#options;
    try {
      await makeDirectory(dirname(destinationFile));
      if (command !== undefined) await writeFile(this.#marker, '');
      await writeFileAtomic(destinationFile, text, { mode });
    } catch (error) {
      metrics.wrote('failure');
      if (error instanceof AgentError) throw error;
      const message = `Cannot write ${destinationFile}: ${describeError(error)}`;
      throw new AgentError('file_write', message, { cause: error, retriable: true });
    }
    metrics.wrote('success');
    logger.info('file of a template written', { file: destinationFile, bytes: Buffer.byteLength(text) });
    this.#commandDue = command !== undefined;
    return true;
  }

  async #run(command: readonly string[], signal: AbortSignal): Promise<void> {
    const { clock, metrics, logger } = this.#options;
    const { commandTimeoutMs: timeoutMs } = this.config;
    const [file = '', ...args] = command;
    const { exitCode, output, problem } = await runCommand(file, args, { clock, timeoutMs, signal });
    if (signal.aborted) return;
    if (exitCode === 0 && problem === undefined) {
      metrics.ran('success');
      this.#commandDue = false;
      this.#succeededAt = clock.now();
      this.#commandProblem = undefined;
      await unlink(this.#marker).catch(() => undefined);
      logger.debug('post_template_command run', { command });
      return;
    }
    metrics.ran('failure');
    const said = output.trim().slice(-300);
    const why = problem ?? `status ${exitCode ?? 'unknown'}`;
    this.#commandProblem = said === '' ? why : `${why}: ${said}`;
    const message = `post_template_command of ${this.config.destinationFile} failed: ${this.#commandProblem}`;
    throw new AgentError('command-failed', message, { retriable: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function changedAt(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}
