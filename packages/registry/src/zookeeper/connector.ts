import {
  Backoff,
  describeError,
  type BackoffOptions,
  type Clock,
  type Logger,
  type Timer,
} from '@smartstack/agent';
import type { Resolve } from '../nameLookups.js';
import { distinct, type HostPort, resolveServers, sameServer } from './addresses.js';
import type {
  CloseReason,
  DialResult,
  ServerAddress,
  SessionRef,
  WatchEvent,
  ZkTransport,
} from './connection.js';
import type { Credentials, CredentialReader } from './credentials.js';
import { deferred } from './deferred.js';
import { startHeartbeat } from './heartbeat.js';
import type { Live } from './link.js';
import type { ZooKeeperMetrics } from './metrics.js';
import { Outage } from './outage.js';
import type { SessionState } from './types.js';

export interface ConnectorOptions {
  readonly servers: readonly HostPort[];
  readonly sessionTimeoutMs: number;
  readonly credentials: CredentialReader;
  readonly backoff: BackoffOptions;
  /** After so long of nothing but refusals, forget which transactions were seen. */
  readonly refusalsResetMs: number;
  readonly transport: ZkTransport;
  readonly resolve: Resolve;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: ZooKeeperMetrics;
  readonly metricLabels: { readonly ensemble: string };
  onState(now: SessionState, before: SessionState): void;
  onWatch(event: WatchEvent): void;
}

type Connected = Extract<DialResult, { kind: 'connected' }>;

/** Dials, keeps the session over connections, notices its end and starts the next: the session's state machine. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #backoff: Backoff;
  readonly #outage: Outage;
  #state: SessionState;
  #live: Live | undefined;
  #session: SessionRef | undefined;
  #epoch = 0;
  #lastZxid = 0n;
  #timeoutMs: number;
  #queue: ServerAddress[] = [];
  #known: readonly ServerAddress[] = [];
  #failed: ServerAddress | undefined;
  #presumeLost: Timer | undefined;

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#timeoutMs = options.sessionTimeoutMs;
    this.#backoff = new Backoff({ ...options.backoff, random: options.random });
    this.#outage = new Outage(options.clock, options.logger, options.refusalsResetMs);
    this.#state = { kind: 'connecting', attempt: 0, since: options.clock.now() };
  }

  get state(): SessionState {
    return this.#state;
  }

  get live(): Live | undefined {
    return this.#live;
  }

  /** True while the servers may hold a session (and ephemerals) of ours. */
  get hasSession(): boolean {
    return this.#session !== undefined;
  }

  /** Runs until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const server = await this.#nextServer(signal);
      const outcome = server ? await this.#attempt(server, signal) : 'pause';
      if (server && outcome === 'dial-at-once') this.#queue.unshift(server);
      else await this.#pause(signal);
    }
    this.#set({ kind: 'closed', since: this.#options.clock.now() });
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const delayMs = this.#backoff.next();
    // Everybody who was connected to a server that died loses it at the same moment.
    const spread = this.#backoff.attempt === 1 ? this.#options.random() : 1;
    await this.#options.clock.sleep(delayMs * spread, signal).catch(() => undefined);
  }

  async #nextServer(signal: AbortSignal): Promise<ServerAddress | undefined> {
    const { servers, resolve, random, clock } = this.#options;
    if (this.#queue.length === 0) {
      // A resolver that hangs must not hold up dialling what is known already.
      const limitMs = this.#timeoutMs / 3;
      const asked = { resolve, random, clock, limitMs, signal };
      const { addresses, problems, silent } = await resolveServers(servers, asked);
      if (signal.aborted) return undefined;
      for (const problem of problems) this.#outage.failed(`cannot resolve ${problem}`);
      const found = distinct([...addresses, ...this.#known.filter(({ host }) => silent.has(host))]);
      if (found.length > 0) this.#known = found;
      const last = this.#known.filter((server) => sameServer(server, this.#failed));
      this.#queue = [...this.#known.filter((server) => !sameServer(server, this.#failed)), ...last];
    }
    return this.#queue.shift();
  }

  async #attempt(server: ServerAddress, signal: AbortSignal): Promise<'dial-at-once' | 'pause'> {
    const { transport, sessionTimeoutMs, clock, metrics, metricLabels } = this.#options;
    const credentials = await this.#readCredentials(signal);
    if (credentials === undefined) return 'pause';
    const { auth, tls } = credentials;
    const closed = deferred<CloseReason>();
    const resume = this.#session;
    const servers = this.#known.length;
    const handshakeTimeoutMs = this.#outage.handshakeMs(this.#timeoutMs / Math.max(2, servers), servers);
    const dialledAt = clock.monotonic();
    const result = await transport.dial(
      {
        server,
        resume,
        lastZxid: this.#lastZxid,
        sessionTimeoutMs,
        handshakeTimeoutMs,
        auth,
        tls,
        onWatch: (event) => this.#options.onWatch(event),
        onClose: (reason) => {
          // At once: whoever hears that an operation failed must not find its connection still in place.
          this.#live = undefined;
          closed.resolve(reason);
        },
      },
      signal,
    );
    if (result.kind === 'connected') {
      // A session that is closed while its connection comes up never becomes live.
      const giveUp = (): void => {
        if (!this.#live) result.connection.destroy('the session is closed');
      };
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      await this.#serve(result, closed.promise, auth.length > 0, signal);
      signal.removeEventListener('abort', giveUp);
      this.#failed = server;
      this.#queue = [];
      return 'pause';
    }
    if (signal.aborted) return 'pause';
    if (result.kind === 'expired' && resume !== undefined) {
      this.#expire();
      return 'dial-at-once';
    }
    metrics.dialFailures.inc(metricLabels);
    // Timers may fire a little early.
    if (clock.monotonic() - dialledAt > 0.9 * handshakeTimeoutMs) this.#outage.silent();
    const refused = result.kind === 'failed' && result.refused;
    const message = result.kind === 'failed' ? result.message : 'the server granted no session';
    this.#outage.failed(`${server.host}:${server.port}: ${message}`, { refused });
    if (this.#lastZxid > 0n && this.#outage.onlyRefusals) this.#forgetTransactions();
    if (this.#state.kind === 'connecting') this.#set({ ...this.#state, attempt: this.#backoff.attempt + 1 });
    return 'pause';
  }

  async #readCredentials(signal: AbortSignal): Promise<Credentials | undefined> {
    try {
      return await this.#options.credentials.read(this.#timeoutMs / 3, signal);
    } catch (error) {
      if (!signal.aborted) this.#outage.failed(describeError(error));
      return undefined;
    }
  }

  /** Servers whose data were thrown away refuse whoever has seen newer ones, for ever and without a word. */
  #forgetTransactions(): void {
    this.#options.logger.warn(
      'all servers hang up on us: they have no quorum, or lost data that we had seen; asking without our last transaction',
      { lastZxid: `0x${this.#lastZxid.toString(16)}` },
    );
    this.#lastZxid = 0n;
  }

  #expire(): void {
    const { logger, metrics, metricLabels } = this.#options;
    logger.warn('ZooKeeper session expired', { session: describeSession(this.#session?.id) });
    metrics.expired.inc(metricLabels);
    this.#session = undefined;
    this.#timeoutMs = this.#options.sessionTimeoutMs;
    this.#set({ kind: 'connecting', attempt: 0, since: this.#options.clock.now() });
  }

  async #serve(result: Connected, closed: Promise<CloseReason>, proves: boolean, signal: AbortSignal) {
    const { clock, logger, metrics, metricLabels } = this.#options;
    const { connection } = result;
    const fresh = this.#session?.id !== result.session.id;
    if (fresh) {
      this.#epoch += 1;
      metrics.sessions.inc(metricLabels);
    }
    this.#session = result.session;
    this.#timeoutMs = result.sessionTimeoutMs;
    // Servers refuse credentials only after the handshake: an answer proves that they took ours.
    if (proves)
      await connection
        .request('exists', { path: '/', watch: false }, this.#timeoutMs / 3)
        .catch(() => undefined);
    const since = clock.monotonic();
    const stopHeartbeat = startHeartbeat({
      connection,
      sessionTimeoutMs: this.#timeoutMs,
      clock,
      onLag: (lagMs) => logger.warn('the event loop stood still', { lagMs: Math.round(lagMs) }),
    });
    const stable = clock.setTimeout(() => {
      this.#backoff.reset();
      this.#outage.stable();
    }, this.#timeoutMs / 3);
    if (!connection.closed) {
      this.#outage.connected();
      this.#live = { connection, epoch: this.#epoch, sessionId: result.session.id };
      metrics.connected.set(1, metricLabels);
      const session = describeSession(result.session.id);
      logger.info(fresh ? 'ZooKeeper session started' : 'ZooKeeper session resumed', {
        server: connection.server,
        session,
        timeoutMs: this.#timeoutMs,
      });
      this.#set({
        kind: 'connected',
        epoch: this.#epoch,
        sessionId: result.session.id,
        server: connection.server,
        since: clock.now(),
      });
    }
    const reason = await closed;
    stopHeartbeat();
    stable.cancel();
    metrics.connected.set(0, metricLabels);
    if (connection.lastZxid > this.#lastZxid) this.#lastZxid = connection.lastZxid;
    if (!signal.aborted) this.#lost(reason, connection.lastReceivedAt, clock.monotonic() - since);
  }

  #lost(reason: CloseReason, lastReceivedAt: number, livedMs: number): void {
    const { clock, metrics, metricLabels } = this.#options;
    metrics.suspended.inc(metricLabels);
    if (reason.kind === 'auth-failed') {
      this.#outage.failed(reason.message);
      this.#set({ kind: 'auth-failed', since: clock.now() });
      return;
    }
    this.#outage.lost(reason.message, livedMs < this.#timeoutMs / 3);
    const suspended = {
      kind: 'suspended',
      epoch: this.#epoch,
      since: clock.now(),
      reason: reason.message,
    } as const;
    this.#set(suspended);
    this.#presumeLost = clock.setTimeout(
      () => {
        this.#options.logger.warn('ZooKeeper session presumed lost', { timeoutMs: this.#timeoutMs });
        this.#set({ ...suspended, kind: 'presumed-lost', since: clock.now() });
      },
      Math.max(0, this.#timeoutMs - (clock.monotonic() - lastReceivedAt)),
    );
  }

  #set(now: SessionState): void {
    const before = this.#state;
    this.#presumeLost?.cancel();
    this.#state = now;
    try {
      this.#options.onState(now, before);
    } catch (error) {
      this.#options.logger.error('a session state handler failed', { error: describeError(error) });
    }
  }
}

function describeSession(id: bigint | undefined): string {
  return `0x${BigInt.asUintN(64, id ?? 0n).toString(16)}`;
}
