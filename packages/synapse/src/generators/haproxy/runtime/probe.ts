import { connect } from 'node:net';
import { type Clock, describeError, type Timer } from '@smartstack/agent';

/** Whether and how long new servers are probed before they take traffic. */
export interface ProbeOptions {
  /**
   * `tcp`: one TCP connect; what does not answer waits for HAProxy's checks. `off`: enter UP, as a reload
   * does. `strict`: always wait for HAProxy's checks.
   */
  readonly mode: 'tcp' | 'off' | 'strict';
  /** Bound of one probe in milliseconds. */
  readonly timeoutMs: number;
  /** Probes under way at a time; the others queue. */
  readonly concurrency: number;
}

/** The defaults: an answer within the data centre takes about a millisecond, so 50 ms tells dead from slow. */
export const defaultProbe: ProbeOptions = { mode: 'tcp', timeoutMs: 50, concurrency: 256 };

/** Connects once and hangs up. Resolves with undefined when the peer accepted, else with the reason. */
export function probeTcp(
  address: string,
  port: number,
  { clock, timeoutMs, signal }: { clock: Clock; timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let timer: Timer | undefined;
    const settle = (reason?: string): void => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
      // Reset instead of FIN: the probe leaves no TIME_WAIT behind.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
      resolve(reason);
    };
    const onAbort = (): void => settle('the probe was aborted');
    timer = clock.setTimeout(() => {
      // Timers come before what the kernel has to tell: after a stall of this process they would speak for a peer
      // that answered long ago. One more turn lets it be heard.
      timer = clock.setTimeout(() => settle(`no TCP connection within ${timeoutMs} ms`), 0);
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => settle());
    socket.on('error', (error) => settle(describeError(error)));
  });
}

/** Probes with a bound on how many run at a time. */
export class Prober {
  readonly #options: ProbeOptions;
  readonly #clock: Clock;
  #running = 0;
  readonly #queue: (() => void)[] = [];

  constructor(options: ProbeOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Why a new server should wait for HAProxy's checks; undefined when it may take traffic at once. */
  async confirm(address: string, port: number, signal?: AbortSignal): Promise<string | undefined> {
    const { mode, timeoutMs, concurrency } = this.#options;
    if (mode === 'off') return undefined;
    if (mode === 'strict') return 'waiting for the checks of HAProxy (strict)';
    if (this.#running >= concurrency) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#running += 1;
    try {
      return await probeTcp(address, port, { clock: this.#clock, timeoutMs, signal });
    } finally {
      this.#running -= 1;
      this.#queue.shift()?.();
    }
  }
}
