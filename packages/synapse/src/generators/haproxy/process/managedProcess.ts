import { spawn } from 'node:child_process';
import { mkdir, open, readdir, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Backoff, type Clock, describeError, type Logger } from '@smartstack/agent';
import { parseBindFailures } from '../file/configMessages.js';
import {
  awaitMaster,
  hasNewWorker,
  type MasterStatus,
  readMaster,
  reloadThroughMaster,
} from './masterCli.js';
import type { HaproxyProcess, ProcessTiming } from './process.js';
import { ReloadError } from './reloadError.js';
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
  readonly random?: () => number;
}

/** Pids of HAProxy processes whose command line names this master socket: the kernel knows what a socket may not tell. */
async function findHaproxy(masterSocketPath: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const matches = await Promise.all(
    pids.map(async (pid) => {
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      // Not by its name: the executable may be called otherwise (`haproxy_binary`).
      return words.some((word, at) => words[at - 1] === '-S' && word.split(',')[0] === masterSocketPath);
    }),
  );
  return pids.filter((_, index) => matches[index]).map(Number);
}

async function readLogFrom(path: string, offset: number): Promise<string> {
  const text = await readFile(path).catch(() => Buffer.alloc(0));
  return text.subarray(offset).toString().trim().slice(-1_000);
}

/** The failure, with what HAProxy itself wrote about it. */
function withWords({ message, cause, messages }: ReloadError, said: string): ReloadError {
  const logged = parseBindFailures(said);
  return new ReloadError(
    said === '' ? message : `${message}: ${said}`,
    cause,
    logged.length > 0 ? logged : messages,
  );
}

class ManagedProcess implements HaproxyProcess {
  readonly #options: ManagedProcessOptions;
  readonly #backoff: Backoff;
  /** Starts and reloads are one at a time, whether the loop or the supervision asks. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ManagedProcessOptions) {
    this.#options = options;
    const { random } = options;
    this.#backoff = new Backoff({ minMs: options.superviseMs, maxMs: 30_000, ...(random && { random }) });
  }

  async status(signal: AbortSignal): Promise<MasterStatus | undefined> {
    return readMaster(this.#options.masterSocketPath, this.#master(signal)).catch(() => undefined);
  }

  async reload(signal: AbortSignal): Promise<void> {
    await this.#exclusively(async () => {
      if ((await this.#ensureRunning(signal)) === 'started') return;
      const { logFile } = this.#options;
      const size = await stat(logFile).then(
        (file) => file.size,
        () => 0,
      );
      try {
        await reloadThroughMaster(this.#options.masterSocketPath, this.#master(signal));
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof ReloadError) {
          const said = await readLogFrom(logFile, size);
          throw withWords(error, said);
        }
        throw new ReloadError(`the master does not answer: ${describeError(error)}`, error);
      }
    });
  }

  ensure(signal: AbortSignal): Promise<'running' | 'started'> {
    return this.#exclusively(() => this.#ensureRunning(signal));
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    const { clock, logger, configFile, superviseMs } = this.#options;
    let lastProblem: string | undefined;
    const stopped = (): boolean => signal.aborted;
    while (!stopped()) {
      let delay = superviseMs;
      try {
        // Before the first configuration there is nothing to run.
        if ((await stat(configFile).catch(() => undefined)) !== undefined) {
          if ((await this.ensure(signal)) === 'started') wake();
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

  #master(signal: AbortSignal) {
    const { clock, timing } = this.#options;
    return { clock, deadlineMs: timing.answerMs, patienceMs: timing.reloadMs, signal };
  }

  #exclusively<T>(action: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(action, action);
    this.#turn = next.catch(() => undefined);
    return next;
  }

  /** Finds the running master or starts one. A master that is alive but silent is waited for, never doubled. */
  async #ensureRunning(signal: AbortSignal): Promise<'running' | 'started'> {
    const { masterSocketPath, timing } = this.#options;
    try {
      await readMaster(masterSocketPath, this.#master(signal));
      return 'running';
    } catch (error) {
      if (!(error instanceof RuntimeApiError) || signal.aborted) throw error;
      if (error.code === 'runtime-timeout')
        throw new ReloadError('HAProxy is alive but does not answer', error);
    }
    const end = this.#options.clock.monotonic() + timing.reloadMs;
    while ((await findHaproxy(masterSocketPath)).length > 0) {
      // It re-executes itself, or it is on its way out.
      if ((await this.status(signal)) !== undefined) return 'running';
      if (this.#options.clock.monotonic() >= end)
        throw new ReloadError('HAProxy is alive but its master is silent');
      await this.#options.clock.sleep(20, signal);
    }
    await this.#start(signal);
    return 'started';
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { haproxyBinary, configFile, masterSocketPath, logFile, logger } = this.#options;
    await Promise.all([masterSocketPath, logFile].map((path) => mkdir(dirname(path), { recursive: true })));
    await unlink(masterSocketPath).catch(() => undefined);
    const log = await open(logFile, 'a', 0o640);
    const { size } = await log.stat();
    // systemd's variables are about this agent, not about its HAProxy.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(NOTIFY_SOCKET|WATCHDOG_)/.test(name)),
    );
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
      logger.info('haproxy started', { pid });
    } catch (error) {
      if (!(error instanceof ReloadError)) throw error;
      const said = await readLogFrom(logFile, size);
      throw withWords(error, said);
    } finally {
      await log.close();
    }
  }
}

/** Keeps a master-worker HAProxy of ours running on the configuration file; adopts one that runs already. */
export function createManagedProcess(options: ManagedProcessOptions): HaproxyProcess {
  return new ManagedProcess(options);
}
