import type { DialSpec, OpInput, OpOutput, SessionRef, WatchEvent } from './connection.js';
import type { CreateMode, OpName, ZkPath } from './types.js';
import { assertPath } from './transportData.js';
import { ProtocolError } from './transportFrames.js';
import {
  type Client,
  type CodedError,
  type Manager,
  newClient,
  type RawStat,
  toAcl,
  toStat,
} from './transportLibrary.js';
import {
  BulkRead,
  type ChildrenAnswer,
  ChildrenRequest,
  type DataAnswer,
  DataRequests,
  OwnRequests,
} from './transportRequests.js';

const modes: Readonly<Record<CreateMode, number>> = {
  persistent: 0,
  ephemeral: 1,
  persistent_sequential: 2,
  ephemeral_sequential: 3,
};
const watchTypes: Readonly<Record<number, WatchEvent['type']>> = {
  1: 'created',
  2: 'deleted',
  3: 'data',
  4: 'children',
};
const noWatcher = (): void => undefined;
const watcher = (watch: boolean): unknown => (watch ? noWatcher : undefined);

type Failure = CodedError | null | undefined;
type Resolve<O extends OpName> = (output: OpOutput<O>) => void;
/** Called with the error code of the reply. */
type Reject = (code: number) => void;
type Submit = {
  readonly [O in OpName]: (
    client: Client,
    input: OpInput<O>,
    resolve: Resolve<O>,
    reject: Reject,
    codec: Codec,
  ) => void;
};

// The library hands its results over positionally, and none of them when there is an error.
const submit: Submit = {
  create: (client, { path, data, mode, acl }, resolve, reject) =>
    client.create(path, data, toAcl(acl), modes[mode], (error: Failure, created: ZkPath) =>
      error ? reject(error.code) : resolve(created),
    ),
  delete: (client, { path, version }, resolve, reject) =>
    client.remove(path, version, (error: Failure) => (error ? reject(error.code) : resolve(undefined))),
  exists: (client, { path, watch }, resolve, reject) =>
    client.exists(path, watcher(watch), (error: Failure, stat: RawStat | null) =>
      error ? reject(error.code) : resolve(stat ? toStat(stat) : undefined),
    ),
  getData: (_client, { path, watch }, resolve, reject, codec) =>
    codec.read([path], watch, (_index, answer) =>
      typeof answer === 'number' ? reject(answer) : resolve(answer),
    ),
  setData: (client, { path, data, version }, resolve, reject) =>
    client.setData(path, data, version, (error: Failure, stat: RawStat) =>
      error ? reject(error.code) : resolve(toStat(stat)),
    ),
  getChildren: (_client, { path, watch }, resolve, reject, codec) =>
    codec.readChildren(path, watch, (answer) =>
      typeof answer === 'number' ? reject(answer) : resolve(answer),
    ),
};

export interface CodecOutput {
  write(bytes: Buffer): boolean;
  onWatch(event: WatchEvent): void;
}

export interface GrantedSession {
  readonly session: SessionRef;
  readonly timeoutMs: number;
}

/**
 * The library as a pure wire codec: it gets one whole, checked frame at a time and returns bytes. Its
 * own sockets, timers, reconnects, pings and watch tables are never used.
 */
export class Codec {
  readonly #client: Client;
  readonly #manager: Manager;

  constructor(
    spec: Pick<DialSpec, 'resume' | 'lastZxid' | 'sessionTimeoutMs' | 'auth'>,
    out: CodecOutput,
    firstXid: number,
  ) {
    this.#client = newClient(spec.sessionTimeoutMs, spec.resume);
    const manager = (this.#manager = this.#client.connectionManager);
    // The library starts at 0, which no other client does.
    manager.xid = firstXid;
    manager.zxid.writeBigInt64BE(spec.lastZxid);
    manager.findNextServer = noWatcher;
    manager.socket = {
      write: (bytes: Buffer) => out.write(bytes),
      setTimeout: noWatcher,
      destroy: () => {
        throw new ProtocolError('a reply that fits no request');
      },
    };
    manager.watcherManager = {
      isEmpty: () => true,
      registerDataWatcher: noWatcher,
      registerChildWatcher: noWatcher,
      registerExistenceWatcher: noWatcher,
      emit: ({ type, path }: { readonly type: number; readonly path?: string }) => {
        const known = watchTypes[type];
        // Type -1 only tells the session's state; types we never asked for tell us nothing.
        if (known !== undefined && path?.startsWith('/')) out.onWatch({ type: known, path: path as ZkPath });
      },
    };
    for (const { scheme, data } of spec.auth) this.#client.addAuthInfo(scheme, data);
    manager.connect();
  }

  /** Number of the next request. */
  get nextXid(): number {
    return this.#manager.xid;
  }

  /** The request that the next reply must answer. */
  get expected(): { readonly xid: number; readonly type: number } | undefined {
    return this.#manager.pendingQueue[0]?.request.header;
  }

  /** Writes the connect request. Authentication follows as soon as the server has answered it. */
  start(): void {
    this.#manager.onSocketConnected();
  }

  /** Decodes the connect response; undefined means that the session to resume has expired. */
  handshake(frame: Buffer): GrantedSession | undefined {
    const timeoutMs = frame.readInt32BE(8);
    this.#manager.onSocketData(frame);
    if (timeoutMs <= 0) return undefined;
    const { sessionId, sessionPassword } = this.#manager;
    return { session: { id: sessionId.readBigInt64BE(), password: Buffer.from(sessionPassword) }, timeoutMs };
  }

  /** Decodes one checked frame: the reply to `expected`, or a notification. */
  receive(frame: Buffer): void {
    const own = this.#ownRequests();
    if (own?.header.xid !== frame.readInt32BE(4)) this.#manager.onSocketData(frame);
    else if (own.receive(frame)) this.#manager.pendingQueue.shift();
  }

  /** Settles `expected` with an error code. The library would throw on the codes that it does not know. */
  fail(code: number): void {
    const own = this.#ownRequests();
    if (own !== undefined) {
      if (own.refuse(code)) this.#manager.pendingQueue.shift();
      return;
    }
    const error = Object.assign(new Error(`error ${code}`), { code, getCode: () => code });
    this.#manager.pendingQueue.shift()?.callback(error, { header: { err: code }, payload: null });
  }

  /** Who waits for the next reply, if it is ours to decode. */
  #ownRequests(): OwnRequests | undefined {
    const request: object | undefined = this.#manager.pendingQueue[0]?.request;
    return request instanceof OwnRequests ? request : undefined;
  }

  drain(): void {
    this.#manager.onSocketDrain();
  }

  /** Throws, without sending anything, when the library finds the arguments invalid. */
  submit<O extends OpName>(op: O, input: OpInput<O>, resolve: Resolve<O>, reject: Reject): void {
    submit[op](this.#client, input, resolve, reject, this);
  }

  /**
   * Sends the reads of one or more nodes in one piece; `answered` is called once for each, in their order. Throws,
   * without sending anything, on a path that is none.
   */
  read(
    paths: readonly ZkPath[],
    watch: boolean,
    answered: (index: number, answer: DataAnswer) => void,
  ): void {
    for (const path of paths) assertPath(path);
    this.#manager.queue(new DataRequests(paths, watch, this.#reserve, answered), noWatcher);
  }

  /** The same for the names of a node's children. */
  readChildren(path: ZkPath, watch: boolean, answered: (answer: ChildrenAnswer) => void): void {
    assertPath(path);
    this.#manager.queue(new ChildrenRequest(path, watch, answered), noWatcher);
  }

  /** The same with two requests for all of them, and watches; see BulkRead. */
  readBulk(paths: readonly ZkPath[], answered: (answers: readonly DataAnswer[] | number) => void): void {
    for (const path of paths) assertPath(path);
    this.#manager.queue(new BulkRead(paths, this.#reserve, answered), noWatcher);
  }

  readonly #reserve = (numbers: number): void => {
    this.#manager.xid += numbers;
  };

  /** Sends the request that ends the session. Nothing may be submitted after it. */
  closeSession(): void {
    this.#client.close();
  }
}
