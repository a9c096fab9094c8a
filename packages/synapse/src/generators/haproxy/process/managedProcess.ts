import { spawn } from 'node:child_process';
import { open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Backoff, type Clock, describeError, type Logger, makeDirectory } from '@smartstack/agent';
import { descriptorLimit, haproxyLimit } from './descriptorLimit.js';
import {
  askWorker,
  awaitMaster,
  hasNewWorker,
  type MasterStatus,
  readMaster,
  reloadThroughMaster,
} from './masterCli.js';
import type { HaproxyProcess, ProcessTiming } from './process.js';
import { readLogFrom, withWords } from './haproxyWords.js';
import { ReloadError } from './reloadError.js';
import { haproxyOf, type RunningHaproxy, runningHaproxies } from './runningHaproxy.js';
import type { Turn } from './turn.js';
import { RuntimeApiError } from '../runtime/runtimeError.js';

/** An HAProxy that synapse starts itself, and leaves serving when it stops. */
export interface ManagedProcessOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timing: ProcessTiming;
  readonly haproxyBinary: string;
  readonly configFile: string;
  readonly masterSocketPath: string;
  /** What HAProxy writes on its standard streams is appended here. */
  readonly logFile: string;
  /** How often its master is looked after, in milliseconds. */
  readonly superviseMs: number;
  /** Starts and reloads are one at a time, whoever asks, also across a change of these options. */
  readonly turn: Turn;
  /** Supervision starts it on the first file, too, for no pass asks for a start (`do_reloads: false`). */
  readonly startsFirst: boolean;
  /** Called after each attempt to start it. */
  readonly onStart: (result: 'success' | 'failure') => void;
  readonly random?: () => number;
}

class ManagedProcess implements HaproxyProcess {
  readonly #options: ManagedProcessOptions;
  readonly #backoff: Backoff;
  /** Where the master answers: one that runs keeps the socket that it was started with, whatever is configured now. */
  #masterSocket: string;
  /** There is a file to run. */
  #isWanted = false;
  /** On which file we started it last, and when it answered: monotonic clock in milliseconds. */
  #lastStart: { readonly file: string | undefined; readonly endedAt: number } = {
    ...{ file: undefined, endedAt: -Infinity },
  };
  /** Who ran when there was no file yet: looked for while the registry is read. */
  #early: Promise<readonly RunningHaproxy[]> | undefined;

  constructor(options: ManagedProcessOptions) {
    this.#options = options;
    const { random } = options;
    this.#masterSocket = options.masterSocketPath;
    this.#backoff = new Backoff({ minMs: options.superviseMs, maxMs: 30_000, ...(random && { random }) });
  }

  async status(signal: AbortSignal): Promise<MasterStatus | undefined> {
    return readMaster(this.#masterSocket, this.#master(signal)).catch(() => undefined);
  }

  askWorker(pid: number, command: string, signal: AbortSignal): Promise<string> {
    return askWorker(this.#masterSocket, pid, command, this.#master(signal));
  }

  reload(signal: AbortSignal): Promise<'reloaded' | 'started'> {
    this.#isWanted = true;
    return this.#options.turn.take(async () => {
      if ((await this.#ensureRunning(signal)) === 'started') return 'started';
      await this.#refuseOtherFile(signal);
      const { logFile } = this.#options;
      const size = await stat(logFile).then(
        (file) => file.size,
        () => 0,
      );
      try {
        await reloadThroughMaster(this.#masterSocket, this.#master(signal));
        return 'reloaded';
      } catch (error) {
        if (signal.aborted || !(error instanceof ReloadError)) throw error;
        throw withWords(error, await readLogFrom(logFile, size));
      }
    });
  }

  ensure(signal: AbortSignal, lookedAt: number): Promise<'running' | 'started'> {
    this.#isWanted = true;
    return this.#options.turn.take(async () => {
      const how = await this.#ensureRunning(signal);
      const { file, endedAt } = this.#lastStart;
      return endedAt >= lookedAt && file === (await this.#file()) ? 'started' : how;
    });
  }

  startWith<T>(
    place: (start: () => Promise<void>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | 'running'> {
    this.#isWanted = true;
    return this.#options.turn.take(async () =>
      (await this.#isThere(signal)) ? 'running' : place(() => this.#start(signal)),
    );
  }

  /** Each file is put in place whole: one that is there before and after a start is what was read. */
  async hasLoadedFile(worker: number, signal: AbortSignal): Promise<boolean> {
    const { file } = this.#lastStart;
    if (file === undefined || file !== (await this.#file())) return false;
    return (await this.status(signal))?.workers.some(({ pid }) => pid === worker) === true;
  }

  /** One that we start has our own limit. */
  async descriptorLimit(signal: AbortSignal): Promise<number | undefined> {
    const pid = (await this.status(signal))?.pid;
    return pid === undefined ? descriptorLimit('self') : haproxyLimit(pid);
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    const { clock, logger, superviseMs } = this.#options;
    let lastProblem: string | undefined;
    const stopped = (): boolean => signal.aborted;
    // What an earlier run left serves until more is known. Else whoever writes the first file starts HAProxy on it.
    const isThere = (await this.#file()) !== undefined;
    this.#isWanted ||= isThere;
    if (!isThere) this.#early = runningHaproxies();
    // Whoever awaits it is told of a failure, and maybe nobody does.
    this.#early?.catch(() => undefined);
    while (!stopped()) {
      let delay = superviseMs;
      try {
        const mayStart = this.#isWanted || this.#options.startsFirst;
        if (mayStart && (await this.#file()) !== undefined) {
          if ((await this.#options.turn.take(() => this.#ensureRunning(signal))) === 'started') wake();
          this.#backoff.reset();
          lastProblem = undefined;
        }
      } catch (error) {
        if (stopped()) break;
        delay = this.#backoff.next();
        const problem = describeError(error);
        logger[problem === lastProblem ? 'debug' : 'error']('haproxy cannot be kept running', { problem });
        lastProblem = problem;
      }
      await clock.sleep(delay, signal).catch(() => undefined);
    }
  }

  /** What tells the present file from any other: each is put in place whole. Undefined when there is none. */
  async #file(): Promise<string | undefined> {
    const found = await stat(this.#options.configFile).catch(() => undefined);
    return found && [found.ino, found.size, found.mtimeMs].join(' ');
  }

  #master(signal: AbortSignal) {
    const { clock, timing } = this.#options;
    return { clock, deadlineMs: timing.answerMs, patienceMs: timing.reloadMs, signal };
  }

  /** Finds the running master or starts one. */
  async #ensureRunning(signal: AbortSignal): Promise<'running' | 'started'> {
    if (await this.#isThere(signal)) return 'running';
    await this.#start(signal);
    return 'started';
  }

  /** A master that is alive but silent is waited for, never doubled. */
  async #isThere(signal: AbortSignal): Promise<boolean> {
    const { clock, timing } = this.#options;
    if (await this.#answers(signal)) return true;
    const end = clock.monotonic() + timing.reloadMs;
    for (;;) {
      const ours = await this.#findOurs();
      if (ours.length === 0) break;
      this.#adopt(ours);
      // It re-executes itself, or it is on its way out.
      if ((await this.status(signal)) !== undefined) return true;
      if (clock.monotonic() >= end)
        throw new ReloadError('HAProxy is alive but its master is silent', { isSilent: true });
      await clock.sleep(20, signal);
    }
    this.#masterSocket = this.#options.masterSocketPath;
    return false;
  }

  async #answers(signal: AbortSignal): Promise<boolean> {
    try {
      await readMaster(this.#masterSocket, this.#master(signal));
      return true;
    } catch (error) {
      if (!(error instanceof RuntimeApiError) || signal.aborted) throw error;
      if (error.code === 'runtime-timeout')
        throw new ReloadError('HAProxy is alive but does not answer', { cause: error, isSilent: true });
      return false;
    }
  }

  /** Masters and workers on our file, or on our master socket. */
  async #findOurs(): Promise<readonly RunningHaproxy[]> {
    const { configFile, masterSocketPath } = this.#options;
    const sockets = [masterSocketPath, this.#masterSocket];
    const all = (await this.#seenEarly()) ?? (await runningHaproxies());
    return all.filter(
      ({ files, masterSocket }) =>
        files.includes(configFile) || (masterSocket !== undefined && sockets.includes(masterSocket)),
    );
  }

  /** Once, and while there is no file still: nobody can have been started on it since, and our master socket is silent. */
  async #seenEarly(): Promise<readonly RunningHaproxy[] | undefined> {
    const early = this.#early;
    this.#early = undefined;
    return early !== undefined && (await this.#file()) === undefined ? early : undefined;
  }

  /** Talks to the master of an HAProxy that serves our file already: a second one would share its ports. */
  #adopt(ours: readonly RunningHaproxy[]): void {
    const { logger, configFile, masterSocketPath } = this.#options;
    const [{ pid, masterSocket } = { pid: 0, masterSocket: undefined }] = ours;
    if (masterSocket === undefined) {
      const where = `an HAProxy (pid ${pid}) that has no master socket (-S) runs on ${configFile}`;
      throw new ReloadError(`${where}: stop it, and it is started as it should be`);
    }
    if (masterSocket === this.#masterSocket) return;
    this.#masterSocket = masterSocket;
    if (masterSocket === masterSocketPath) return;
    logger.warn('haproxy keeps the master socket that it was started with, until it is stopped', {
      ...{ pid, masterSocket, configured: masterSocketPath },
    });
  }

  /** A master reads the file that it was started with: loading that again would change nothing. */
  async #refuseOtherFile(signal: AbortSignal): Promise<void> {
    const { configFile } = this.#options;
    const master = await this.status(signal);
    const running = master === undefined ? undefined : await haproxyOf(master.pid);
    if (running === undefined || running.files.length === 0 || running.files.includes(configFile)) return;
    throw new ReloadError(
      `HAProxy (pid ${running.pid}) was started on ${running.files.join(', ')}, not on ${configFile}: stop it, and it is started on that`,
    );
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { haproxyBinary, configFile, masterSocketPath, logFile, logger, clock, onStart } = this.#options;
    const startedAt = clock.monotonic();
    await Promise.all([masterSocketPath, logFile].map((path) => makeDirectory(dirname(path))));
    await unlink(masterSocketPath).catch(() => undefined);
    const log = await open(logFile, 'a', 0o640);
    const { size } = await log.stat();
    // systemd's variables are about this agent, not about its HAProxy.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(NOTIFY_SOCKET|WATCHDOG_)/.test(name)),
    );
    if (signal.aborted) await log.close();
    signal.throwIfAborted();
    const file = await this.#file();
    // A session of its own: it goes on serving when synapse ends, however it ends.
    const child = spawn(haproxyBinary, ['-W', '-S', `${masterSocketPath},mode,600`, '-f', configFile], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env,
    });
    let ended: string | undefined;
    child.on('error', (error) => (ended = error.message));
    child.on('exit', (code, killer) => (ended = `status ${code ?? killer ?? 'unknown'}`));
    child.unref();
    try {
      const { pid } = await awaitMaster(
        masterSocketPath,
        {
          ...this.#master(signal),
          stopIf: () => (ended === undefined ? undefined : new ReloadError(`HAProxy ended: ${ended}`)),
        },
        (status) => hasNewWorker(masterSocketPath, status, new Set(), this.#master(signal)),
      );
      this.#lastStart = { file, endedAt: clock.monotonic() };
      onStart('success');
      logger.info('haproxy started', { pid, ms: Math.round(clock.monotonic() - startedAt) });
    } catch (error) {
      if (!(error instanceof ReloadError)) throw error;
      onStart('failure');
      const said = await readLogFrom(logFile, size);
      throw withWords(error, said, 'start');
    } finally {
      await log.close();
    }
  }
}

/** Keeps a master-worker HAProxy of ours running on the configuration file; adopts one that runs already. */
export function createManagedProcess(options: ManagedProcessOptions): HaproxyProcess {
  return new ManagedProcess(options);
}
