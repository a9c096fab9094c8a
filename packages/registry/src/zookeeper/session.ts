import { silentLogger, systemClock, type BackoffOptions, type Clock, type Logger } from '@smartstack/agent';
import { type Resolve, systemResolve } from '../nameLookups.js';
import { ensembleKey, parseHosts } from './addresses.js';
import { ChildrenReader } from './childrenWatch.js';
import type { ZkTransport } from './connection.js';
import { Connector } from './connector.js';
import { CredentialReader } from './credentials.js';
import { deferred } from './deferred.js';
import { Limiter } from './limiter.js';
import type { SessionLink } from './link.js';
import { Listeners } from './listeners.js';
import { noMetrics, type ZooKeeperMetrics } from './metrics.js';
import { SessionOperations } from './operations.js';
import { addChroot, removeChroot } from './paths.js';
import { Registration } from './registration.js';
import { SharedNodes } from './sharedNodes.js';
import { createTransport } from './transport.js';
import type {
  ChildrenWatch,
  ChildrenWatchOptions,
  CreateMode,
  OpOptions,
  RegistrationHandle,
  RegistrationSpec,
  SessionOptions,
  SessionState,
  Stat,
  ZkAcl,
  ZkPath,
  ZkSession,
} from './types.js';
import { WatchTable } from './watchTable.js';

/** Everything that has a sensible default. */
export interface SessionTuning {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly metrics?: ZooKeeperMetrics;
  /** Between dials. Default 50 ms to 2 s. */
  readonly backoff?: BackoffOptions;
  /** For each operation, and for waiting until there is a connection. Default: the session's timeout. */
  readonly operationTimeoutMs?: number;
  /** Operations under way at once. Default 256. */
  readonly maxInFlight?: number;
  /** How often watchers read everything again without cause. Default 5 minutes, with 20 % of jitter. */
  readonly resyncIntervalMs?: number;
  /** After so long of nothing but refusals the newest transaction seen is forgotten. Default: 3 s, or the session's timeout if less. */
  readonly refusalsResetMs?: number;
  readonly resolve?: Resolve;
  readonly transport?: ZkTransport;
  readonly random?: () => number;
  /** The same for all sessions whose registrations may replace each other. Default: its own. */
  readonly shared?: SharedNodes;
}

/** A first reading takes so many round trips fewer; a server takes a thousand at a time from all its clients. */
const maxReadsInFlight = 256;
const defaultCloseDeadlineMs = 2_000;

/** Starts connecting, and returns at once. Throws AgentError `zookeeper.BadHosts` for an unusable host list. */
export function openSession(options: SessionOptions & SessionTuning): ZkSession {
  return new Session(options);
}

class Session implements ZkSession {
  readonly #connector: Connector;
  readonly #operations: SessionOperations;
  readonly #stateListeners: Listeners<[SessionState, SessionState]>;
  readonly #link: SessionLink;
  readonly #chroot: ZkPath | '';
  readonly #clock: Clock;
  readonly #resyncIntervalMs: number;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #disposables = new Set<{ dispose(): void }>();
  #closing: Promise<void> | undefined;
  /** The servers may hold ephemerals of ours, worth some waiting to take along. */
  #mayOwnNodes = false;

  constructor(options: SessionOptions & SessionTuning) {
    const {
      clock = systemClock,
      logger = silentLogger,
      metrics = noMetrics,
      random = Math.random,
      sessionTimeoutMs,
      operationTimeoutMs = sessionTimeoutMs,
    } = options;
    const ensemble = parseHosts(options.hosts);
    const metricLabels = { ensemble: ensembleKey(ensemble) };
    const changes = new Listeners<[SessionState]>(logger);
    const watches = new WatchTable(logger);
    this.#chroot = ensemble.chroot;
    this.#clock = clock;
    this.#resyncIntervalMs = options.resyncIntervalMs ?? 300_000;
    this.#stateListeners = new Listeners(logger);
    const connector = new Connector({
      servers: ensemble.servers,
      sessionTimeoutMs,
      credentials: new CredentialReader({
        ...(options.auth && { auth: options.auth }),
        ...{ authFile: options.authFile, tls: options.tls, clock, logger },
      }),
      backoff: options.backoff ?? { minMs: 50, maxMs: 2_000 },
      refusalsResetMs: options.refusalsResetMs ?? Math.min(3_000, sessionTimeoutMs),
      transport: options.transport ?? createTransport({ clock }),
      resolve: options.resolve ?? systemResolve,
      clock,
      random,
      logger,
      metrics,
      metricLabels,
      onState: (now, before) => {
        changes.emit(now);
        this.#stateListeners.emit(now, before);
      },
      onWatch: (event) => {
        metrics.watchEvents.inc(metricLabels);
        watches.dispatch(event);
      },
    });
    this.#connector = connector;
    this.#link = {
      get live() {
        return connector.live;
      },
      onChange: (listener) => changes.add(listener),
      watches,
      claims: new Set(),
      shared: options.shared ?? new SharedNodes(),
      reads: new Limiter(maxReadsInFlight),
      operationTimeoutMs,
      clock,
      random,
      logger,
      metrics,
      metricLabels,
    };
    this.#operations = new SessionOperations(this.#link, this.#chroot, options.maxInFlight ?? 256);
    this.#running = connector.run(this.#stop.signal);
  }

  get state(): SessionState {
    return this.#connector.state;
  }

  onState(listener: (now: SessionState, before: SessionState) => void): () => void {
    return this.#stateListeners.add(listener);
  }

  exists(path: ZkPath, options?: OpOptions): Promise<Stat | undefined> {
    return this.#operations.run('exists', { path, watch: false }, options);
  }

  getData(path: ZkPath, options?: OpOptions): Promise<{ readonly data: Buffer; readonly stat: Stat }> {
    return this.#operations.run('getData', { path, watch: false }, options);
  }

  getChildren(
    path: ZkPath,
    options?: OpOptions,
  ): Promise<{ readonly children: readonly string[]; readonly stat: Stat }> {
    return this.#operations.run('getChildren', { path, watch: false }, options);
  }

  async create(
    path: ZkPath,
    data: Buffer,
    mode: CreateMode,
    options?: OpOptions & { readonly acl?: readonly ZkAcl[] },
  ): Promise<ZkPath> {
    if (mode.startsWith('ephemeral')) this.#mayOwnNodes = true;
    const created = await this.#operations.run('create', { path, data, mode, acl: options?.acl }, options);
    return removeChroot(this.#chroot, created);
  }

  setData(path: ZkPath, data: Buffer, version: number, options?: OpOptions): Promise<Stat> {
    return this.#operations.run('setData', { path, data, version }, options);
  }

  delete(path: ZkPath, version: number, options?: OpOptions): Promise<void> {
    return this.#operations.run('delete', { path, version }, options);
  }

  mkdirp(path: ZkPath, options?: OpOptions): Promise<void> {
    return this.#operations.mkdirp(path, options);
  }

  register(spec: RegistrationSpec): RegistrationHandle {
    this.#mayOwnNodes = true;
    const parent = addChroot(this.#chroot, spec.parent);
    return this.#keep(new Registration(this.#link, { ...spec, parent }, this.#chroot));
  }

  watchChildren(path: ZkPath, options: ChildrenWatchOptions): ChildrenWatch {
    const reader = new ChildrenReader(this.#link, addChroot(this.#chroot, path), {
      ...options,
      resyncIntervalMs: this.#resyncIntervalMs,
    });
    return this.#keep(reader);
  }

  #keep<T extends { dispose(): void; onDispose?: (() => void) | undefined }>(part: T): T {
    if (this.#closing) part.dispose();
    else {
      this.#disposables.add(part);
      part.onDispose = () => void this.#disposables.delete(part);
    }
    return part;
  }

  close({ deadlineMs = defaultCloseDeadlineMs }: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    const endsAt = this.#clock.monotonic() + deadlineMs;
    for (const part of [...this.#disposables]) part.dispose();
    // Ephemerals of a session that is only suspended go at once if it can be reached once more.
    if (this.#mayOwnNodes && !this.#connector.live && this.#connector.hasSession)
      await this.#connectedOrGone(deadlineMs);
    const live = this.#connector.live;
    this.#stop.abort();
    this.#operations.close();
    await live?.connection.closeSession(Math.max(1, endsAt - this.#clock.monotonic()));
    await this.#running;
  }

  async #connectedOrGone(deadlineMs: number): Promise<void> {
    const done = deferred<undefined>();
    const timer = this.#clock.setTimeout(() => done.resolve(undefined), deadlineMs);
    const remove = this.#link.onChange(() => {
      if (this.#connector.live || !this.#connector.hasSession) done.resolve(undefined);
    });
    await done.promise;
    timer.cancel();
    remove();
  }
}
