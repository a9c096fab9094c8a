import type { Clock, Logger, Task } from '@smartstack/agent';
import type { RegistrationHandle, RegistrationState, ZkSession } from '@smartstack/registry';
import type { MeshSettings } from '../../config/topology.js';
import { encodeNode, type HostNode } from './node.js';

/** Between two writes at least, and a random share on top; in milliseconds. */
const [quietMs, jitterMs] = [5_000, 5_000];
/** How often what there is to tell is compared with what was told, in milliseconds. */
const lookMs = 1_000;

/** What publishing stands on. */
export interface PublisherOptions {
  readonly session: Pick<ZkSession, 'register'>;
  readonly settings: MeshSettings;
  /** What is to be told now. */
  readonly node: () => HostNode;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
}

/**
 * Keeps this host's node as it should be: written at the start, then when it changed, but not soon after the last
 * time. It goes with the session, and comes again with the next one. The node of another is left alone.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  #state: RegistrationState = { kind: 'absent' };
  #told: string | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Why the node is not there; undefined where it is. */
  get problem(): string | undefined {
    const { kind } = this.#state;
    if (kind === 'present') return undefined;
    return kind === 'pending' ? (this.#state.error ?? 'it is being written') : 'it was not written yet';
  }

  /** Publishes until `signal` aborts; the node goes with the session. */
  readonly run: Task = async (signal) => {
    const { session, settings, node, clock, random = Math.random } = this.#options;
    const { path: parent, acl } = settings;
    const handle = session.register({ parent, mode: 'ephemeral', ...(acl && { acl }) });
    const forget = handle.onState((state) => this.#become(state));
    try {
      let written: Buffer | undefined;
      while (!signal.aborted) {
        const wanted = node();
        const data = encodeNode(wanted);
        if (written?.equals(data) !== true) {
          handle.want({ name: wanted.instanceId, data });
          written = data;
          await clock.sleep(quietMs + random() * jitterMs, signal).catch(() => undefined);
        } else await clock.sleep(lookMs, signal).catch(() => undefined);
      }
    } finally {
      forget();
      await this.#withdraw(handle);
    }
  };

  /** The session may live on for others. */
  async #withdraw(handle: RegistrationHandle): Promise<void> {
    const { clock } = this.#options;
    handle.want(undefined);
    const late = new AbortController();
    const timer = clock.setTimeout(() => late.abort(), 1_000);
    await handle.settled(late.signal).catch(() => undefined);
    timer.cancel();
    handle.dispose();
  }

  #become(state: RegistrationState): void {
    this.#state = state;
    const problem = state.kind === 'pending' ? state.error : undefined;
    if (problem !== undefined && problem !== this.#told)
      this.#options.logger.warn('this host cannot tell who calls whom', {
        problem,
        ...(problem.includes('someone else') && {
          hint: 'two hosts of one name? topology.instance_id gives this one another',
        }),
      });
    this.#told = problem;
  }
}
