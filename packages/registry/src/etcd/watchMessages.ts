import { EtcdError } from './errors.js';
import { type Fields, fields, int64, revisionOf } from './messages.js';

/** One key and what it holds. */
export interface ListedKey {
  readonly key: string;
  readonly value: Buffer;
  /** Grows with every change of the store. */
  readonly modRevision: bigint;
  /** When it came to be: the order of registrations. */
  readonly createRevision: bigint;
}

/** One answer of a watch. */
export type WatchMessage =
  | { readonly kind: 'created' }
  | { readonly kind: 'ended'; readonly compacted: boolean; readonly reason: string }
  | { readonly kind: 'changes'; readonly changes: readonly Change[] };

/** A key as it is now; `value` undefined when it is gone. */
export type Change =
  { readonly key: string; readonly put: ListedKey } | { readonly key: string; readonly put: undefined };

/** The keys that begin with `prefix`, which must not be empty. */
function beginningWith(prefix: string): { readonly key: string; readonly range_end: string } {
  const from = Buffer.from(prefix);
  const end = Buffer.from(from);
  // In UTF-8 no byte is the last one that there is.
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { key: from.toString('base64'), range_end: end.toString('base64') };
}

/** Reads the keys of a prefix, at most `limit` of them, in order. */
export function rangeOf(prefix: string, limit: number): unknown {
  return { ...beginningWith(prefix), limit: String(limit) };
}

/** Asks only how many there are: whether the cluster answers. */
export function countOf(prefix: string): unknown {
  return { ...beginningWith(prefix), count_only: true };
}

/** Reads the answer to `/v3/kv/range`. */
export function readRange(answer: unknown): { revision: bigint; keys: readonly ListedKey[] } {
  const all = fields(answer);
  const { kvs = [] } = all;
  if (!Array.isArray(kvs)) throw new EtcdError('keys that are no list');
  return { revision: BigInt(revisionOf(all)), keys: kvs.map((kv) => listed(fields(kv))) };
}

/** Asks to be told of all changes of a prefix from a revision on. */
export function watchFrom(prefix: string, revision: bigint): unknown {
  return { create_request: { ...beginningWith(prefix), start_revision: String(revision) } };
}

/** Reads one message of `/v3/watch`. Throws the error that it tells. */
export function readWatch(message: unknown): WatchMessage {
  const { error, result } = fields(message);
  if (error !== undefined) throw new EtcdError(textIn(fields(error), 'message'));
  const { created, canceled, compact_revision: compacted, events = [], ...rest } = fields(result);
  if (canceled === true) {
    const lost = int64(compacted) !== '0';
    return { kind: 'ended', compacted: lost, reason: lost ? 'compacted' : textIn(rest, 'cancel_reason') };
  }
  if (created === true) return { kind: 'created' };
  if (!Array.isArray(events)) throw new EtcdError('changes that are no list');
  return { kind: 'changes', changes: events.map((event) => changeOf(fields(event))) };
}

function changeOf({ type, kv }: Fields): Change {
  const pair = fields(kv);
  return type === 'DELETE' || type === 1
    ? { key: bytesIn(pair, 'key').toString(), put: undefined }
    : { key: bytesIn(pair, 'key').toString(), put: listed(pair) };
}

function listed(pair: Fields): ListedKey {
  return {
    key: bytesIn(pair, 'key').toString(),
    value: bytesIn(pair, 'value'),
    modRevision: BigInt(int64(pair.mod_revision)),
    createRevision: BigInt(int64(pair.create_revision)),
  };
}

/** etcd leaves out what is empty. */
function bytesIn(all: Fields, name: string): Buffer {
  const value = all[name] ?? '';
  if (typeof value !== 'string') throw new EtcdError('a key or value that is not text');
  return Buffer.from(value, 'base64');
}

function textIn(all: Fields, name: string): string {
  const value = all[name];
  const text = typeof value === 'string' && value !== '' ? value : 'the watch was ended';
  return text.slice(0, 200).replaceAll(/[^\x20-\x7e]/g, '?');
}
