import { dirname, resolve } from 'node:path';
import type { Clock } from '@smartstack/agent';
import { runCommand } from '@smartstack/agent/command';
import type { NginxConfig } from '../blocks.js';

/** Where an nginx says what it does. */
export interface NginxPaths {
  /** Undefined when nobody knows: it is not installed here, and the configuration does not say. */
  readonly pidFile: string | undefined;
  /** Undefined when it logs elsewhere than into a file. */
  readonly errorLog: string | undefined;
}

/** For `nginx -V`, in milliseconds. */
const versionMs = 5_000;

/** Asks the executable for what the configuration leaves to it. Never throws. */
export async function nginxPaths(
  { contexts, nginxBinary, configFilePath }: NginxConfig,
  clock: Clock,
): Promise<NginxPaths> {
  const pid = valueOf(contexts.main, 'pid');
  const log = valueOf(contexts.main, 'error_log');
  if (pid?.startsWith('/') === true && log !== undefined)
    return { pidFile: pid, errorLog: logFile(log, '/') };
  const { output } = await runCommand(nginxBinary, ['-V'], { clock, timeoutMs: versionMs });
  const builtIn = (option: string): string | undefined => new RegExp(`--${option}=(\\S+)`).exec(output)?.[1];
  const prefix = builtIn('prefix') ?? dirname(configFilePath);
  const pidFile = pid ?? builtIn('pid-path');
  const errorLog = log ?? builtIn('error-log-path');
  return {
    pidFile: pidFile === undefined ? undefined : resolve(prefix, pidFile),
    errorLog: errorLog === undefined ? undefined : logFile(errorLog, prefix),
  };
}

/** The first argument of a directive; the last one counts, as for nginx there is only one. */
function valueOf(lines: readonly string[], directive: string): string | undefined {
  const found = lines.flatMap((line) => {
    const [word, value] = line.trim().split(/\s+/);
    return word === directive && value !== undefined ? [value.replace(/^(["'])(.*)\1$/, '$2')] : [];
  });
  return found.at(-1);
}

function logFile(value: string, prefix: string): string | undefined {
  return value === 'stderr' || /^(syslog|memory):/.test(value) ? undefined : resolve(prefix, value);
}
