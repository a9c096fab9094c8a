import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { eventually } from './eventually.ts';

/**
 * The HAProxy that tests run: `SMARTSTACK_HAPROXY` names the executable of another version; else the installed one.
 * Absolute, since agents run in folders of their own.
 */
export const haproxyBinary = process.env.SMARTSTACK_HAPROXY
  ? resolve(process.env.SMARTSTACK_HAPROXY)
  : 'haproxy';

/** How a HAProxy of the test bed is started. */
export interface HaproxyOptions {
  /** A folder of the test's own; sockets, configuration and log go there. Keep its path short: sockets allow 107 bytes. */
  readonly dir: string;
  /** The configuration; without it the file at `configFile` is taken as it is. */
  readonly config?: string;
  /** Where the configuration lies if not in `dir`: several processes may load one file. */
  readonly configFile?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** File descriptors that it may open at most, as LimitNOFILE of a unit says; it has no means to raise that. */
  readonly openFiles?: number;
  /** The executable, instead of `haproxyBinary`. */
  readonly binary?: string;
}

/** Where the parts of a test's HAProxy lie in its folder. */
export interface HaproxyPaths {
  readonly configFile: string;
  readonly adminSocket: string;
  readonly masterSocket: string;
  readonly logFile: string;
}

/** A real HAProxy, master and worker, in a folder of the test's own. */
export interface Haproxy extends HaproxyPaths {
  /** Of the master. */
  readonly pid: number;
  /** True until the master has ended. */
  readonly running: boolean;
  /** Pid of the newest worker, from the master CLI. */
  workerPid(): Promise<number>;
  /** Asks the stats socket (or the master CLI) one command and returns the raw answer. */
  ask(command: string, socket?: string): Promise<string>;
  /** Reloads through the master CLI and waits for the new worker; throws with the log when it does not come. */
  reload(): Promise<void>;
  /** Sends a signal to master and workers (SIGSTOP, SIGCONT, SIGKILL). */
  signalAll(signal: NodeJS.Signals): Promise<void>;
  /** Kills master and workers -9, as a crash or the OOM killer does. */
  kill(): Promise<void>;
  /** Ends it, whatever state it is in. Safe to call twice. */
  stop(): Promise<void>;
}

const timeoutMs = 10_000;

/** The paths that `startHaproxy` uses under `dir`. */
export function haproxyPaths(dir: string): HaproxyPaths {
  return {
    configFile: join(dir, 'haproxy.cfg'),
    adminSocket: join(dir, 'admin.sock'),
    masterSocket: join(dir, 'master.sock'),
    logFile: join(dir, 'haproxy.log'),
  };
}

/** A `global` and `defaults` that suit tests: admin socket, hitless reload, short timeouts. */
export function testBase(dir: string): {
  readonly global: readonly string[];
  readonly defaults: readonly string[];
} {
  return {
    global: [
      `stats socket ${haproxyPaths(dir).adminSocket} mode 600 level admin expose-fd listeners`,
      'stats timeout 30s',
      'maxconn 2000',
      'hard-stop-after 5s',
    ],
    defaults: [
      'mode http',
      'balance roundrobin',
      'timeout connect 1s',
      'timeout client 10s',
      'timeout server 10s',
      'option redispatch',
      '.if version_atleast(2.6)',
      'option idle-close-on-response',
      '.endif',
      'retries 3',
    ],
  };
}

/** Sends one command and reads until the peer closes; half-closes, which the master CLI wants. */
export function askSocket(path: string, command: string, timeoutMs = 2_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let answer = '';
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer to "${command}" on ${path}`)));
    socket.on('connect', () => socket.end(`${command}\n`));
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.on('error', reject);
    socket.on('close', (failed) => {
      if (!failed) resolve(answer);
    });
  });
}

/** The pids under `# workers` (current ones) or `# old workers` in an answer of `show proc`. */
export function workersOf(showProc: string, section: 'workers' | 'old workers' = 'workers'): number[] {
  const lines = showProc.split('\n');
  const start = lines.indexOf(`# ${section}`);
  if (start < 0) return [];
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.startsWith('#') || line === '');
  return rest.slice(0, end < 0 ? undefined : end).map((line) => Number(line.split(/\s+/)[0]));
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Pids of the master's children, from the kernel: right even when HAProxy does not answer. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.trim() === '' ? [] : text.trim().split(' ').map(Number);
}

/** True while a process of this pid exists and is not a zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/^\d+ \(.*\) [ZX]/.test(stat);
}

/** Pids of a master and its workers. */
async function treeOf(master: number): Promise<readonly number[]> {
  return [master, ...(await childrenOf(master))];
}

/** Sends a signal to a master and its workers, by the master's pid (SIGSTOP, SIGCONT). */
export async function signalTree(master: number, signal: NodeJS.Signals): Promise<void> {
  for (const each of await treeOf(master)) sendSignal(each, signal);
}

/** Ends master and workers of a HAProxy that someone else started (managed mode), by the master's pid. */
export async function killTree(pid: number): Promise<void> {
  const pids = await treeOf(pid);
  for (const each of pids) sendSignal(each, 'SIGKILL');
  await eventually(async () => !(await Promise.all(pids.map(isAlive))).some(Boolean), {
    what: 'HAProxy has ended',
    timeoutMs,
  });
}

/** Ends every process whose command line names something in `folder`: an HAProxy of a test, whether it answers or not. */
export async function killAllIn(folder: string): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const pid of pids) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (words.some((word) => word.startsWith(`${folder}/`)) && (await isAlive(pid))) await killTree(pid);
  }
}

/** A command line that runs HAProxy with a hard limit of open files. */
export function limited(openFiles: number, binary = haproxyBinary): readonly string[] {
  const unable = process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-sys_resource'] : [];
  return ['prlimit', `--nofile=${openFiles}:${openFiles}`, ...unable, binary];
}

/** Starts a master-worker HAProxy and waits until its worker answers on the admin socket. */
export async function startHaproxy(options: HaproxyOptions): Promise<Haproxy> {
  const paths = {
    ...haproxyPaths(options.dir),
    ...(options.configFile && { configFile: options.configFile }),
  };
  await mkdir(options.dir, { recursive: true });
  if (options.config !== undefined) await writeFile(paths.configFile, options.config);
  const { binary = haproxyBinary } = options;
  const [command = '', ...wrapper] =
    options.openFiles === undefined ? [binary] : limited(options.openFiles, binary);
  const child: ChildProcess = spawn(
    command,
    [...wrapper, '-W', '-S', paths.masterSocket, '-f', paths.configFile],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.env && { env: { ...process.env, ...options.env } }),
    },
  );
  let log = '';
  child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const { pid } = child;
  if (pid === undefined) throw new Error('haproxy could not be started: is it installed?');

  const showProc = (): Promise<string> => askSocket(paths.masterSocket, 'show proc');
  const killAll = async (): Promise<void> => {
    for (const each of [pid, ...(await childrenOf(pid))]) sendSignal(each, 'SIGKILL');
    await exited;
  };
  const handle: Haproxy = {
    ...paths,
    pid,
    get running() {
      return running();
    },
    workerPid: async () => {
      const [worker] = workersOf(await showProc());
      if (worker === undefined) throw new Error('the master has no worker');
      return worker;
    },
    ask: (command, socket = paths.adminSocket) => askSocket(socket, command),
    reload: async () => {
      const before = workersOf(await showProc());
      await askSocket(paths.masterSocket, 'reload');
      const isNew = (worker: number | undefined): boolean => worker !== undefined && !before.includes(worker);
      const arrived = async (): Promise<boolean> => isNew(workersOf(await showProc())[0]);
      await eventually(arrived, { what: 'a new worker runs', timeoutMs }).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${log}`);
      });
    },
    signalAll: async (signal) => {
      for (const each of [pid, ...(await childrenOf(pid))]) sendSignal(each, signal);
    },
    kill: killAll,
    stop: async () => {
      if (running()) await killAll();
    },
  };
  try {
    const answers = async (): Promise<boolean> => {
      if (!running()) return true;
      // The master begins to listen after its worker does.
      const [worker] = workersOf(await showProc());
      const info = await askSocket(paths.adminSocket, 'show info');
      return worker !== undefined && info.includes(`\nPid: ${worker}\n`);
    };
    await eventually(answers, { what: 'HAProxy answers on its admin socket', timeoutMs });
    if (!running()) throw new Error('haproxy ended');
  } catch (error) {
    await handle.stop();
    throw new Error(`${String(error)}\n${log}`);
  }
  return handle;
}

/** Whether the text of a section of haproxy.cfg is that of a backend, whatever it inherits. */
export function isBackend(section: string, backend: string): boolean {
  return /^backend (\S+)/.exec(section)?.[1] === backend;
}
