import type { Clock, Logger } from '@smartstack/agent';
import type { NginxMetrics } from '../nginxMetrics.js';
import type { NginxMaster } from './master.js';
import type { NginxProcess } from './nginxProcess.js';

/** How often nginx is looked at, in milliseconds. */
const everyMs = 500;

/** What looking after nginx needs. */
export interface NginxWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: NginxMetrics;
  /** The one that is configured now; undefined while none is to be looked after. */
  readonly process: () => NginxProcess | undefined;
  /** nginx is gone. */
  readonly onGone: () => void;
}

/** Notices that nginx ended, came back or was replaced. */
export class NginxWatch {
  readonly #options: NginxWatchOptions;
  #master: NginxMaster | undefined;
  #process: NginxProcess | undefined;

  constructor(options: NginxWatchOptions) {
    this.#options = options;
  }

  /** As it was seen last. */
  get master(): NginxMaster | undefined {
    return this.#master;
  }

  /** Looks again and again until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await this.look();
      await clock.sleep(everyMs, signal).catch(() => undefined);
    }
  }

  /** Looks now: whoever started or reloaded it need not wait for the next look to know what runs. */
  async look(): Promise<void> {
    const { logger, metrics, onGone } = this.#options;
    const process = this.#options.process();
    const before = process === this.#process ? this.#master : undefined;
    this.#process = process;
    const now = await process?.look();
    this.#master = now;
    if (process?.wasSeen === true) metrics.up(now !== undefined);
    if (now?.id === before?.id) return;
    if (now === undefined) {
      logger.error('nginx is gone', { pid: before?.pid });
      onGone();
    } else logger.info('nginx runs', { pid: now.pid });
  }
}
