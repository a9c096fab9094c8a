import { type Clock, describeError, type Logger } from '@smartstack/agent';
import type { DrainDefinition } from '../config/lifecycle.js';
import { runHook } from './hook.js';
import { leave } from './leave.js';

/** How far a drain has got. */
export interface DepartureStatus {
  /** Callers may still be there; or they have let go, or were given all the time they get. */
  readonly phase: 'leaving' | 'left';
  /** The shutdown command, if it was asked for. */
  readonly shutdown?: 'waiting' | 'running' | 'done' | 'failed';
}

/** Resolves when the registry does not hold the service any more. */
type Withdrawn = (signal: AbortSignal) => Promise<void>;

/** One drain under way: waits for the callers, then shuts the app down where that is asked for. */
export class Departure {
  readonly #drain: DrainDefinition;
  readonly #withdrawn: Withdrawn;
  readonly #env: Readonly<Record<string, string>>;
  readonly #deps: { readonly clock: Clock; readonly logger: Logger };
  readonly #stop = new AbortController();
  #status: DepartureStatus = { phase: 'leaving' };

  /** Begins at once. */
  constructor(
    drain: DrainDefinition,
    withdrawn: Withdrawn,
    env: Readonly<Record<string, string>>,
    deps: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#drain = drain;
    this.#withdrawn = withdrawn;
    this.#env = env;
    this.#deps = deps;
    this.#run(this.#stop.signal).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) deps.logger.error('a drain failed', { error: describeError(error) });
    });
  }

  get status(): DepartureStatus {
    return this.#status;
  }

  /** Asks for the shutdown command, once. False without such a command. */
  shutDown(): boolean {
    if (this.#drain.shutdown === undefined) return false;
    if (this.#status.shutdown !== undefined) return true;
    this.#status = { ...this.#status, shutdown: 'waiting' };
    if (this.#status.phase === 'left') this.#shutDown(this.#stop.signal).catch(() => undefined);
    return true;
  }

  /** Kills what it runs. */
  end(): void {
    this.#stop.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    // Callers cannot let go of what the registry still tells them.
    await this.#withdrawn(signal);
    const end = await leave(this.#drain, this.#env, this.#deps, signal);
    this.#deps.logger.info('drained', { callers: end });
    this.#status = { ...this.#status, phase: 'left' };
    if (this.#status.shutdown === 'waiting') await this.#shutDown(signal);
  }

  async #shutDown(signal: AbortSignal): Promise<void> {
    const { shutdown } = this.#drain;
    if (shutdown === undefined) return;
    const { clock, logger } = this.#deps;
    this.#status = { ...this.#status, shutdown: 'running' };
    const result = await runHook({ ...shutdown, env: this.#env }, clock, signal);
    this.#status = { ...this.#status, shutdown: result.ok ? 'done' : 'failed' };
    if (result.ok) logger.info('shut down');
    else logger.warn('shutdown command failed', { reason: result.reason });
  }
}
