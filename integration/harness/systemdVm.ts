import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const script = resolve(import.meta.dirname, 'systemdVm.sh');
/** The working copy, and where the container sees it (read-only). */
const repository = resolve(import.meta.dirname, '../..');
const repositoryInside = '/opt/smartstack';

/** What a command came to; a command that fails is a result, not an error. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function execute(file: string, args: readonly string[], input = ''): Promise<CommandResult> {
  return new Promise((done) => {
    const child = execFile(file, args, { timeout: 60_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      done({ code, stdout, stderr });
    });
    // A command that does not read may be gone already; its result tells.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** Why this machine cannot boot a container, or undefined where it can. */
export function whyNoSystemdVm(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/usr/bin/systemd-nspawn')) return 'needs the package systemd-container';
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers') && !existsSync('/sys/fs/cgroup/unified')) {
    return 'needs a cgroup v2 tree';
  }
  return undefined;
}

/**
 * A booted systemd in a container: this machine's files under an overlay that is thrown away, a network of its
 * own with nothing but loopback, the working copy under `/opt/smartstack`, Node as /usr/bin/node.
 */
export class SystemdVm {
  private static count = 0;
  private constructor(readonly name: string) {}

  /** Boots one, after taking down any that a killed test run left behind. Rejects with the console's output. */
  static async start(): Promise<SystemdVm> {
    await execute(script, ['sweep']);
    const vm = new SystemdVm(`smartstack-${process.pid}-${++SystemdVm.count}`);
    const node = dirname(dirname(process.execPath));
    const binds = [`--bind-ro=${repository}:${repositoryInside}`];
    if (node !== '/usr') binds.push(`--bind-ro=${node}`);
    const up = await execute(script, ['up', vm.name, '--private-network', ...binds]);
    if (up.code !== 0) {
      await vm.stop();
      throw new Error(`The container did not boot.\n${up.stdout}${up.stderr}`);
    }
    if (process.execPath !== '/usr/bin/node') await vm.must('ln', '-sf', process.execPath, '/usr/bin/node');
    return vm;
  }

  /** Runs a command in it and waits for its end (at most a minute). */
  run(command: string, ...args: readonly string[]): Promise<CommandResult> {
    return execute(script, ['run', this.name, command, ...args]);
  }

  /** Like `run`, for a command that must succeed: returns its output without the final newline. */
  async must(command: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, ...args);
    if (code !== 0) throw new Error(`${[command, ...args].join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /** Writes a file, and the folders above it, as root. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const command = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
    const args = ['run', this.name, 'sh', '-c', command, 'sh', path, mode.toString(8)];
    const { code, stderr } = await execute(script, args, text);
    if (code !== 0) throw new Error(`${path} could not be written: ${stderr}`);
  }

  /** A property of a unit, as `systemctl show` prints it. */
  property(unit: string, name: string): Promise<string> {
    return this.must('systemctl', 'show', '--property', name, '--value', unit);
  }

  /** Halts it and removes what it left on this machine. */
  async stop(): Promise<void> {
    const { code, stderr } = await execute(script, ['down', this.name]);
    if (code !== 0) throw new Error(`The container could not be removed: ${stderr}`);
  }
}
