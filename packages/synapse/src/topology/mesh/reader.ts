import { type Clock, describeError, nextTurn } from '@smartstack/agent';
import { isZooKeeperError, type ZkPath, type ZkSession } from '@smartstack/registry';
import { decodeNode, type HostNode, maxNodeBytes, type Unusable } from './node.js';
import type { Skipped } from '../shapes.js';

/** Nobody asked for so long, in milliseconds: nothing is read any more. */
const leaseMs = 60_000;
/** As long as somebody who asks waits for the first reading, in milliseconds. */
const patienceMs = 4_000;
/** What was not read for so many times the usual while is stale. */
const staleTimes = 2;
/** Hosts, their bytes in all, and readings under way at once. */
const [maxHosts, maxBytes, inFlight] = [5_000, 32 * 1024 * 1024, 32];

/** What the hosts of a fleet tell. */
export interface Fleet {
  readonly hosts: readonly HostNode[];
  readonly skipped: Skipped;
  /** How long ago it was read, in milliseconds; undefined where it was not. */
  readonly ageMs: number | undefined;
  /** It is older than it should be, or cannot be read now. */
  readonly isStale: boolean;
  /** Why it is not read now; what was read before stays. */
  readonly problem?: string;
}

/** What was read, and when by the monotonic clock. */
interface Reading extends Pick<Fleet, 'hosts' | 'skipped'> {
  readonly at: number;
}

const nothingSkipped: Skipped = { version: 0, malformed: 0, tooLarge: 0, tooMany: 0, unreadable: 0 };

/** What reading stands on. */
export interface ReaderOptions {
  readonly session: () => Pick<ZkSession, 'exists' | 'getChildren' | 'getData' | 'state'>;
  readonly path: ZkPath;
  /** Between two readings, in milliseconds. */
  readonly everyMs: number;
  readonly clock: Clock;
}

/** A node that was read, for as long as it does not change. */
interface Known {
  readonly mzxid: bigint;
  readonly bytes: number;
  readonly node: HostNode | Unusable;
}

/** Reads what all hosts tell, now and then, and only while somebody asks. */
export class FleetReader {
  readonly #options: ReaderOptions;
  #known: ReadonlyMap<string, Known> = new Map();
  #last: Reading | undefined;
  #problem: string | undefined;
  #askedAt = -Infinity;
  #isReading = false;
  /** Those who wait for a reading. */
  readonly #waiting = new Set<() => void>();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** The latest reading, for which is waited a moment where there is none. */
  async current(signal: AbortSignal): Promise<Fleet> {
    const { clock } = this.#options;
    this.#askedAt = clock.monotonic();
    if (!this.#isReading) {
      this.#isReading = true;
      const next = this.#next();
      // Never rejects.
      this.#read(signal).catch(() => undefined);
      await next;
    } else if (this.#last === undefined) await this.#next();
    return this.#told();
  }

  #told(): Fleet {
    const { clock, everyMs, session } = this.#options;
    const ageMs = this.#last && clock.monotonic() - this.#last.at;
    // Reading may hang for as long as there is no connection.
    const problem = session().state.kind === 'connected' ? this.#problem : 'no connection to ZooKeeper';
    return {
      ...{ hosts: this.#last?.hosts ?? [], skipped: this.#last?.skipped ?? nothingSkipped, ageMs },
      isStale: problem !== undefined || ageMs === undefined || ageMs > staleTimes * everyMs + patienceMs,
      ...(problem !== undefined && { problem }),
    };
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#waiting.delete(done);
        resolve();
      };
      const timer = this.#options.clock.setTimeout(done, patienceMs);
      this.#waiting.add(done);
    });
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { clock, everyMs } = this.#options;
    while (!signal.aborted && clock.monotonic() - this.#askedAt < leaseMs) {
      try {
        this.#last = await this.#readAll(signal);
        this.#problem = undefined;
      } catch (error) {
        this.#problem = describeError(error);
      }
      for (const done of [...this.#waiting]) done();
      await clock.sleep(everyMs, signal).catch(() => undefined);
    }
    this.#isReading = false;
    // They would be old when somebody asks again, and are many.
    this.#known = new Map();
    this.#last = undefined;
  }

  async #readAll(signal: AbortSignal): Promise<Reading> {
    const { clock } = this.#options;
    const names = await this.#children(signal);
    const asked = names.slice(0, maxHosts);
    const skipped = { ...nothingSkipped, tooMany: names.length - asked.length };
    const known = new Map<string, Known>();
    let bytes = 0;
    const readOne = async (name: string): Promise<void> => {
      const one = await this.#readNode(name, signal);
      if (one === 'unreadable') skipped.unreadable += 1;
      if (typeof one !== 'object') return;
      bytes += one.bytes;
      if (bytes > maxBytes) skipped.tooMany += 1;
      else known.set(name, one);
    };
    for (let at = 0; at < asked.length; at += inFlight) {
      await Promise.all(asked.slice(at, at + inFlight).map(readOne));
      await nextTurn();
    }
    this.#known = known;
    const hosts = asked.flatMap((name): HostNode[] => {
      const node = known.get(name)?.node;
      if (node === undefined) return [];
      if (typeof node !== 'string') return [node];
      skipped[node] += 1;
      return [];
    });
    return { hosts, skipped, at: clock.monotonic() };
  }

  /** Asks first how large it is and when it changed: mostly it did not. */
  async #readNode(name: string, signal: AbortSignal): Promise<Known | 'gone' | 'unreadable'> {
    const { session, path } = this.#options;
    const place: ZkPath = `${path}/${name}`;
    try {
      const stat = await session().exists(place, { signal });
      if (stat === undefined) return 'gone';
      const { mzxid, dataLength } = stat;
      const before = this.#known.get(name);
      if (before?.mzxid === mzxid) return before;
      if (dataLength > maxNodeBytes) return { mzxid, bytes: 0, node: 'tooLarge' };
      const read = await session().getData(place, { signal });
      const node = decodeNode(read.data);
      // A host speaks for itself only.
      const isOwn = typeof node === 'string' || node.instanceId === name;
      return { mzxid: read.stat.mzxid, bytes: read.data.length, node: isOwn ? node : 'malformed' };
    } catch (error) {
      if (isZooKeeperError(error, 'NoNode')) return 'gone';
      if (isZooKeeperError(error, 'NoAuth')) return 'unreadable';
      throw error;
    }
  }

  async #children(signal: AbortSignal): Promise<readonly string[]> {
    const { session, path } = this.#options;
    try {
      return [...(await session().getChildren(path, { signal })).children].sort();
    } catch (error) {
      if (isZooKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }
}
