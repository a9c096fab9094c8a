import { execFile } from 'node:child_process';
import type { Clock } from './clock.js';
import { describeError } from './errors.js';
import type { Logger } from './logger.js';

/** Sends assignments (`READY=1`) to the service manager. */
export type SendNotification = (assignments: readonly string[]) => Promise<void>;

/** What ending takes at most without anything special: the grace time and a little, in milliseconds. */
const usualStopMs = 30_000;

export interface NotifierOptions {
  /** NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID count. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Microseconds of CLOCK_MONOTONIC, which RELOADING needs. */
  readonly monotonicUsec?: () => bigint;
  /** How to send; default: the `systemd-notify` program (the unit needs NotifyAccess=all). */
  readonly send?: SendNotification;
}

/**
 * Tells systemd about the agent (sd_notify). Does nothing outside of a notify unit; messages keep their
 * order; no failure of it ever reaches the agent.
 */
export class Notifier {
  readonly #options: Required<NotifierOptions>;
  readonly #enabled: boolean;
  #queue: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(options: NotifierOptions) {
    this.#options = {
      monotonicUsec: () => process.hrtime.bigint() / 1000n,
      send: (assignments) => systemdNotify(assignments, options.env),
      ...options,
    };
    this.#enabled = (options.env.NOTIFY_SOCKET ?? '') !== '';
  }

  /** Started, or done reloading. */
  ready(status?: string): Promise<void> {
    return this.#notify('READY=1', ...statusLine(status));
  }

  /** Reading the configuration again; `ready` must follow. */
  reloading(status?: string): Promise<void> {
    return this.#notify(
      'RELOADING=1',
      `MONOTONIC_USEC=${this.#options.monotonicUsec()}`,
      ...statusLine(status),
    );
  }

  /** Ending. `longerMs`: how much longer than usual that may take before systemd kills it. */
  stopping(status?: string, longerMs = 0): Promise<void> {
    // From now on; what systemd grants anyway still counts where it is more.
    const extend = longerMs > 0 ? [`EXTEND_TIMEOUT_USEC=${Math.ceil(longerMs + usualStopMs) * 1000}`] : [];
    return this.#notify('STOPPING=1', ...extend, ...statusLine(status));
  }

  /** One line for `systemctl status`. */
  status(text: string): Promise<void> {
    return this.#notify(...statusLine(text));
  }

  /**
   * Pings systemd's watchdog twice per WATCHDOG_USEC while `alive()`; returns at once when none is
   * wanted. An event loop that hangs sends no ping, so that systemd restarts the agent.
   */
  async watchdog(alive: () => boolean, signal: AbortSignal): Promise<void> {
    const intervalMs = watchdogInterval(this.#options.env);
    if (!this.#enabled || intervalMs === undefined) return;
    const { clock, logger } = this.#options;
    let wasAlive = true;
    while (!signal.aborted) {
      const isAlive = isTrue(alive);
      if (isAlive) await this.#notify('WATCHDOG=1');
      else if (wasAlive) logger.error('withholding the watchdog ping: the agent is stuck');
      wasAlive = isAlive;
      await clock.sleep(intervalMs, signal).catch(() => undefined);
    }
  }

  #notify(...assignments: readonly string[]): Promise<void> {
    if (!this.#enabled) return Promise.resolve();
    this.#queue = this.#queue.then(async () => {
      try {
        await this.#options.send(assignments);
        this.#failed = false;
      } catch (error) {
        if (!this.#failed)
          this.#options.logger.warn('cannot notify systemd', { error: describeError(error) });
        this.#failed = true;
      }
    });
    return this.#queue;
  }
}

/** Half of what systemd allows between pings, in milliseconds. */
function watchdogInterval(env: NotifierOptions['env']): number | undefined {
  const usec = Number(env.WATCHDOG_USEC ?? '');
  const other = (env.WATCHDOG_PID ?? '') !== '' && env.WATCHDOG_PID !== String(process.pid);
  return Number.isFinite(usec) && usec > 0 && !other ? usec / 2000 : undefined;
}

/** A line break in the text would begin another assignment. */
function statusLine(text: string | undefined): readonly string[] {
  return text === undefined ? [] : [`STATUS=${text.replaceAll(/\p{Cc}+/gu, ' ')}`];
}

function isTrue(alive: () => boolean): boolean {
  try {
    return alive();
  } catch {
    return false;
  }
}

function systemdNotify(assignments: readonly string[], env: NotifierOptions['env']): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...env }, timeout: 5_000, killSignal: 'SIGKILL' } as const;
    execFile('systemd-notify', [...assignments], options, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
