import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

/** What a command line came to; -1 where it took too long. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line of what was built, as an operator does, to its end. */
export function commandOf(name: 'nerve' | 'synapse', ...args: readonly string[]): Promise<CommandResult> {
  const program = resolve(import.meta.dirname, `../../packages/${name}/bin/${name}.js`);
  return new Promise((done) => {
    execFile(
      process.execPath,
      [program, ...args],
      { timeout: 20_000, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        // One that was ended for taking too long has no code of its own.
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        done({ code, stdout, stderr });
      },
    );
  });
}
