import type { ZkSession } from '@smartstack/registry';

/** A share of a session; the last one to be released closes it. */
export interface SessionLease {
  readonly session: ZkSession;
  release(): Promise<void>;
}

/** One ZooKeeper session per set of hosts, however many watchers use it. */
export interface SessionPool {
  acquire(hosts: readonly string[]): SessionLease;
  /** The open sessions by their canonical host list. */
  entries(): ReadonlyMap<string, ZkSession>;
}

interface Entry {
  readonly session: ZkSession;
  users: number;
}

/**
 * `b:2181,a:2181/root` and `a:2181/root,b:2181` are one ensemble: hosts sorted, the chroot (which any
 * of them may carry, the same for all) at the end.
 */
export function canonicalHosts(hosts: readonly string[]): readonly string[] {
  const all = hosts.flatMap((host) => host.split(',')).map((host) => host.trim());
  const split = all.filter((host) => host !== '').map((host) => /^([^/]*)(\/.*)?$/.exec(host));
  const names = split.map((match) => match?.[1] ?? '').sort();
  const chroot = split.find((match) => match?.[2] !== undefined)?.[2] ?? '';
  return names.map((name, index) => (index === names.length - 1 ? name + chroot : name));
}

/** Opens sessions on demand with `open`. */
export function createSessionPool(
  open: (hosts: readonly string[]) => ZkSession,
  closeDeadlineMs = 1_000,
): SessionPool {
  const entries = new Map<string, Entry>();
  return {
    entries: () => new Map([...entries].map(([hosts, { session }]) => [hosts, session])),
    acquire: (hosts) => {
      const canonical = canonicalHosts(hosts);
      const key = canonical.join(',');
      const entry = entries.get(key) ?? { session: open(canonical), users: 0 };
      entries.set(key, entry);
      entry.users += 1;
      let released = false;
      return {
        session: entry.session,
        release: async () => {
          if (released) return;
          released = true;
          entry.users -= 1;
          if (entry.users > 0) return;
          entries.delete(key);
          await entry.session.close({ deadlineMs: closeDeadlineMs });
        },
      };
    },
  };
}
