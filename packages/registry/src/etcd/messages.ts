import { EtcdError } from './errors.js';

/** One key as etcd has it. Numbers of 64 bits are text, as in its JSON. */
export interface KeyValue {
  readonly value: string;
  readonly modRevision: string;
  /** '0' for none. */
  readonly lease: string;
}

/** What became of a conditional change. */
export type TxnResult =
  | { readonly done: true; readonly revision: string }
  /** The condition did not hold; `found` is what is there instead. */
  | { readonly done: false; readonly found: KeyValue | undefined };

/** A JSON object of etcd's. */
export type Fields = Readonly<Record<string, unknown>>;

/** Throws EtcdError for what is no object. */
export function fields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new EtcdError('an answer that is none of etcd');
  return value as Fields;
}

/** A number of 64 bits; etcd leaves zeros out. */
export function int64(value: unknown): string {
  if (value === undefined) return '0';
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^-?\d{1,20}$/.test(text)) throw new EtcdError('a number that is none');
  return text;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function textOf(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') throw new EtcdError('a key or value that is not text');
  return Buffer.from(value, 'base64').toString();
}

/** The revision of the store that an answer was given at. */
export function revisionOf(answer: Fields): string {
  return int64(fields(answer.header).revision);
}

/** Reads the answer to `/v3/lease/grant`. */
export function readGrant(answer: unknown): { id: string; ttlSeconds: number; revision: string } {
  const all = fields(answer);
  const id = int64(all.ID);
  if (id === '0') throw new EtcdError('a lease without an id');
  return { id, ttlSeconds: Number(int64(all.TTL)), revision: revisionOf(all) };
}

/** Seconds that the answer to `/v3/lease/keepalive` gives; 0 when the lease is gone. */
export function readKeepAlive(answer: unknown): number {
  const all = fields(answer);
  // An error comes in a field of its own: the answer is one of a stream.
  if (all.error !== undefined) throw errorOf(fields(all.error), 200);
  return Number(int64(fields(all.result).TTL));
}

/** The keys that the answer to `/v3/lease/timetolive` lists; undefined when the lease is gone. */
export function readLeaseKeys(answer: unknown): readonly string[] | undefined {
  const { TTL: ttl, keys = [] } = fields(answer);
  if (Number(int64(ttl)) < 0) return undefined;
  if (!Array.isArray(keys)) throw new EtcdError('keys that are no list');
  return keys.map(textOf);
}

/** Puts `key` if it is as it was at `modRevision` ('0': not there), and reads it otherwise. */
export function putIf(key: string, value: string, lease: string, modRevision: string): unknown {
  return {
    compare: [{ target: 'MOD', result: 'EQUAL', key: base64(key), mod_revision: modRevision }],
    success: [{ request_put: { key: base64(key), value: base64(value), lease } }],
    failure: [{ request_range: { key: base64(key) } }],
  };
}

/** Deletes `key` if it hangs on `lease`, and reads it otherwise. */
export function deleteIf(key: string, lease: string): unknown {
  return {
    compare: [{ target: 'LEASE', result: 'EQUAL', key: base64(key), lease }],
    success: [{ request_delete_range: { key: base64(key) } }],
    failure: [{ request_range: { key: base64(key) } }],
  };
}

/** Reads the answer to `/v3/kv/txn` with one of the two above. */
export function readTxn(answer: unknown): TxnResult {
  const all = fields(answer);
  if (all.succeeded === true) return { done: true, revision: revisionOf(all) };
  const [first] = Array.isArray(all.responses) ? (all.responses as unknown[]) : [];
  const { kvs = [] } = fields(fields(first).response_range);
  if (!Array.isArray(kvs)) throw new EtcdError('keys that are no list');
  if (kvs.length === 0) return { done: false, found: undefined };
  const found = fields(kvs[0]);
  return {
    done: false,
    found: {
      value: textOf(found.value),
      modRevision: int64(found.mod_revision),
      lease: int64(found.lease),
    },
  };
}

/** The token in the answer to `/v3/auth/authenticate`. */
export function readToken(answer: unknown): string {
  const { token } = fields(answer);
  // It becomes a header.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw new EtcdError('no token');
  return token;
}

/** What an answer with an HTTP status other than 200 says. */
export function errorOf(answer: unknown, httpStatus: number): EtcdError {
  const { code, grpc_code: grpcCode, message, error } = (answer ?? {}) as Fields;
  const status = [code, grpcCode].find((one) => typeof one === 'number');
  const said = [message, error].find((one) => typeof one === 'string') ?? `HTTP status ${httpStatus}`;
  const text = said.slice(0, 200).replaceAll(/[^\x20-\x7e]/g, '?');
  return new EtcdError(text, status === undefined ? {} : { status });
}
