import type { NodeReading, WatchEvent } from './connection.js';
import { isZooKeeperError, ZooKeeperError } from './errors.js';
import type { Live, SessionLink } from './link.js';
import { childPath } from './paths.js';
import type { ChildResult, ChildrenSnapshot, ZkPath } from './types.js';

const nothing = Buffer.alloc(0);

/** What one connection has told of a node and its children, and what must be read (again). */
export class ChildrenReadings {
  readonly #link: SessionLink;
  readonly #path: ZkPath;
  readonly #skip: (name: string) => boolean;
  #listDirty = true;
  #dataDirty = true;
  #childDirty = false;
  /** Everything is to be read again although no event says so. */
  #resync = false;
  #exists = false;
  #data: Buffer = nothing;
  #names: readonly string[] = [];
  #listed: ReadonlySet<string> = new Set();
  readonly #results = new Map<string, ChildResult>();
  /** Children of which an event came since they were last asked for; the watch that told it is gone. */
  readonly #touched = new Set<string>();

  constructor(link: SessionLink, path: ZkPath, skip: (name: string) => boolean) {
    this.#link = link;
    this.#path = path;
    this.#skip = skip;
  }

  get dirty(): boolean {
    return this.#listDirty || this.#dataDirty || this.#childDirty || this.#resync;
  }

  /** The connection is gone, and its watches with it. */
  forget(): void {
    this.markLists();
    this.#resync = false;
    this.#results.clear();
    this.#touched.clear();
  }

  markLists(): void {
    this.#listDirty = true;
    this.#dataDirty = true;
  }

  markAll(): void {
    this.#resync = true;
  }

  /** Returns whether there is something to read now. */
  markNode(type: WatchEvent['type']): boolean {
    if (type !== 'data') this.#listDirty = true;
    if (type !== 'children') this.#dataDirty = true;
    return true;
  }

  /** Returns whether there is something to read now. */
  markChild(name: string, type: WatchEvent['type']): boolean {
    if (type === 'children' || !this.#listed.has(name)) return false;
    this.#touched.add(name);
    // The parent's own event follows a deletion and takes the child off the list; a namesake is read anew.
    if (type === 'deleted') return false;
    this.#childDirty = true;
    return true;
  }

  /**
   * Reads what is dirty, setting watches. Undefined when the node came or went in between: read again.
   * Rejects, with nothing lost, when an answer is missing. Children are read all or not at all.
   */
  async read(live: Live): Promise<ChildrenSnapshot | undefined> {
    const resync = this.#resync;
    this.#resync = false;
    this.#childDirty = false;
    if (!(await this.#readNode(live, resync))) return undefined;
    const names = this.#names.filter((name) => resync || !this.#results.has(name) || this.#touched.has(name));
    await Promise.all(portionsOf(names).map((portion) => this.#readChildren(live, portion, resync)));
    if (this.#link.live !== live) return undefined;
    const children = new Map<string, ChildResult>();
    for (const name of this.#names) {
      const result = this.#results.get(name);
      // None is of one that vanished after it was listed: the next list will not have it.
      if (result) children.set(name, result);
    }
    return { exists: this.#exists, data: this.#data, children };
  }

  async #readNode(live: Live, resync: boolean): Promise<boolean> {
    const { connection } = live;
    const { operationTimeoutMs } = this.#link;
    const list = this.#listDirty || resync;
    const data = this.#dataDirty || resync;
    if (!list && !data) return true;
    const expected = this.#isQuiet();
    this.#listDirty = false;
    this.#dataDirty = false;
    const input = { path: this.#path, watch: true };
    try {
      const [listed, read] = await Promise.all([
        list ? connection.request('getChildren', input, operationTimeoutMs) : undefined,
        data ? connection.request('getData', input, operationTimeoutMs) : undefined,
      ]);
      if (this.#link.live !== live) return false;
      if (listed) {
        if (resync && expected && this.#isQuiet()) this.#countDrift(listed.children);
        this.#setNames(listed.children);
      }
      if (read) this.#data = read.data;
      this.#exists = true;
      return true;
    } catch (error) {
      if (!isZooKeeperError(error, 'NoNode')) throw error;
    }
    const stat = await connection.request('exists', input, operationTimeoutMs);
    if (this.#link.live !== live) return false;
    if (stat) {
      this.markLists();
      return false;
    }
    this.#exists = false;
    this.#data = nothing;
    this.#setNames([]);
    return true;
  }

  #isQuiet(): boolean {
    return !this.dirty;
  }

  #setNames(names: readonly string[]): void {
    this.#names = names;
    this.#listed = new Set(names);
    for (const name of this.#results.keys()) if (!this.#listed.has(name)) this.#results.delete(name);
    for (const name of this.#touched) if (!this.#listed.has(name)) this.#touched.delete(name);
  }

  /** Children are read some at once: a promise and a timer for each of thousands would cost more than reading it. */
  async #readChildren(live: Live, names: readonly string[], resync: boolean): Promise<void> {
    const asked: string[] = [];
    for (const name of names) {
      if (this.#skip(name)) {
        this.#results.set(name, { kind: 'skipped' });
        this.#touched.delete(name);
      } else asked.push(name);
    }
    if (asked.length === 0) return;
    // Changes that an event told of are no drift.
    let told: ReadonlySet<string> = new Set();
    const readings = await this.#link.reads.run(async () => {
      told = new Set(asked.filter((name) => this.#touched.delete(name)));
      const paths = asked.map((name) => childPath(this.#path, name));
      try {
        return await live.connection.readData(paths, this.#link.operationTimeoutMs);
      } catch (error) {
        for (const name of asked) this.#touched.add(name);
        throw error;
      }
    }, asked.length);
    if (this.#link.live !== live) return;
    let unanswered: ZooKeeperError | undefined;
    asked.forEach((name, index) => {
      const result = resultOf(readings[index]);
      if (result instanceof ZooKeeperError) {
        this.#touched.add(name);
        unanswered = result;
      } else this.#take(name, result, resync && !told.has(name));
    });
    if (unanswered !== undefined) throw unanswered;
  }

  #take(name: string, result: ChildResult | undefined, unexpected: boolean): void {
    const before = this.#results.get(name);
    if (unexpected && before && !this.#touched.has(name) && !sameVersion(before, result)) this.#drifted(name);
    if (result) this.#results.set(name, result);
    else this.#results.delete(name);
  }

  #countDrift(children: readonly string[]): void {
    if (children.length !== this.#listed.size || children.some((name) => !this.#listed.has(name)))
      this.#drifted();
  }

  #drifted(name?: string): void {
    const { metrics, metricLabels, logger } = this.#link;
    metrics.drift.inc(metricLabels);
    logger.warn('a change without a watch event was found', {
      path: name === undefined ? this.#path : childPath(this.#path, name),
    });
  }
}

/** How many children are read in one go: some of those that may be under way, so that others have their turn. */
const portion = 32;

function portionsOf(names: readonly string[]): readonly (readonly string[])[] {
  const portions = Math.ceil(names.length / portion);
  return Array.from({ length: portions }, (_, index) => names.slice(index * portion, (index + 1) * portion));
}

/** Undefined for a child that is gone, and an error that is everyone's trouble: no answer. */
function resultOf(reading: NodeReading | undefined): ChildResult | ZooKeeperError | undefined {
  if (!(reading instanceof ZooKeeperError)) return reading && { kind: 'data', ...reading };
  if (reading.kind === 'NoNode') return undefined;
  // A child that we may not read is its own trouble.
  return reading.retriable ? reading : { kind: 'error', error: reading };
}

function sameVersion(a: ChildResult, b: ChildResult | undefined): boolean {
  if (a.kind !== 'data' || b?.kind !== 'data') return a.kind === b?.kind;
  return a.stat.mzxid === b.stat.mzxid && a.stat.czxid === b.stat.czxid;
}
