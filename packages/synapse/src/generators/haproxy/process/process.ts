import type { Clock, Logger } from '@smartstack/agent';
import { runShell } from '@smartstack/agent/command';
import { haproxyLimit } from './descriptorLimit.js';
import {
  askWorker,
  awaitMaster,
  hasFailedSince,
  hasNewWorker,
  type MasterStatus,
  readMaster,
  reloadThroughMaster,
} from './masterCli.js';
import { ReloadError } from './reloadError.js';
import { RuntimeApiError } from '../runtime/runtimeError.js';

/** The HAProxy that follows our file: somebody else's, or one that we started. */
export interface HaproxyProcess {
  /** Makes HAProxy load the file on disk and waits until that is verified; starts ours where it is gone. Throws ReloadError. */
  reload(signal: AbortSignal): Promise<'reloaded' | 'started'>;
  /**
   * Starts it when it does not run; absent where that is somebody else's task. A start on the present file that had
   * not come to its end at `lookedAt` (monotonic clock in milliseconds), when nobody answered, is what was missing: it
   * counts. Throws ReloadError.
   */
  ensure?(signal: AbortSignal, lookedAt: number): Promise<'running' | 'started'>;
  /**
   * Where nothing of ours runs: `place` puts a file in place and calls `start`, while nobody else starts it on another
   * one. 'running', and nothing done, where something does. Throws ReloadError.
   */
  startWith?<T>(
    place: (start: () => Promise<void>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | 'running'>;
  /** True where we know that the process of this worker has loaded the very file that is on disk: we started it on that. */
  hasLoadedFile?(worker: number, signal: AbortSignal): Promise<boolean>;
  /** Master and workers; undefined without a master socket, or when it does not answer. */
  status(signal: AbortSignal): Promise<MasterStatus | undefined>;
  /** How many file descriptors the process that loads the file may open; undefined when nobody knows. */
  descriptorLimit(signal: AbortSignal): Promise<number | undefined>;
  /** Asks one worker through the master. Throws RuntimeApiError, also where no master socket is known. */
  askWorker(pid: number, command: string, signal: AbortSignal): Promise<string>;
  /** Keeps it running, where that is our task; `wake` is called after each start. Returns when `signal` aborts. */
  run(wake: () => void, signal: AbortSignal): Promise<void>;
}

/** Durations in milliseconds. */
export interface ProcessTiming {
  /** For one answer of the master. */
  readonly answerMs: number;
  /** For a reload or a start, parsing of the file included (1 s for 15,000 checked servers). */
  readonly reloadMs: number;
}

/** The defaults. */
export const defaultProcessTiming: ProcessTiming = { answerMs: 2_000, reloadMs: 30_000 };

/** How an HAProxy that is not ours is reloaded. */
export interface ExternalProcessOptions {
  readonly clock: Clock;
  readonly timing: ProcessTiming;
  /** The operator's, for `/bin/sh`; undefined: the master socket. */
  readonly reloadCommand: string | undefined;
  readonly masterSocketPath: string | undefined;
  /** Pid of the worker that answers on the admin socket now; undefined when nobody does. */
  readonly workerPid: (signal: AbortSignal) => Promise<number | undefined>;
  readonly logger: Logger;
}

const pollMs = 10;

/** An HAProxy that systemd or a script runs; we only ask it to reload. */
export function createExternalProcess(options: ExternalProcessOptions): HaproxyProcess {
  const { clock, timing, reloadCommand, masterSocketPath, workerPid, logger } = options;
  const master = (signal: AbortSignal) => ({
    clock,
    deadlineMs: timing.answerMs,
    patienceMs: timing.reloadMs,
    signal,
  });

  const status = async (signal: AbortSignal): Promise<MasterStatus | undefined> => {
    if (masterSocketPath === undefined) return undefined;
    return readMaster(masterSocketPath, master(signal)).catch(() => undefined);
  };

  const awaitNewWorker = async (before: number | undefined, signal: AbortSignal): Promise<void> => {
    const end = clock.monotonic() + timing.reloadMs;
    for (;;) {
      const now = await workerPid(signal);
      if (now !== undefined && now !== before) return;
      if (clock.monotonic() >= end) {
        const who = now === undefined ? 'no HAProxy answers' : `the same worker (pid ${now}) still answers`;
        throw new ReloadError(`the reload command succeeded, but ${who} on the admin socket`);
      }
      await clock.sleep(pollMs, signal);
    }
  };

  const reloadByCommand = async (command: string, signal: AbortSignal): Promise<void> => {
    const before = await workerPid(signal);
    const masterBefore = await status(signal);
    const result = await runShell(command, { clock, timeoutMs: timing.reloadMs, signal });
    signal.throwIfAborted();
    if (result.exitCode !== 0) {
      const why = result.problem ?? `status ${result.exitCode ?? 'unknown'}`;
      throw new ReloadError(`the reload command failed (${why}): ${result.output.trim().slice(0, 500)}`);
    }
    logger.debug('reload command succeeded', { output: result.output.trim().slice(0, 500) });
    if (masterSocketPath !== undefined && masterBefore !== undefined) {
      const known = new Set(masterBefore.workers.map(({ pid }) => pid));
      const failed = (now: MasterStatus): boolean => hasFailedSince(masterBefore, now);
      const after = await awaitMaster(
        masterSocketPath,
        master(signal),
        (now) => failed(now) || hasNewWorker(masterSocketPath, now, known, master(signal)),
      );
      if (failed(after)) throw new ReloadError('HAProxy could not load the new file');
    } else if (before !== undefined || (await workerPid(signal)) !== undefined) {
      await awaitNewWorker(before, signal);
    }
  };

  return {
    status,
    descriptorLimit: async (signal) => {
      const pid = (await status(signal))?.pid ?? (await workerPid(signal));
      return pid === undefined ? undefined : haproxyLimit(pid);
    },
    reload: async (signal) => {
      if (reloadCommand !== undefined) {
        await reloadByCommand(reloadCommand, signal);
        return 'reloaded';
      }
      if (masterSocketPath === undefined)
        throw new ReloadError('there is neither a reload_command nor a master socket');
      await reloadThroughMaster(masterSocketPath, master(signal));
      return 'reloaded';
    },
    askWorker: (pid, command, signal) => {
      if (masterSocketPath !== undefined) return askWorker(masterSocketPath, pid, command, master(signal));
      return Promise.reject(new RuntimeApiError('runtime-unreachable', 'no master socket is known'));
    },
    run: (_wake, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      }),
  };
}
