import { ensembleKey, parseHosts } from './addresses.js';
import type { SessionOptions, ZkSession } from './types.js';

/** One user's share of a session. */
export interface SessionLease {
  readonly session: ZkSession;
  /** Gives the share back; the last one closes the session. Twice does nothing. */
  release(options?: { readonly deadlineMs?: number }): Promise<void>;
}

interface Entry {
  readonly session: ZkSession;
  users: number;
}

/** Hands out one session per ensemble, as the Ruby pair does: the order of the hosts does not matter. */
export class SessionPool {
  readonly #open: (options: SessionOptions) => ZkSession;
  readonly #entries = new Map<string, Entry>();

  constructor(open: (options: SessionOptions) => ZkSession) {
    this.#open = open;
  }

  /** The sessions in use now, for status pages. Keys name the ensembles. */
  get sessions(): ReadonlyMap<string, ZkSession> {
    return new Map([...this.#entries].map(([key, { session }]) => [key, session]));
  }

  /** Throws AgentError `zookeeper.BadHosts` for an unusable host list. */
  acquire(options: SessionOptions): SessionLease {
    const credentials = (options.auth ?? []).map(
      ({ scheme, data }) => `${scheme} ${data.toString('base64')}`,
    );
    const extras = [options.tls ? 'tls' : '', options.sessionTimeoutMs, ...credentials].join('\n');
    const key = `${ensembleKey(parseHosts(options.hosts))}\n${extras}`;
    const entry = this.#entries.get(key) ?? { session: this.#open(options), users: 0 };
    this.#entries.set(key, entry);
    entry.users += 1;
    let released = false;
    return {
      session: entry.session,
      release: async (closing = {}) => {
        if (released) return;
        released = true;
        entry.users -= 1;
        if (entry.users > 0) return;
        this.#entries.delete(key);
        await entry.session.close(closing);
      },
    };
  }
}
