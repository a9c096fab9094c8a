import { AgentError, type Clock, type Logger } from '@smartstack/agent';
import { type CommandResult, runCommand, runShell } from '@smartstack/agent/command';
import type { NginxConfig } from './blocks.js';

/** For one command, in milliseconds. */
const commandMs = 60_000;
/** nginx says that it started a moment before it can be told anything. */
const settling = { attempts: 20, everyMs: 100 };

export interface NginxProcessDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An nginx that others supervise: told to start and to reload by commands. */
export class NginxProcess {
  readonly #config: NginxConfig;
  readonly #deps: NginxProcessDeps;
  /** The operator's start command was run, as in Ruby once in the life of an agent. */
  #wasStarted = false;

  constructor(config: NginxConfig, deps: NginxProcessDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** Has nginx take the file, starting it if need be. Throws AgentError `reload-failed`, retriable. */
  async reload(signal: AbortSignal): Promise<'reload' | 'start'> {
    const { startCommand, reloadCommand, nginxBinary, configFilePath } = this.#config;
    let attempts = 1;
    if (startCommand !== undefined && !this.#wasStarted) {
      const result = await runShell(startCommand, this.#options(signal));
      this.#wasStarted = true;
      if (result.exitCode === 0) attempts = settling.attempts;
      // It is no failure either: it may run already.
      this.#deps.logger.info('start command of nginx run', { status: result.exitCode, ...told(result) });
    }
    let result = await this.#reloadOnce(signal);
    for (let attempt = 1; attempt < attempts && result.exitCode !== 0; attempt += 1) {
      await this.#deps.clock.sleep(settling.everyMs, signal);
      result = await this.#reloadOnce(signal);
    }
    if (result.exitCode === 0) return 'reload';
    if (startCommand === undefined && reloadCommand === undefined) {
      // Whoever cannot be told to reload does not run.
      const start = await runCommand(nginxBinary, ['-c', configFilePath], this.#options(signal));
      if (start.exitCode === 0) return 'start';
      throw failure('nginx could not be started', start);
    }
    throw failure('nginx could not be reloaded', result);
  }

  #reloadOnce(signal: AbortSignal): Promise<CommandResult> {
    const { reloadCommand, nginxBinary, configFilePath } = this.#config;
    const options = this.#options(signal);
    return reloadCommand === undefined
      ? runCommand(nginxBinary, ['-s', 'reload', '-c', configFilePath], options)
      : runShell(reloadCommand, options);
  }

  #options(signal: AbortSignal) {
    return { clock: this.#deps.clock, timeoutMs: commandMs, signal };
  }
}

function told({ output, problem }: CommandResult): { readonly output?: string; readonly problem?: string } {
  const text = output.trim().slice(-500);
  return { ...(text !== '' && { output: text }), ...(problem !== undefined && { problem }) };
}

function failure(what: string, { exitCode, output, problem }: CommandResult): AgentError {
  const why = problem ?? `status ${exitCode ?? 'unknown'}: ${output.trim().slice(-500)}`;
  return new AgentError('reload-failed', `${what}: ${why}`, { retriable: true });
}
