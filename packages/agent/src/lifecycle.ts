import type { Clock } from './clock.js';
import { ConfigError, formatIssue } from './config/index.js';
import { describeError, exitCode } from './errors.js';
import type { Logger } from './logger.js';

export type StopSignal = 'SIGTERM' | 'SIGINT';

/** What `main.ts` lends of its process; the only way of the product to signals and exit codes. */
export interface ProcessHost {
  onSignal(signal: StopSignal | 'SIGHUP', listener: () => void): void;
  /** Uncaught exceptions and unhandled rejections. */
  onUncaught(listener: (error: unknown) => void): void;
  /** Ends the process at once. */
  exit(code: number): void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From the first signal to a forced exit, in milliseconds (default 25 s, below systemd's 90). */
  readonly graceMs?: number;
}

/** What the body of an agent gets. */
export interface Lifetime {
  /** Aborts on the first SIGTERM or SIGINT; its reason is the signal's name. */
  readonly signal: AbortSignal;
  /** Sets what SIGHUP does. A SIGHUP before that is delivered when it is set: it asks for what is loaded anyway. */
  onReload(listener: () => void): void;
  /** Puts off the forced exit by so many milliseconds: for an agent that waits on purpose before it ends. */
  extendGrace(byMs: number): void;
}

/**
 * Runs an agent to its exit code: 0 when it was told to stop, 78 for a configuration it cannot use, 1
 * for anything else. The first signal asks it to stop, the second, or the end of the grace time, ends it.
 */
export async function runMain(body: (lifetime: Lifetime) => Promise<void>, host: ProcessHost): Promise<void> {
  const stop = new AbortController();
  const { logger, clock, graceMs = 25_000 } = host;

  let extraMs = 0;
  let forced = { cancel: (): void => undefined };
  let stoppedAt = 0;
  const force = (): void => {
    forced.cancel();
    const totalMs = graceMs + extraMs;
    forced = clock.setTimeout(
      () => {
        logger.error('not stopped within the grace time, exiting', { graceMs: totalMs });
        host.exit(exitCode.failure);
      },
      Math.max(0, totalMs - (clock.monotonic() - stoppedAt)),
    );
  };

  const onStop = (signal: StopSignal): void => {
    if (stop.signal.aborted) {
      logger.warn('second signal, exiting at once', { signal });
      host.exit(exitCode.failure);
      return;
    }
    logger.info('stopping', { signal });
    stoppedAt = clock.monotonic();
    force();
    stop.abort(signal);
  };
  host.onSignal('SIGTERM', () => onStop('SIGTERM'));
  host.onSignal('SIGINT', () => onStop('SIGINT'));

  const reload = new ReloadRequests();
  host.onSignal('SIGHUP', () => reload.request());

  host.onUncaught((error) => {
    logger.error('uncaught error, exiting', { error });
    host.exit(exitCode.failure);
  });

  const lifetime: Lifetime = {
    signal: stop.signal,
    onReload: (to) => reload.listen(to),
    extendGrace: (byMs) => {
      extraMs += byMs;
      if (stop.signal.aborted && byMs > 0) force();
    },
  };
  host.exit(await outcome(() => body(lifetime), stop.signal, logger));
}

/** Remembers a SIGHUP that comes before anyone listens; its default action would end the process. */
class ReloadRequests {
  #listener: (() => void) | undefined;
  #missed = false;

  request(): void {
    if (this.#listener) this.#listener();
    else this.#missed = true;
  }

  listen(listener: () => void): void {
    this.#listener = listener;
    if (this.#missed) listener();
    this.#missed = false;
  }
}

async function outcome(body: () => Promise<void>, signal: AbortSignal, logger: Logger): Promise<number> {
  try {
    await body();
    return exitCode.stopped;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return exitCode.stopped;
    if (error instanceof ConfigError) {
      for (const issue of error.issues) logger.error('bad configuration', { issue: formatIssue(issue) });
      return exitCode.configuration;
    }
    logger.error(describeError(error), { error });
    return exitCode.failure;
  }
}
