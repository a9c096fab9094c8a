import { Backoff, type Clock, describeError, type Logger } from '@smartstack/agent';
import { deferred } from '../zookeeper/deferred.js';
import { Limiter } from '../zookeeper/limiter.js';
import { Listeners } from '../zookeeper/listeners.js';
import type { EtcdClient } from './client.js';
import { EtcdError } from './errors.js';
import { deleteIf, readGrant, readKeepAlive, readLeaseKeys } from './messages.js';
import type { EtcdMetrics } from './metrics.js';
import type { LeaseState } from './types.js';

export interface EtcdLeaseOptions {
  readonly client: EtcdClient;
  /** How long keys outlive an agent that died. etcd takes no less than about 2. */
  readonly ttlSeconds: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EtcdMetrics;
  /** Names the cluster in metrics and logs. */
  readonly cluster: string;
  readonly random: () => number;
}

/** A key that hangs on a lease. */
export interface Claim {
  /** True while it should be in the store, as far as its owner knows. */
  readonly stands: boolean;
  /** Someone else removed it. */
  onMissing(): void;
}

/** What hangs on the lease is compared with what should: as often as its time to live, and no more often than this, in milliseconds. */
const verifyMs = 2_000;
const keptLeases = 16;
/** The keys of a host share a few connections; what keeps the lease has one of its own. */
const maxTurns = 4;

/**
 * One lease of one cluster, kept alive; a new one is taken when etcd forgot it. Whoever has keys on it hears of that
 * through `onChange`, and puts them again.
 */
export class EtcdLease {
  readonly #options: EtcdLeaseOptions;
  readonly #listeners: Listeners<[]>;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  readonly #claims = new Map<string, Claim>();
  readonly #past = new Set<string>();
  readonly #asked = deferred<undefined>();
  readonly #turns = new Limiter(maxTurns);
  readonly #running: Promise<void>;
  #id: string | undefined;
  #state: LeaseState;
  #ttlMs: number;
  #revision = 0n;
  #heardAt = -Infinity;
  #verifiedAt = -Infinity;
  #verifying = false;
  #wake: (() => void) | undefined;

  constructor(options: EtcdLeaseOptions) {
    this.#options = options;
    this.#listeners = new Listeners(options.logger);
    this.#ttlMs = options.ttlSeconds * 1000;
    this.#state = { kind: 'connecting', since: options.clock.now() };
    const maxMs = Math.max(this.#ttlMs / 3, 1_000);
    this.#backoff = new Backoff({ minMs: 50, maxMs, random: options.random });
    this.#running = this.#run(this.#stop.signal);
  }

  get client(): EtcdClient {
    return this.#options.client;
  }

  get state(): LeaseState {
    return this.#state;
  }

  /** Undefined while there is none to put keys on. */
  get id(): string | undefined {
    return this.#id;
  }

  /** True for this lease and for those that it replaced. */
  owned(id: string): boolean {
    return this.#past.has(id);
  }

  /** Calls `listener` when the id or the state changes. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Resolves when etcd was asked for a lease once, whatever it said. Before that there is nothing to tell of. */
  get asked(): Promise<undefined> {
    return this.#asked.promise;
  }

  /**
   * Runs `task`, which asks etcd one thing after the other, once few enough others do, in order. Thousands of keys wait
   * for each other here; renewing the lease waits for none of them. Rejects when `signal` aborts before the turn comes.
   */
  async turn<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return await this.#turns.run(async () => {
      signal.throwIfAborted();
      return await task();
    });
  }

  /** A key below `prefix` that no other of ours has: numbered as etcd 2 numbers those that it creates in order. */
  claim(prefix: string, claim: Claim, after: string | undefined): string {
    const used = after === undefined ? this.#revision : BigInt(after.slice(prefix.length + 1));
    for (let number = used + 1n; ; number += 1n) {
      const key = `${prefix}/${String(number).padStart(20, '0')}`;
      if (this.#claims.has(key)) continue;
      this.#claims.set(key, claim);
      return key;
    }
  }

  unclaim(key: string): void {
    this.#claims.delete(key);
  }

  /** etcd said that this lease does not exist. */
  lost(id: string): void {
    if (id !== this.#id) return;
    this.#forget('etcd does not know it any more');
    this.#wake?.();
  }

  /** Ends the lease, and with it whatever hangs on it. Takes `deadlineMs` at most. */
  async close(deadlineMs: number): Promise<void> {
    const { client, clock } = this.#options;
    const id = this.#id;
    this.#stop.abort();
    this.#id = undefined;
    const timer = clock.setTimeout(() => client.close(), deadlineMs);
    await this.#running;
    if (id !== undefined) await client.call('/v3/lease/revoke', { ID: id }).catch(() => undefined);
    timer.cancel();
    client.close();
    this.#options.metrics.leaseHeld.remove({ cluster: this.#options.cluster });
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let pauseMs: number;
      try {
        await this.#round();
        this.#backoff.reset();
        // At once for a new one, when this one is gone.
        pauseMs = this.#id === undefined ? 0 : this.#ttlMs / 3;
      } catch (error) {
        this.#missed(error);
        pauseMs = this.#backoff.next();
      }
      this.#asked.resolve(undefined);
      if (pauseMs > 0) await this.#pause(pauseMs, signal);
    }
  }

  async #round(): Promise<void> {
    const { client, clock, ttlSeconds } = this.#options;
    const asked = clock.monotonic();
    if (this.#id === undefined) {
      const grant = readGrant(await client.call('/v3/lease/grant', { TTL: Math.ceil(ttlSeconds) }));
      if (this.#stop.signal.aborted) return;
      this.#taken(grant, asked);
      return;
    }
    const id = this.#id;
    const ttl = readKeepAlive(await client.call('/v3/lease/keepalive', { ID: id }));
    if (this.#id !== id) return;
    if (ttl <= 0) {
      this.#forget('etcd does not know it any more');
      return;
    }
    this.#heardAt = asked;
    this.#enter({ kind: 'held', since: clock.now() });
    // Aside: the next renewal waits for no comparison.
    if (!this.#verifying && asked - this.#verifiedAt >= Math.max(verifyMs, this.#ttlMs)) {
      this.#verifying = true;
      this.turn(() => this.#verify(id), this.#stop.signal)
        .catch((error: unknown) => {
          this.#missed(error);
          this.#wake?.();
        })
        .finally(() => (this.#verifying = false));
    }
  }

  #taken(grant: { id: string; ttlSeconds: number; revision: string }, askedAt: number): void {
    const { clock, logger, cluster, metrics } = this.#options;
    logger.info('etcd lease taken', { cluster, lease: grant.id, ttlSeconds: grant.ttlSeconds });
    metrics.leases.inc({ cluster });
    this.#id = grant.id;
    this.#past.add(grant.id);
    // Those of long ago can have left nothing.
    for (const old of [...this.#past].slice(0, -keptLeases)) this.#past.delete(old);
    this.#ttlMs = grant.ttlSeconds * 1000;
    this.#revision = BigInt(grant.revision);
    this.#heardAt = askedAt;
    this.#verifiedAt = askedAt;
    this.#enter({ kind: 'held', since: clock.now() }, true);
  }

  /** Compares what hangs on the lease with what should: someone deletes a key, or a late request creates one. */
  async #verify(id: string): Promise<void> {
    const { client, clock } = this.#options;
    this.#verifiedAt = clock.monotonic();
    const expected = [...this.#claims].filter(([, { stands }]) => stands);
    const keys = readLeaseKeys(await client.call('/v3/lease/timetolive', { ID: id, keys: true }));
    if (this.#id !== id || keys === undefined) return;
    const there = new Set(keys);
    for (const [key, claim] of expected) {
      if (!there.has(key) && this.#claims.get(key) === claim && claim.stands) claim.onMissing();
    }
    for (const key of keys) {
      if (!this.#claims.has(key)) await client.call('/v3/kv/txn', deleteIf(key, id));
    }
  }

  #missed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const { clock, logger, cluster } = this.#options;
    const text = describeError(error);
    if (error instanceof EtcdError && error.leaseGone && this.#id !== undefined) {
      this.#forget('etcd does not know it any more');
      return;
    }
    if (this.#state.kind !== 'unreachable') logger.warn('etcd cannot be reached', { cluster, error: text });
    if (this.#id !== undefined && clock.monotonic() - this.#heardAt >= this.#ttlMs)
      this.#forget('it ran out while etcd could not be reached');
    this.#enter({ kind: 'unreachable', since: clock.now(), error: text });
  }

  #forget(why: string): void {
    const { clock, logger, cluster } = this.#options;
    logger.warn('etcd lease lost', { cluster, lease: this.#id, why });
    this.#id = undefined;
    this.#enter({ kind: 'connecting', since: clock.now() }, true);
  }

  #enter(state: LeaseState, changed = false): void {
    const { cluster, logger, metrics } = this.#options;
    const before = this.#state.kind;
    if (before === 'unreachable' && state.kind === 'held') logger.info('etcd answers again', { cluster });
    if (before !== state.kind || state.kind === 'unreachable') this.#state = state;
    metrics.leaseHeld.set(this.#id === undefined ? 0 : 1, { cluster });
    if (changed || before !== state.kind) this.#listeners.emit();
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    this.#wake = () => end.abort();
    await this.#options.clock.sleep(ms, AbortSignal.any([signal, end.signal])).catch(() => undefined);
    this.#wake = undefined;
  }
}
