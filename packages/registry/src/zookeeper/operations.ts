import type { OpInput, OpOutput } from './connection.js';
import { isZooKeeperError, ZooKeeperError } from './errors.js';
import { Limiter } from './limiter.js';
import type { Live, SessionLink } from './link.js';
import { addChroot, parentOf } from './paths.js';
import type { OpName, OpOptions, ZkPath } from './types.js';

/** Who waits for a connection; beyond it operations fail at once. */
const maxWaiting = 10_000;

/** Creates a node's missing parents and the node itself, persistent and open; deepest first, for the rest mostly exist. */
export async function createPath(live: Live, path: ZkPath, timeoutMs: number): Promise<void> {
  if (path === '/') return;
  const create = (): Promise<unknown> =>
    live.connection.request('create', { path, data: Buffer.alloc(0), mode: 'persistent' }, timeoutMs);
  try {
    await create();
  } catch (error) {
    if (isZooKeeperError(error, 'NodeExists')) return;
    if (!isZooKeeperError(error, 'NoNode')) throw error;
    await createPath(live, parentOf(path), timeoutMs);
    await create().catch((again: unknown) => {
      if (!isZooKeeperError(again, 'NodeExists')) throw again;
    });
  }
}

/** The session's plain operations: each waits for a connection, is sent at most once and settles within its time. */
export class SessionOperations {
  readonly #link: SessionLink;
  readonly #chroot: ZkPath | '';
  readonly #limiter: Limiter;
  readonly #waiting = new Set<(error?: ZooKeeperError) => void>();
  #closed = false;

  constructor(link: SessionLink, chroot: ZkPath | '', maxInFlight: number) {
    this.#link = link;
    this.#chroot = chroot;
    this.#limiter = new Limiter(maxInFlight);
    link.onChange((state) => {
      if (state.kind === 'connected') for (const go of [...this.#waiting]) go();
    });
  }

  async run<O extends OpName>(op: O, input: OpInput<O>, options: OpOptions = {}): Promise<OpOutput<O>> {
    const absolute = { ...input, path: addChroot(this.#chroot, input.path) };
    return this.#perform(op, input.path, options, (live, leftMs) =>
      live.connection.request(op, absolute, leftMs),
    );
  }

  async mkdirp(path: ZkPath, options: OpOptions = {}): Promise<void> {
    await this.#perform('create', path, options, (live, leftMs) =>
      createPath(live, addChroot(this.#chroot, path), leftMs),
    );
  }

  /** Fails whoever waits, now and from now on. */
  close(): void {
    this.#closed = true;
    for (const go of [...this.#waiting])
      go(new ZooKeeperError('Closed', 'the session is closed', { op: 'exists' }));
  }

  async #perform<T>(
    op: OpName,
    path: ZkPath,
    { timeoutMs = this.#link.operationTimeoutMs, signal }: OpOptions,
    work: (live: Live, leftMs: number) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const { clock } = this.#link;
    const endsAt = clock.monotonic() + timeoutMs;
    const left = (): number => endsAt - clock.monotonic();
    const notSent = (message: string): ZooKeeperError =>
      new ZooKeeperError('NotConnected', message, { op, path });
    const result = (async () => {
      if (!this.#link.live) await this.#connected(op, path, timeoutMs);
      return this.#limiter.run(async () => {
        signal?.throwIfAborted();
        if (!this.#link.live) throw notSent('the connection was lost again');
        if (left() <= 0) throw notSent(`too busy to send it within ${timeoutMs} ms`);
        return work(this.#link.live, left());
      });
    })();
    return signal ? abortable(result, signal) : result;
  }

  #connected(op: OpName, path: ZkPath, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (kind: 'Closed' | 'NotConnected', message: string): void =>
        reject(new ZooKeeperError(kind, message, { op, path }));
      if (this.#closed) {
        fail('Closed', 'the session is closed');
        return;
      }
      if (this.#waiting.size >= maxWaiting) {
        fail('NotConnected', 'not connected, and too many operations wait already');
        return;
      }
      const go = (error?: ZooKeeperError): void => {
        this.#waiting.delete(go);
        timer.cancel();
        if (!error) resolve();
        else fail('Closed', 'the session is closed');
      };
      const timer = this.#link.clock.setTimeout(() => {
        this.#waiting.delete(go);
        fail('NotConnected', `not connected within ${Math.round(timeoutMs)} ms`);
      }, timeoutMs);
      this.#waiting.add(go);
    });
  }
}

/** Rejects with the signal's reason as soon as it aborts; what was sent may be carried out all the same. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
