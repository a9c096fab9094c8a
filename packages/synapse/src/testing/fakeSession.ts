import {
  type ChildrenSnapshot,
  type ChildrenWatch,
  type ChildrenWatchOptions,
  type ChildResult,
  type SessionLease,
  type SessionState,
  type Stat,
  ZooKeeperError,
  type ZkSession,
} from '@smartstack/registry';

/** One `watchChildren` of a FakeSession, driven by the test as a ZooKeeper server would. */
export class FakeWatch implements ChildrenWatch {
  freshness: ChildrenWatch['freshness'] = 'never';
  last: ChildrenSnapshot | undefined;
  disposed = false;
  readonly path: string;
  readonly options: ChildrenWatchOptions;
  #version = 0n;

  constructor(path: string, options: ChildrenWatchOptions) {
    this.path = path;
    this.options = options;
  }

  dispose(): void {
    this.disposed = true;
  }

  /** A complete reading: names with their data; an Error for a child that cannot be read. */
  read(children: Readonly<Record<string, string | Error>>, data = '', exists = true): void {
    this.#version += 1n;
    const results = Object.entries(children).map(([name, content]): [string, ChildResult] => {
      if (content instanceof Error) return [name, { kind: 'error', error: content }];
      if (this.options.skipChildData?.(name) === true) return [name, { kind: 'skipped' }];
      return [name, { kind: 'data', data: Buffer.from(content), stat: { mzxid: this.#version } as Stat }];
    });
    const revived = this.freshness !== 'live';
    this.last = { exists, data: Buffer.from(data), children: new Map(results) };
    this.freshness = 'live';
    this.options.onSnapshot(this.last);
    if (revived) this.options.onFreshness?.('live');
  }

  /** The connection is lost. */
  lose(): void {
    if (this.freshness !== 'live') return;
    this.freshness = 'stale';
    this.options.onFreshness?.('stale');
  }
}

/** A ZooKeeper session without a server: only its watches exist. */
export class FakeSession {
  readonly watches: FakeWatch[] = [];
  leases = 0;
  /** What a reading without watches finds: data of nodes by path, an Error for one that cannot be read. */
  nodes: Readonly<Record<string, string | Error>> = {};
  /** Paths in the order in which they were read without watches. */
  readonly reads: string[] = [];
  #version = 0n;
  readonly #listeners = new Set<(now: SessionState) => void>();

  /** Tells of a change of the session's state. */
  turn(kind: SessionState['kind']): void {
    for (const listener of this.#listeners) listener({ kind } as SessionState);
  }

  /** The living watch on `path`. */
  watch(path: string): FakeWatch {
    const found = this.watches.find((watch) => watch.path === path && !watch.disposed);
    if (found === undefined) throw new Error(`nothing watches ${path}`);
    return found;
  }

  #read(path: string): Promise<string> {
    this.reads.push(path);
    const found = this.nodes[path];
    if (found === undefined)
      return Promise.reject(new ZooKeeperError('NoNode', 'no node', { op: 'getData' }));
    return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
  }

  acquire(): SessionLease {
    this.leases += 1;
    const session = {
      watchChildren: (path: string, options: ChildrenWatchOptions) => {
        const watch = new FakeWatch(path, options);
        this.watches.push(watch);
        return watch;
      },
      onState: (listener: (now: SessionState) => void) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
      getChildren: async (path: string) => {
        await this.#read(path);
        const below = Object.keys(this.nodes).filter((each) => each.startsWith(`${path}/`));
        return { children: below.map((each) => each.slice(path.length + 1)) };
      },
      getData: async (path: string) => {
        const data = await this.#read(path);
        return { data: Buffer.from(data), stat: { mzxid: (this.#version += 1n) } };
      },
    };
    return {
      session: session as unknown as ZkSession,
      release: () => {
        this.leases -= 1;
        return Promise.resolve();
      },
    };
  }
}
