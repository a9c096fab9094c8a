import { describeError, type Clock, type Timer } from '@smartstack/agent';
import type { Socket } from 'node:net';
import type {
  CloseReason,
  DialResult,
  DialSpec,
  NodeReading,
  OpInput,
  OpOutput,
  ZkConnection,
} from './connection.js';
import { refusal, serverError, ZooKeeperError } from './errors.js';
import { requestProblem } from './transportLimits.js';
import { Codec } from './transportCodec.js';
import {
  checkLayout,
  connectResponseLayout,
  FrameReader,
  ProtocolError,
  readReplyHeader,
  replyHeaderEnd,
  replyLayouts,
  watchEventLayout,
} from './transportFrames.js';
import { type Habits, NodeReadings } from './transportReadings.js';
import { describeSocketError } from './tlsProblem.js';
import { openSocket } from './transportSocket.js';
import type { OpName, ZkPath } from './types.js';

const notificationXid = -1;
const pingXid = -2;
const authXid = -4;
/** Leaves room for what is queued when the session notices; requests must stay below 2^31. */
const lastSafeXid = 2 ** 31 - 2 ** 20;

interface Pending {
  readonly op: OpName;
  readonly path: ZkPath;
  readonly fail: (error: ZooKeeperError) => void;
}

/** One dial and, if it succeeds, one connection. */
export class TransportConnection implements ZkConnection {
  readonly server: string;
  lastZxid: bigint;
  lastReceivedAt: number;
  readonly #spec: DialSpec;
  readonly #clock: Clock;
  readonly #habits: Habits;
  readonly #codec: Codec;
  readonly #frames = new FrameReader();
  readonly #pending = new Set<Pending>();
  #socket: Socket | undefined;
  #phase: 'dialling' | 'handshake' | 'open' | 'closed' = 'dialling';
  #settleDial: ((result: DialResult) => void) | undefined;
  #onceClosed: (() => void)[] = [];

  constructor(spec: DialSpec, clock: Clock, firstXid: number, habits: Habits) {
    this.#habits = habits;
    this.#spec = spec;
    this.#clock = clock;
    const { host, port } = spec.server;
    this.server = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    this.lastZxid = spec.lastZxid;
    this.lastReceivedAt = clock.monotonic();
    this.#codec = new Codec(
      spec,
      { write: (bytes) => this.#write(bytes), onWatch: (event) => spec.onWatch(event) },
      firstXid,
    );
  }

  get closed(): boolean {
    return this.#phase === 'closed';
  }

  get exhausted(): boolean {
    return this.#codec.nextXid >= lastSafeXid;
  }

  open(signal: AbortSignal): Promise<DialResult> {
    return new Promise((resolve) => {
      const { handshakeTimeoutMs } = this.#spec;
      const timer = this.#clock.setTimeout(
        () => this.destroy(`no answer to the handshake within ${Math.round(handshakeTimeoutMs)} ms`),
        handshakeTimeoutMs,
      );
      const onAbort = (): void => this.destroy('the dial was called off');
      this.#settleDial = (result) => {
        this.#settleDial = undefined;
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        resolve(result);
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      this.#dial();
    });
  }

  #dial(): void {
    try {
      const { socket, readyEvent } = openSocket(this.#spec.server, this.#spec.tls);
      this.#socket = socket;
      let failure: Error | undefined;
      socket.on('error', (error) => (failure = error));
      socket.on('close', () =>
        this.#close({
          kind: 'remote',
          message: failure ? describeSocketError(failure) : 'the server hung up',
        }),
      );
      socket.on('drain', () => this.#guard(() => this.#codec.drain()));
      socket.on('data', (chunk: Buffer) => this.#onData(chunk));
      socket.once(readyEvent, () => {
        this.#phase = 'handshake';
        this.#guard(() => this.#codec.start());
      });
    } catch (error) {
      // Options that node refuses outright, such as an unreadable certificate.
      this.#close({ kind: 'local', message: describeError(error) });
    }
  }

  /** What is written in one turn of the event loop goes out in one piece: a thousand reads are not a thousand packets. */
  #write(bytes: Buffer): boolean {
    const socket = this.#socket;
    if (socket === undefined) return false;
    if (socket.writableCorked === 0) {
      socket.cork();
      setImmediate(() => socket.uncork());
    }
    return socket.write(bytes);
  }

  #onData(chunk: Buffer): void {
    this.#guard(() =>
      this.#frames.push(chunk, (frame) => {
        // Whole frames only: bytes of one that never ends are no sign of life.
        this.lastReceivedAt = this.#clock.monotonic();
        if (this.#phase === 'handshake') this.#onHandshake(frame);
        else if (this.#phase === 'open') this.#onFrame(frame);
      }),
    );
  }

  /** Nothing that a peer sends may end the process: whatever the codec throws ends the connection. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#close({ kind: 'protocol', message: describeError(error) });
    }
  }

  #onHandshake(frame: Buffer): void {
    checkLayout(frame, 4, connectResponseLayout, 'the connect response');
    const granted = this.#codec.handshake(frame);
    if (granted === undefined) {
      this.#settleDial?.({ kind: 'expired' });
      this.#close({ kind: 'local', message: 'the session has expired' });
      return;
    }
    this.#phase = 'open';
    this.#settleDial?.({
      kind: 'connected',
      connection: this,
      session: granted.session,
      sessionTimeoutMs: granted.timeoutMs,
    });
  }

  #onFrame(frame: Buffer): void {
    const { xid, zxid, error } = readReplyHeader(frame);
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    if (xid === pingXid) return;
    if (xid === authXid) {
      if (error !== 0)
        this.#close({ kind: 'auth-failed', message: `the server refused our credentials (${error})` });
      return;
    }
    if (xid === notificationXid) {
      checkLayout(frame, replyHeaderEnd, watchEventLayout, 'a notification');
      this.#codec.receive(frame);
      return;
    }
    const { expected } = this.#codec;
    if (expected?.xid !== xid) {
      throw new ProtocolError(
        `a reply to request ${xid} while ${expected ? `${expected.xid}` : 'none'} was expected`,
      );
    }
    if (error !== 0) {
      this.#codec.fail(error);
      return;
    }
    checkLayout(frame, replyHeaderEnd, replyLayouts[expected.type] ?? [], 'a reply');
    this.#codec.receive(frame);
  }

  request<O extends OpName>(op: O, input: OpInput<O>, timeoutMs: number): Promise<OpOutput<O>> {
    const { path } = input;
    return this.#answered(op, path, timeoutMs, (resolve, reject) => {
      const problem = requestProblem(op, input);
      if (problem) throw new ZooKeeperError(problem.kind, problem.message, { op, path });
      this.#codec.submit(op, input, resolve, (code) => reject(serverError(code, { op, path })));
    });
  }

  readData(paths: readonly ZkPath[], timeoutMs: number): Promise<readonly NodeReading[]> {
    const readings = new NodeReadings(paths);
    const { paths: sent, all } = readings;
    const [first] = sent;
    if (first === undefined) return Promise.resolve(all);
    return this.#answered('getData', first, timeoutMs, (resolve) =>
      readings.read(this.#codec, this.#habits, {
        onComplete: () => resolve(all),
        onTooOld: (message) => this.#close({ kind: 'remote', message }),
      }),
    );
  }

  /** Settles exactly once: as `send` says or with what it throws, after `timeoutMs`, or with the connection. */
  #answered<T>(
    op: OpName,
    path: ZkPath,
    timeoutMs: number,
    send: (resolve: (output: T) => void, reject: (error: ZooKeeperError) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#phase !== 'open') {
        reject(new ZooKeeperError('NotConnected', 'not connected', { op, path }));
        return;
      }
      const pending: Pending = {
        op,
        path,
        fail: (error) => {
          if (!this.#pending.delete(pending)) return;
          timer.cancel();
          reject(error);
        },
      };
      const timer: Timer = this.#clock.setTimeout(() => {
        const message = `no answer within ${timeoutMs} ms`;
        pending.fail(new ZooKeeperError('OperationTimeout', message, { op, path, applied: 'unknown' }));
      }, timeoutMs);
      this.#pending.add(pending);
      try {
        const succeed = (output: T): void => {
          if (!this.#pending.delete(pending)) return;
          timer.cancel();
          resolve(output);
        };
        send(succeed, pending.fail);
      } catch (error) {
        pending.fail(refusal(error, { op, path }));
      }
    });
  }

  async closeSession(deadlineMs: number): Promise<void> {
    if (this.#phase !== 'open') return;
    const gone = new Promise<void>((resolve) => this.#onceClosed.push(resolve));
    const timer = this.#clock.setTimeout(
      () => this.destroy(`the session was not closed within ${deadlineMs} ms`),
      deadlineMs,
    );
    this.#guard(() => this.#codec.closeSession());
    await gone;
    timer.cancel();
  }

  destroy(reason: string): void {
    this.#close({ kind: 'local', message: reason });
  }

  #close(reason: CloseReason): void {
    const before = this.#phase;
    if (before === 'closed') return;
    this.#phase = 'closed';
    this.#socket?.destroy();
    // A hang-up instead of an answer, as opposed to a dead or silent server.
    const refused = before === 'handshake' && reason.kind === 'remote';
    this.#settleDial?.({ kind: 'failed', refused, message: reason.message });
    for (const pending of [...this.#pending]) {
      const details = { op: pending.op, path: pending.path, applied: 'unknown' } as const;
      pending.fail(new ZooKeeperError('ConnectionLoss', reason.message, details));
    }
    for (const resolve of this.#onceClosed.splice(0)) resolve();
    if (before === 'open') this.#spec.onClose(reason);
  }
}
