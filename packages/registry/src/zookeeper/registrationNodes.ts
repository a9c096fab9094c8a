import { isZooKeeperError } from './errors.js';
import { type Live, type SessionLink, timed } from './link.js';
import { baseName, childPath, isSequenced } from './paths.js';
import { identityOf, type NodeHolder } from './sharedNodes.js';
import type { RegistrationNodesEvents } from './registrationEvents.js';
import { isOurs, listSequenced, obtainNode, readNode } from './registrationObtain.js';
import { sweepLeftBehind } from './registrationSweep.js';
import type { RegistrationNode, RegistrationSpec, Stat, ZkPath } from './types.js';

interface Held {
  readonly path: ZkPath;
  /** The wanted node's name: for sequential modes a prefix of the path's last part. */
  readonly name: string;
  /** Creation transaction, which tells the node from a later namesake. Undefined until it was read. */
  czxid?: bigint;
  /** Under which a persistent node is shared with other sessions of ours; undefined while it is not. */
  identity?: string | undefined;
  /** Its data as the server has them; undefined when in doubt. */
  data?: Buffer | undefined;
  /** Read on the present connection, with a watch, and nothing has happened since. */
  verified: boolean;
  readonly unsubscribe: () => void;
}

const maxAttempts = 32;

/** The nodes of one registration: the one it holds, those it has to delete, those it may have created. */
export class RegistrationNodes {
  readonly diesWithSession: boolean;
  readonly #link: SessionLink;
  readonly #spec: RegistrationSpec;
  readonly #events: RegistrationNodesEvents;
  readonly #sequential: boolean;
  readonly #holder: NodeHolder;
  #own: Held | undefined;
  readonly #retired = new Map<ZkPath, Held>();
  /** What this registration tried to create in this epoch: only such nodes may be adopted after a doubt. */
  #attempts: RegistrationNode[] = [];
  /** A create may have been carried out without our knowing its path. */
  #inDoubt = false;
  /** Our node vanished while its session lived, and we have none since. */
  #displaced = false;
  #epoch = 0;
  #unwatchConflict: (() => void) | undefined;
  /** What an earlier process may have left was looked for, or nothing tells it. */
  #swept: boolean;
  /** Creation transaction of the first node of ours. */
  #firstCzxid: bigint | undefined;

  constructor(link: SessionLink, spec: RegistrationSpec, events: RegistrationNodesEvents) {
    this.#link = link;
    this.#spec = spec;
    this.#events = events;
    this.diesWithSession = spec.mode.startsWith('ephemeral');
    this.#sequential = spec.mode.endsWith('sequential');
    this.#holder = {
      acl: spec.acl,
      look: () => {
        if (this.#own) this.#own.verified = false;
        events.onEvent();
      },
    };
    this.#swept = spec.leftBehind === undefined;
  }

  get ownPath(): ZkPath | undefined {
    return this.#own?.path;
  }

  /** Another session of ours has come to replace this one, and has written what counts now. */
  get isReplaced(): boolean {
    const identity = this.#own?.identity;
    return identity !== undefined && this.#link.shared.hasLater(identity, this.#holder);
  }

  /** Nothing of ours is, or could be, in the registry. */
  get untouched(): boolean {
    return this.#swept && !this.#own && this.#retired.size === 0 && this.#attempts.length === 0;
  }

  /** The connection is gone, its watches with it; what was sent last may have been carried out. */
  forgetConnection(): void {
    if (this.#own) this.#own.verified = false;
    if (this.#attempts.length > 0) this.#inDoubt = true;
  }

  /** Lets go of everything without deleting it. */
  release(): void {
    for (const held of [this.#own, ...this.#retired.values()]) this.#drop(held);
    this.#own = undefined;
    this.#retired.clear();
    this.#unwatchConflict?.();
  }

  /** Makes the registry hold `wanted` and nothing else of ours. Rejects when something is left to do. */
  async reconcile(live: Live, wanted: RegistrationNode | undefined): Promise<void> {
    this.#unwatchConflict?.();
    this.#unwatchConflict = undefined;
    if (live.epoch !== this.#epoch) this.#startEpoch(live.epoch);
    if (this.#inDoubt) await this.#findLost(live, wanted);
    if (wanted === undefined) this.#retireOwn();
    else {
      if (this.#own?.name !== wanted.name) await this.#obtain(live, wanted);
      await this.#mend(live, wanted);
    }
    for (const held of [...this.#retired.values()]) await this.#remove(live, held);
    await this.#sweep(live, wanted);
    if (wanted === undefined) this.#attempts = [];
  }

  /** Once. While something is wanted, the server is left to end the sessions of earlier processes: one may live. */
  async #sweep(live: Live, wanted: RegistrationNode | undefined): Promise<void> {
    if (this.#swept || (wanted !== undefined && this.diesWithSession)) return;
    const before = this.diesWithSession ? this.#firstCzxid : undefined;
    await sweepLeftBehind(this.#link, this.#spec, live, before);
    this.#swept = true;
  }

  #startEpoch(epoch: number): void {
    this.#epoch = epoch;
    if (!this.diesWithSession) return;
    // The server deletes what the old session left; deleting by name could hit a namesake.
    for (const held of this.#retired.values()) this.#drop(held);
    this.#retired.clear();
    this.#attempts = [];
    this.#inDoubt = false;
    if (!this.#own) return;
    this.#drop(this.#own);
    this.#own = undefined;
    this.#events.onExpired();
  }

  #loseOwn(why: string): void {
    const own = this.#own;
    if (!own) return;
    this.#drop(own);
    this.#own = undefined;
    this.#displaced = true;
    this.#events.onLost(own.path, why);
  }

  #drop(held: Held | undefined): void {
    if (!held) return;
    held.unsubscribe();
    this.#unshare(held);
    this.#link.claims.delete(held.path);
  }

  #share(held: Held, stat: Stat): void {
    if (this.diesWithSession) return;
    held.identity = identityOf(held.path, stat);
    this.#link.shared.hold(held.identity, this.#holder);
  }

  #unshare(held: Held): void {
    const { identity } = held;
    held.identity = undefined;
    if (identity !== undefined) this.#link.shared.release(identity, this.#holder);
  }

  #retireOwn(): void {
    if (this.#own) {
      this.#retired.set(this.#own.path, this.#own);
      this.#unshare(this.#own);
    }
    this.#own = undefined;
  }

  #claim(path: ZkPath, name: string, data: Buffer | undefined): Held {
    this.#link.claims.add(path);
    const held: Held = {
      path,
      name,
      data,
      verified: false,
      unsubscribe: this.#link.watches.onNode(path, () => {
        held.verified = false;
        if (this.#own === held) this.#events.onEvent();
      }),
    };
    return held;
  }

  async #obtain(live: Live, wanted: RegistrationNode): Promise<void> {
    const { name, data } = wanted;
    if (!this.#attempts.some((attempt) => attempt.name === name && attempt.data.equals(data)))
      this.#attempts = [...this.#attempts.slice(1 - maxAttempts), wanted];
    const context = {
      link: this.#link,
      spec: this.#spec,
      displaced: this.#displaced,
      onConflict: (path: ZkPath) => {
        this.#unwatchConflict ??= this.#link.watches.onNode(path, () => this.#events.onFreed());
      },
    };
    // A path that we are about to delete must not stand in our own way.
    const leaving = this.#sequential ? undefined : this.#retired.get(childPath(this.#spec.parent, name));
    if (leaving) await this.#remove(live, leaving);
    let path: ZkPath;
    try {
      path = await obtainNode(context, live, wanted);
    } catch (error) {
      if (isZooKeeperError(error) && error.applied === 'unknown') this.#inDoubt = true;
      throw error;
    }
    // The new one stands before the old one goes.
    this.#retireOwn();
    this.#own = this.#claim(path, name, undefined);
    this.#displaced = false;
    this.#events.onPresent(path);
  }

  /** Sees to it that the node we hold is ours, watched, and has the wanted data. */
  async #mend(live: Live, wanted: RegistrationNode): Promise<void> {
    const own = this.#own;
    if (!own) return;
    const { connection } = live;
    const { operationTimeoutMs } = this.#link;
    const { path } = own;
    try {
      if (!own.verified) {
        // Before the answer, so that an event that overtakes it is not lost.
        own.verified = true;
        const { data, stat } = await connection.request('getData', { path, watch: true }, operationTimeoutMs);
        if (!isOurs(stat, this.#spec, live)) {
          this.#loseOwn('another session took it over');
          return;
        }
        own.czxid = stat.czxid;
        this.#share(own, stat);
        this.#firstCzxid ??= stat.czxid;
        own.data = data;
      }
      if (own.data?.equals(wanted.data)) return;
      if (this.isReplaced) return;
      own.data = undefined;
      await timed(this.#link, 'save', this.#spec.parent, () =>
        connection.request('setData', { path, data: wanted.data, version: -1 }, operationTimeoutMs),
      );
      own.data = wanted.data;
    } catch (error) {
      own.verified = false;
      if (!isZooKeeperError(error, 'NoNode')) throw error;
      this.#loseOwn('someone deleted it');
    }
  }

  /** Claims what our creates of unknown outcome have left: one to keep if it is wanted, the others to delete. */
  async #findLost(live: Live, wanted: RegistrationNode | undefined): Promise<void> {
    const isMadeBy = (path: ZkPath, { name }: RegistrationNode): boolean =>
      this.#sequential ? isSequenced(baseName(path), name) : baseName(path) === name;
    for (const path of await this.#candidates(live)) {
      if (this.#link.claims.has(path)) continue;
      const node = await readNode(this.#link, live, path, false);
      // Another registration may have claimed it meanwhile.
      if (!node || this.#link.claims.has(path) || !isOurs(node.stat, this.#spec, live)) continue;
      const attempt = this.#attempts.find((made) => isMadeBy(path, made) && made.data.equals(node.data));
      if (!attempt) continue;
      const held = this.#claim(path, attempt.name, node.data);
      held.czxid = node.stat.czxid;
      if (!this.#own && wanted?.name === attempt.name) {
        this.#own = held;
        this.#events.onPresent(path);
      } else this.#retired.set(path, held);
    }
    this.#inDoubt = false;
  }

  /** Where the nodes may be that our creates have made. */
  async #candidates(live: Live): Promise<readonly ZkPath[]> {
    const names = [...new Set(this.#attempts.map(({ name }) => name))];
    if (!this.#sequential) return names.map((name) => childPath(this.#spec.parent, name));
    return listSequenced({ link: this.#link, spec: this.#spec }, live, names);
  }

  async #remove(live: Live, held: Held): Promise<void> {
    const { connection } = live;
    const { operationTimeoutMs } = this.#link;
    const { path, czxid } = held;
    const stat = await connection.request('exists', { path, watch: false }, operationTimeoutMs);
    const isOther = stat && this.#link.shared.servesAnother(identityOf(path, stat), this.#holder);
    if (stat && !isOther && isOurs(stat, this.#spec, live) && (czxid ?? stat.czxid) === stat.czxid) {
      try {
        await timed(this.#link, 'delete', this.#spec.parent, () =>
          connection.request('delete', { path, version: -1 }, operationTimeoutMs),
        );
      } catch (error) {
        if (!isZooKeeperError(error, 'NoNode')) throw error;
      }
    }
    this.#drop(held);
    this.#retired.delete(path);
  }
}
