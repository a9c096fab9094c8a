import zookeeper from 'node-zookeeper-client';
import type { SessionRef } from './connection.js';
import type { Stat, ZkAcl } from './types.js';

/** What the library hands to the callback of an operation that the server refused. */
export interface CodedError {
  readonly code: number;
}
type Callback = (error: CodedError | null | undefined, ...results: never[]) => void;
type Longs = Record<'czxid' | 'mzxid' | 'pzxid' | 'ctime' | 'mtime' | 'ephemeralOwner', Buffer>;
/** A stat as the library decodes it. */
export type RawStat = Longs & Pick<Stat, 'version' | 'cversion' | 'aversion' | 'dataLength' | 'numChildren'>;
interface Packet {
  readonly request: { readonly header: { readonly xid: number; readonly type: number } };
  readonly callback: (error: unknown, response?: unknown) => void;
}

/** The part of the library's connection manager that our codec leans on; `assertLibrary` checks it. */
export interface Manager {
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
/** The part of its client. */
export interface Client {
  readonly connectionManager: Manager;
  addAuthInfo(scheme: string, data: Buffer): void;
  close(): void;
  create(path: string, data: Buffer, acl: unknown, mode: number, done: Callback): void;
  remove(path: string, version: number, done: Callback): void;
  exists(path: string, watcher: unknown, done: Callback): void;
  setData(path: string, data: Buffer, version: number, done: Callback): void;
}

const permissions: Readonly<Record<string, number>> = { r: 1, w: 2, c: 4, d: 8, a: 16 };
const openAcl: readonly ZkAcl[] = [{ permissions: 'cdrwa', scheme: 'world', id: 'anyone' }];

/** A client of the library that will dial nothing, to resume a session or to ask for a new one. */
export function newClient(timeoutMs: number, resume: SessionRef | undefined): Client {
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

/** Throws when the installed library is not the one whose insides we know (1.1.3). */
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

/** The stat in our types. */
export function toStat(raw: RawStat): Stat {
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

/** The access control list in the library's types; open to all where there is none. */
export function toAcl(entries: readonly ZkAcl[] = openAcl): unknown {
  return entries.map(({ permissions: letters, scheme, id }) => {
    const bits = Object.entries(permissions).reduce(
      (sum, [letter, bit]) => (letters.includes(letter) ? sum | bit : sum),
      0,
    );
    return new zookeeper.ACL(bits, new zookeeper.Id(scheme, id));
  });
}
