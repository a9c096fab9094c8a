import { readFile, unlink, writeFile } from 'node:fs/promises';
import { AgentError, type Clock, describeError, writeFileAtomic } from '@smartstack/agent';
import { type CommandResult, runCommand, runShell } from '@smartstack/agent/command';
import type { NginxConfig } from '../blocks.js';

/** What a check of a file found. */
export interface Verdict {
  readonly valid: boolean;
  readonly output: string;
  /** Set when nobody could check: why. Then it counts as valid. */
  readonly unchecked?: string;
}

/** For one check, in milliseconds. */
const checkMs = 30_000;

/** Has files checked by nginx, or by the operator's command, before they are used. */
export class Checker {
  readonly #config: Pick<NginxConfig, 'checkCommand' | 'configFilePath' | 'nginxBinary'>;
  readonly #clock: Clock;

  constructor(config: Pick<NginxConfig, 'checkCommand' | 'configFilePath' | 'nginxBinary'>, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /** Where the file may be when nginx talks of it. */
  get paths(): readonly string[] {
    return [this.#candidate, this.#config.configFilePath];
  }

  /** In the same folder: what a file includes is looked for from there. */
  get #candidate(): string {
    return `${this.#config.configFilePath}.candidate`;
  }

  /** Throws AgentError (retriable): `file_write`, or `check-failed` without a verdict. */
  async check(text: string, signal?: AbortSignal): Promise<Verdict> {
    const { checkCommand, configFilePath, nginxBinary } = this.#config;
    const options = { clock: this.#clock, timeoutMs: checkMs, signal };
    const command =
      checkCommand === undefined ? undefined : withPath(checkCommand, configFilePath, this.#candidate);
    if (command !== undefined && command === checkCommand)
      return this.#checkInPlace(text, () => runShell(command, options));
    try {
      await writeCandidate(this.#candidate, text);
      if (command !== undefined) return verdictOf(await runShell(command, options));
      const result = await runCommand(nginxBinary, ['-t', '-q', '-c', this.#candidate], options);
      if (result.problem?.includes('ENOENT') === true)
        return { valid: true, output: '', unchecked: `${nginxBinary} is not installed here` };
      return verdictOf(result);
    } finally {
      await unlink(this.#candidate).catch(() => undefined);
    }
  }

  /** The operator's command looks at the file itself, wherever that is: it gets the new one, for as long as it takes. */
  async #checkInPlace(text: string, check: () => Promise<CommandResult>): Promise<Verdict> {
    const { configFilePath } = this.#config;
    const before = await readFile(configFilePath, 'utf8').catch(() => undefined);
    await writeFileAtomic(configFilePath, text);
    let valid = false;
    try {
      const verdict = verdictOf(await check());
      valid = verdict.valid;
      return verdict;
    } finally {
      if (!valid && before !== undefined) await writeFileAtomic(configFilePath, before);
      else if (!valid) await unlink(configFilePath).catch(() => undefined);
    }
  }
}

/** `command` with `candidate` in place of the path of the file; the same text where that is not named. */
function withPath(command: string, path: string, candidate: string): string {
  const escaped = path.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return command.replaceAll(new RegExp(`(?<![\\w./-])${escaped}(?![\\w./-])`, 'g'), () => candidate);
}

async function writeCandidate(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    const message = `cannot write ${path}: ${describeError(error)}`;
    throw new AgentError('file_write', message, { cause: error, retriable: true });
  }
}

function verdictOf({ exitCode, output, problem }: CommandResult): Verdict {
  if (problem !== undefined)
    throw new AgentError('check-failed', `the check of nginx.conf did not end: ${problem}`, {
      retriable: true,
    });
  return { valid: exitCode === 0, output };
}
