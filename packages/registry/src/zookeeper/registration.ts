import { Backoff, describeError } from '@smartstack/agent';
import { isZooKeeperError, ZooKeeperError } from './errors.js';
import type { Live, SessionLink } from './link.js';
import { Listeners } from './listeners.js';
import { removeChroot } from './paths.js';
import { RegistrationNodes } from './registrationNodes.js';
import type {
  RegistrationHandle,
  RegistrationNode,
  RegistrationSpec,
  RegistrationState,
  ZkPath,
} from './types.js';

/** A node that stays this long proves that whatever took the one before is over. */
const stableMs = 10_000;

/**
 * Compares what is wanted with what the registry holds, and mends the difference: after every change of
 * what is wanted, every new connection, and every event on our node. One pass is under way at a time.
 */
export class Registration implements RegistrationHandle {
  onDispose: (() => void) | undefined;
  readonly #link: SessionLink;
  readonly #chroot: ZkPath | '';
  readonly #nodes: RegistrationNodes;
  readonly #listeners: Listeners<[RegistrationState]>;
  readonly #errorBackoff: Backoff;
  readonly #lossBackoff: Backoff;
  readonly #unsubscribe: () => void;
  readonly #waiting = new Set<(error?: ZooKeeperError) => void>();
  #wanted: RegistrationNode | undefined;
  /** `want` was called: until then it is not known whether anything is wanted. */
  #told = false;
  #state: RegistrationState = { kind: 'absent' };
  #dirty = false;
  #running = false;
  #disposed = false;
  #presentAt = 0;
  #holdOffMs = 0;
  /** Ends the present pause early. */
  #interrupt = new AbortController();
  #problem: string | undefined;

  constructor(link: SessionLink, spec: RegistrationSpec, chroot: ZkPath | '') {
    this.#link = link;
    this.#chroot = chroot;
    this.#listeners = new Listeners(link.logger);
    const bounds = { minMs: 50, maxMs: 5_000, random: link.random };
    this.#errorBackoff = new Backoff(bounds);
    this.#lossBackoff = new Backoff(bounds);
    this.#nodes = new RegistrationNodes(link, spec, {
      onEvent: () => this.#look(),
      onPresent: (path) => this.#present(path),
      onFreed: () => {
        this.#interrupt.abort();
        this.#look();
      },
      onExpired: () => this.#pending('the session expired'),
      onLost: (path, why) => this.#lost(path, why),
    });
    this.#unsubscribe = link.onChange((state) => {
      this.#nodes.forgetConnection();
      if (state.kind === 'presumed-lost' && this.#nodes.diesWithSession && this.#state.kind === 'present')
        this.#pending('the session is presumed lost');
      this.#interrupt.abort();
      this.#look();
    });
  }

  get state(): RegistrationState {
    return this.#state;
  }

  want(node: RegistrationNode | undefined): void {
    // A wish repeated must not cut the pauses between attempts short.
    if (this.#disposed || (this.#told && sameNode(node, this.#wanted))) return;
    this.#told = true;
    this.#wanted = node && { name: node.name, data: Buffer.from(node.data) };
    if (this.#state.kind === 'absent' && (node !== undefined || !this.#nodes.untouched)) this.#pending();
    this.#interrupt.abort();
    this.#look();
  }

  onState(listener: (state: RegistrationState) => void): () => void {
    return this.#listeners.add(listener);
  }

  settled(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      if (!this.#running && this.#isSettled()) {
        resolve();
        return;
      }
      if (this.#disposed) {
        reject(this.#closedError());
        return;
      }
      const onAbort = (): void => {
        this.#waiting.delete(done);
        reject(signal.reason);
      };
      const done = (error?: ZooKeeperError): void => {
        signal.removeEventListener('abort', onAbort);
        if (error) reject(error);
        else resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(done);
    });
  }

  async touch(): Promise<void> {
    const { live } = this.#link;
    const path = this.#nodes.ownPath;
    if (!path || !this.#wanted || this.#nodes.isReplaced) return;
    if (!live) throw new ZooKeeperError('NotConnected', 'not connected', { op: 'setData', path });
    const { data } = this.#wanted;
    await live.connection.request('setData', { path, data, version: -1 }, this.#link.operationTimeoutMs);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#unsubscribe();
    this.#nodes.release();
    this.#interrupt.abort();
    this.#settle(this.#closedError());
    this.onDispose?.();
  }

  #closedError(): ZooKeeperError {
    return new ZooKeeperError('Closed', 'the registration was disposed of', { op: 'create' });
  }

  #isSettled(): boolean {
    // Nothing wanted and nothing ever tried needs no server to be true.
    return !this.#told || !this.#dirty || (this.#wanted === undefined && this.#nodes.untouched);
  }

  #look(): void {
    this.#dirty = true;
    if (this.#running || this.#disposed) return;
    this.#running = true;
    this.#reconcile().then(
      () => this.#rest(),
      (error: unknown) => {
        this.#rest();
        this.#link.logger.error('a reconciler failed', { error: describeError(error) });
      },
    );
  }

  #rest(): void {
    this.#running = false;
    // Whatever came after the last look, but before this word of its end, started nothing.
    if (this.#dirty && this.#link.live) this.#look();
    else if (this.#isSettled()) this.#settle();
  }

  #settle(error?: ZooKeeperError): void {
    for (const done of this.#waiting) done(error);
    this.#waiting.clear();
  }

  async #reconcile(): Promise<void> {
    while (this.#dirty && !this.#disposed) {
      const live = this.#link.live;
      if (!live) return;
      this.#dirty = false;
      this.#interrupt = new AbortController();
      try {
        await this.#pass(live);
      } catch (error) {
        this.#dirty = true;
        if (this.#isCurrent(live)) await this.#failed(error);
      }
      if (this.#holdOffMs > 0) await this.#pause(this.#holdOffMs);
      this.#holdOffMs = 0;
    }
  }

  #isCurrent(live: Live): boolean {
    return !this.#disposed && this.#link.live === live;
  }

  async #pause(delayMs: number): Promise<void> {
    await this.#link.clock.sleep(delayMs, this.#interrupt.signal).catch(() => undefined);
  }

  async #pass(live: Live): Promise<void> {
    // What an earlier process has left must not go before it is known whether it should.
    if (!this.#told) return;
    const wanted = this.#wanted;
    await this.#nodes.reconcile(live, wanted);
    this.#problem = undefined;
    this.#errorBackoff.reset();
    // A session that was presumed lost may live after all, and our node with it.
    const { ownPath } = this.#nodes;
    if (ownPath !== undefined) this.#present(ownPath);
    // A wish that came meanwhile has said `pending` already.
    if (wanted === undefined && this.#wanted === undefined && this.#state.kind !== 'absent')
      this.#set({ kind: 'absent' });
  }

  async #failed(error: unknown): Promise<void> {
    const problem = describeError(error);
    // A connection that dies is the session's to report.
    if (!isZooKeeperError(error, 'ConnectionLoss', 'NotConnected') && problem !== this.#problem) {
      this.#link.logger.warn('a registration is held up', { problem });
      this.#problem = problem;
    }
    if (this.#wanted && !this.#nodes.ownPath) this.#pending(problem);
    await this.#pause(this.#errorBackoff.next());
  }

  #present(path: ZkPath): void {
    const shown = removeChroot(this.#chroot, path);
    if (this.#state.kind === 'present' && this.#state.path === shown) return;
    this.#presentAt = this.#link.clock.monotonic();
    this.#set({ kind: 'present', path: shown, since: this.#link.clock.now() });
  }

  /** The first loss is made good at once; when someone keeps taking our node, we slow down. */
  #lost(path: ZkPath, why: string): void {
    const { clock, logger, metrics, metricLabels } = this.#link;
    metrics.registrationsLost.inc(metricLabels);
    logger.warn('a registered node is gone', { path, why });
    if (clock.monotonic() - this.#presentAt > stableMs) this.#lossBackoff.reset();
    this.#holdOffMs = this.#lossBackoff.attempt === 0 ? 0 : this.#lossBackoff.next();
    if (this.#lossBackoff.attempt === 0) this.#lossBackoff.next();
    this.#dirty = true;
    this.#pending(why);
  }

  #pending(error?: string): void {
    if (this.#state.kind === 'pending' && this.#state.error === error) return;
    const since = this.#state.kind === 'pending' ? this.#state.since : this.#link.clock.now();
    this.#set({ kind: 'pending', since, ...(error === undefined ? {} : { error }) });
  }

  #set(state: RegistrationState): void {
    this.#state = state;
    this.#listeners.emit(state);
  }
}

function sameNode(a: RegistrationNode | undefined, b: RegistrationNode | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.name === b.name && a.data.equals(b.data);
}
