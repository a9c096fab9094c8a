import zookeeper from 'node-zookeeper-client';
import type { DialSpec, OpInput, OpOutput, SessionRef, WatchEvent } from './connection.js';
import type { CreateMode, OpName, Stat, ZkAcl, ZkPath } from './types.js';
import { getDataRequest, getDataType, readGetData } from './transportData.js';
import { ProtocolError } from './transportFrames.js';

type Callback = (error: CodedError | null | undefined, ...results: never[]) => void;
type Longs = Record<'czxid' | 'mzxid' | 'pzxid' | 'ctime' | 'mtime' | 'ephemeralOwner', Buffer>;
type RawStat = Longs & Pick<Stat, 'version' | 'cversion' | 'aversion' | 'dataLength' | 'numChildren'>;
interface Packet {
  readonly request: { readonly header: { readonly xid: number; readonly type: number } };
  readonly callback: (error: unknown, response?: unknown) => void;
}

/** The part of the library's connection manager that this file leans on; `assertLibrary` checks it. */
interface Manager {
  xid: number;
  zxid: Buffer;
  sessionId: Buffer;
  sessionPassword: Buffer;
  sessionTimeout: number;
  socket: unknown;
  watcherManager: unknown;
  readonly pendingQueue: Packet[];
  findNextServer: unknown;
  connect(): void;
  onSocketConnected(): void;
  onSocketData(frame: Buffer): void;
  onSocketDrain(): void;
  queue(request: object, callback: Packet['callback']): void;
}
interface Client {
  readonly connectionManager: Manager;
  addAuthInfo(scheme: string, data: Buffer): void;
  close(): void;
  create(path: string, data: Buffer, acl: unknown, mode: number, done: Callback): void;
  remove(path: string, version: number, done: Callback): void;
  exists(path: string, watcher: unknown, done: Callback): void;
  setData(path: string, data: Buffer, version: number, done: Callback): void;
  getChildren(path: string, watcher: unknown, done: Callback): void;
}

const modes: Readonly<Record<CreateMode, number>> = {
  persistent: 0,
  ephemeral: 1,
  persistent_sequential: 2,
  ephemeral_sequential: 3,
};
const permissions: Readonly<Record<string, number>> = { r: 1, w: 2, c: 4, d: 8, a: 16 };
const openAcl: readonly ZkAcl[] = [{ permissions: 'cdrwa', scheme: 'world', id: 'anyone' }];
const watchTypes: Readonly<Record<number, WatchEvent['type']>> = {
  1: 'created',
  2: 'deleted',
  3: 'data',
  4: 'children',
};
const noWatcher = (): void => undefined;
const watcher = (watch: boolean): unknown => (watch ? noWatcher : undefined);

function newClient(timeoutMs: number, resume: SessionRef | undefined): Client {
  const sessionId = Buffer.alloc(8);
  sessionId.writeBigInt64BE(resume?.id ?? 0n);
  const options = {
    retries: 0,
    sessionTimeout: timeoutMs,
    ...(resume ? { sessionId, sessionPassword: resume.password } : {}),
  };
  // The address is never dialled: the socket is ours.
  return zookeeper.createClient('127.0.0.1:2181', options) as unknown as Client;
}

/** Throws when the installed library is not the one whose insides this file knows (1.1.3). */
export function assertLibrary(): void {
  const { connectionManager: manager } = newClient(1000, undefined);
  const expected: Record<string, string> = {
    xid: 'number',
    zxid: 'object',
    sessionId: 'object',
    sessionPassword: 'object',
    sessionTimeout: 'number',
    watcherManager: 'object',
    pendingQueue: 'object',
    findNextServer: 'function',
    connect: 'function',
    onSocketConnected: 'function',
    onSocketData: 'function',
    onSocketDrain: 'function',
    queue: 'function',
  };
  const wrong = Object.keys(expected).filter(
    (key) => typeof (manager as unknown as Record<string, unknown>)[key] !== expected[key],
  );
  if (wrong.length > 0) throw new Error(`node-zookeeper-client is not 1.1.3: ${wrong.join(', ')} differ`);
}

function toStat(raw: RawStat): Stat {
  return {
    czxid: raw.czxid.readBigInt64BE(),
    mzxid: raw.mzxid.readBigInt64BE(),
    pzxid: raw.pzxid.readBigInt64BE(),
    ctime: Number(raw.ctime.readBigInt64BE()),
    mtime: Number(raw.mtime.readBigInt64BE()),
    version: raw.version,
    cversion: raw.cversion,
    aversion: raw.aversion,
    ephemeralOwner: raw.ephemeralOwner.readBigInt64BE(),
    dataLength: raw.dataLength,
    numChildren: raw.numChildren,
  };
}

function toAcl(entries: readonly ZkAcl[] = openAcl): unknown {
  return entries.map(({ permissions: letters, scheme, id }) => {
    const bits = Object.entries(permissions).reduce(
      (sum, [letter, bit]) => (letters.includes(letter) ? sum | bit : sum),
      0,
    );
    return new zookeeper.ACL(bits, new zookeeper.Id(scheme, id));
  });
}

/** What the library hands to the callback of an operation that the server refused. */
interface CodedError {
  readonly code: number;
}
type Failure = CodedError | null | undefined;
type Resolve<O extends OpName> = (output: OpOutput<O>) => void;
/** Called with the error code of the reply. */
type Reject = (code: number) => void;
type Submit = {
  readonly [O in OpName]: (client: Client, input: OpInput<O>, resolve: Resolve<O>, reject: Reject) => void;
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
  getData: (client, { path, watch }, resolve, reject) =>
    client.connectionManager.queue(getDataRequest(path, watch), (error, output) =>
      error ? reject((error as CodedError).code) : resolve(output as OpOutput<'getData'>),
    ),
  setData: (client, { path, data, version }, resolve, reject) =>
    client.setData(path, data, version, (error: Failure, stat: RawStat) =>
      error ? reject(error.code) : resolve(toStat(stat)),
    ),
  getChildren: (client, { path, watch }, resolve, reject) =>
    client.getChildren(
      path,
      watcher(watch),
      (error: Failure, children: string[] | undefined, stat: RawStat) =>
        error ? reject(error.code) : resolve({ children: children ?? [], stat: toStat(stat) }),
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
    const { pendingQueue } = this.#manager;
    const { header } = pendingQueue[0]?.request ?? {};
    if (header?.type === getDataType && frame.readInt32BE(4) === header.xid)
      pendingQueue.shift()?.callback(null, readGetData(frame));
    else this.#manager.onSocketData(frame);
  }

  /** Settles `expected` with an error code. The library would throw on the codes that it does not know. */
  fail(code: number): void {
    const error = Object.assign(new Error(`error ${code}`), { code, getCode: () => code });
    this.#manager.pendingQueue.shift()?.callback(error, { header: { err: code }, payload: null });
  }

  drain(): void {
    this.#manager.onSocketDrain();
  }

  /** Throws, without sending anything, when the library finds the arguments invalid. */
  submit<O extends OpName>(op: O, input: OpInput<O>, resolve: Resolve<O>, reject: Reject): void {
    submit[op](this.#client, input, resolve, reject);
  }

  /** Sends the request that ends the session. Nothing may be submitted after it. */
  closeSession(): void {
    this.#client.close();
  }
}
