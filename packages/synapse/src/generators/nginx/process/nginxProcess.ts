import { AgentError, type Clock, describeError, type Logger } from '@smartstack/agent';
import { type CommandResult, runCommand, runShell } from '@smartstack/agent/command';
import type { NginxConfig } from '../blocks.js';
import { ErrorLog } from './errorLog.js';
import { type NginxMaster, readMaster, stillRunning } from './master.js';
import { type NginxPaths, nginxPaths } from './paths.js';

/** For one command, in milliseconds. */
const commandMs = 60_000;
/** Until it is seen to have done what it was told, and how often that is looked at, in milliseconds. */
const deadline = { startMs: 5_000, reloadMs: 10_000, orphansMs: 1_000, everyMs: 20 };

/** What the process needs. */
export interface NginxProcessDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** nginx did not take the file; `output` is what it says about it. */
export class ReloadError extends AgentError {
  readonly output: string;

  constructor(message: string, output: string) {
    super('reload-failed', message, { retriable: true });
    this.output = output;
  }
}

/** The nginx that serves the file: seen by its pid file, started and reloaded by signals or by the operator's commands. */
export class NginxProcess {
  readonly #config: NginxConfig;
  readonly #deps: NginxProcessDeps;
  #paths: Promise<NginxPaths> | undefined;
  /** The last one that was seen to run. */
  #last: NginxMaster | undefined;
  /** The start command was run for an nginx that nobody ever saw. */
  #wasStarted = false;

  constructor(config: NginxConfig, deps: NginxProcessDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** The nginx that runs; undefined for none, and where its pid file is not known. */
  async look(): Promise<NginxMaster | undefined> {
    const { pidFile } = await this.#where();
    if (pidFile === undefined) return undefined;
    const master = await readMaster(pidFile, this.#deps.clock.now());
    this.#last = master ?? this.#last;
    return master;
  }

  /** It was seen to run once. */
  get wasSeen(): boolean {
    return this.#last !== undefined;
  }

  /** Has nginx take the file, starting it if need be. Throws ReloadError. */
  async reload(signal: AbortSignal): Promise<'reload' | 'start'> {
    const { startCommand, reloadCommand } = this.#config;
    const before = await this.look();
    if (before === undefined && (await this.#start(signal))) return 'start';
    const log = await ErrorLog.from((await this.#where()).errorLog);
    if (reloadCommand !== undefined) {
      const result = await runShell(reloadCommand, this.#options(signal));
      if (result.exitCode !== 0) throw failure('nginx could not be reloaded', result);
    } else if (before !== undefined) hangUp(before.pid);
    else throw new ReloadError('nginx does not run, and there is no start_command that works', '');
    if (before !== undefined) await this.#taken(before, log, signal);
    return before === undefined && startCommand !== undefined ? 'start' : 'reload';
  }

  /** True when an nginx was started and is seen to run: then it has the file already. */
  async #start(signal: AbortSignal): Promise<boolean> {
    const { startCommand, reloadCommand, contexts, nginxBinary, configFilePath } = this.#config;
    if (startCommand === undefined && reloadCommand !== undefined) return false;
    // Where nobody knows what runs: once in the life of an agent, as in Ruby.
    if (this.#wasStarted && !this.wasSeen && startCommand !== undefined) return false;
    if (startCommand === undefined && contexts.main.some((line) => /^daemon\s+off$/.test(line.trim())))
      throw new ReloadError('nginx does not run, and with `daemon off` somebody else has to start it', '');
    await this.#endOrphans(signal);
    const log = await ErrorLog.from((await this.#where()).errorLog);
    const result =
      startCommand === undefined
        ? await runCommand(nginxBinary, ['-c', configFilePath], this.#options(signal))
        : await runShell(startCommand, this.#options(signal));
    this.#wasStarted = true;
    if (startCommand === undefined && result.exitCode !== 0) {
      const output = [result.output, await log.failure()].filter(Boolean).join('\n');
      throw failure('nginx could not be started', { ...result, output });
    }
    const waitMs = result.exitCode === 0 ? deadline.startMs : 0;
    const runs = await this.#until(async () => (await this.look())?.loadedAt !== undefined, waitMs, signal);
    if (!runs)
      this.#deps.logger.warn('nginx is not seen to run after its start command', {
        ...{ status: result.exitCode, output: result.output.trim().slice(-500) },
        ...(result.problem !== undefined && { problem: result.problem }),
      });
    if (!runs && reloadCommand === undefined) throw failure('nginx could not be started', result);
    return runs;
  }

  /** Workers whose master was killed go on, and keep the addresses for themselves. */
  async #endOrphans(signal: AbortSignal): Promise<void> {
    const workers = await stillRunning(this.#last?.workers ?? []);
    if (workers.length === 0) return;
    this.#deps.logger.warn('workers of nginx have outlived their master: telling them to end', {
      workers: workers.map(({ pid }) => pid),
    });
    for (const { pid } of workers) tell(pid, 'SIGQUIT');
    const areGone = async (): Promise<boolean> =>
      (await stillRunning(workers)).every(({ isLeaving }) => isLeaving);
    await this.#until(areGone, deadline.orphansMs, signal);
  }

  /** Resolves when another generation of workers serves. A reload that fails is told in the log alone. */
  async #taken(before: NginxMaster, log: ErrorLog, signal: AbortSignal): Promise<void> {
    const known = new Set(before.workers.map(({ id }) => id));
    // Nobody may look at them.
    if (known.size === 0) return;
    const seen: { told?: string | undefined; isNew: boolean } = { isNew: false };
    await this.#until(
      async () => {
        const now = await this.look();
        if (now === undefined) return false;
        const serving = now.workers.filter(({ isLeaving }) => !isLeaving);
        seen.isNew = now.id !== before.id || serving.some(({ id }) => !known.has(id));
        if (seen.isNew && !serving.some(({ id }) => known.has(id))) return true;
        seen.told = seen.isNew ? undefined : await log.failure();
        return seen.told !== undefined;
      },
      deadline.reloadMs,
      signal,
    );
    if (seen.isNew) return;
    const why = seen.told ?? `it has the same workers after ${deadline.reloadMs / 1000} s; see its error_log`;
    throw new ReloadError(`nginx did not take the file: ${firstReason(why)}`, why);
  }

  async #until(condition: () => Promise<boolean>, forMs: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#deps;
    const end = clock.monotonic() + forMs;
    for (;;) {
      if (await condition()) return true;
      if (clock.monotonic() >= end) return false;
      await clock.sleep(deadline.everyMs, signal);
    }
  }

  #where(): Promise<NginxPaths> {
    this.#paths ??= nginxPaths(this.#config, this.#deps.clock);
    return this.#paths;
  }

  #options(signal: AbortSignal) {
    return { clock: this.#deps.clock, timeoutMs: commandMs, signal };
  }
}

function hangUp(pid: number): void {
  try {
    process.kill(pid, 'SIGHUP');
  } catch (error) {
    const message = `cannot tell nginx (process ${pid}) to reload: ${describeError(error)}; set reload_command`;
    throw new ReloadError(message, '');
  }
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone, or not ours to end.
  }
}

function firstReason(text: string): string {
  return text.replace(/^.*?\[emerg\] (\d+#\d+: )?/, '').split('\n')[0] ?? '';
}

function failure(what: string, { exitCode, output, problem }: CommandResult): ReloadError {
  const why = problem ?? `status ${exitCode ?? 'unknown'}: ${firstReason(output.trim().slice(-1_000))}`;
  return new ReloadError(`${what}: ${why}`, output);
}
