import { isDeepStrictEqual } from 'node:util';
import { ensembleKey, parseHosts } from './addresses.js';
import type { SessionOptions, ZkSession } from './types.js';

/** One user's share of a session. */
export interface SessionLease {
  readonly session: ZkSession;
  /** Gives the share back; the last one closes the session. Twice does nothing. */
  release(options?: { readonly deadlineMs?: number }): Promise<void>;
}

interface Entry {
  /** Tells it apart from others of the same ensemble. */
  readonly number: number;
  readonly ensemble: string;
  readonly options: SessionOptions;
  readonly session: ZkSession;
  users: number;
}

/**
 * Hands out one session per ensemble, as the Ruby pair does: the order of the hosts does not matter. Users
 * who differ in anything else (credentials, certificates, timeout) never share one.
 */
export class SessionPool {
  readonly #open: (options: SessionOptions) => ZkSession;
  #entries: readonly Entry[] = [];
  #opened = 0;

  constructor(open: (options: SessionOptions) => ZkSession) {
    this.#open = open;
  }

  /** The sessions in use now, for status pages. A key's first line names the ensemble; nothing in it is secret. */
  get sessions(): ReadonlyMap<string, ZkSession> {
    return new Map(this.#entries.map(({ ensemble, number, session }) => [`${ensemble}\n${number}`, session]));
  }

  /** Throws AgentError `zookeeper.BadHosts` for an unusable host list. */
  acquire(options: SessionOptions): SessionLease {
    const entry = this.#entryFor(ensembleKey(parseHosts(options.hosts)), options);
    entry.users += 1;
    let released = false;
    return {
      session: entry.session,
      release: async (closing = {}) => {
        if (released) return;
        released = true;
        entry.users -= 1;
        if (entry.users > 0) return;
        this.#entries = this.#entries.filter((one) => one !== entry);
        await entry.session.close(closing);
      },
    };
  }

  #entryFor(ensemble: string, options: SessionOptions): Entry {
    const known = this.#entries.find((one) => one.ensemble === ensemble && sameUser(one.options, options));
    if (known) return known;
    const entry = { number: this.#opened, ensemble, options, session: this.#open(options), users: 0 };
    this.#opened += 1;
    this.#entries = [...this.#entries, entry];
    return entry;
  }
}

/** True when one session can serve both. Files are compared by path: what is in them may change while the session lives. */
function sameUser(a: SessionOptions, b: SessionOptions): boolean {
  return (
    a.sessionTimeoutMs === b.sessionTimeoutMs &&
    isDeepStrictEqual(a.auth ?? [], b.auth ?? []) &&
    a.authFile === b.authFile &&
    isDeepStrictEqual(a.tls, b.tls)
  );
}
