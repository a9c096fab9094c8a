import { DecodeError, type InstanceCodec, nerveCodec } from './codecs/index.js';
import type { Instance } from './instance.js';

/** Longest data that goes into a name, in characters of base64. ZooKeeper lists at most 4 MB of names at once. */
const maxEncoded = 65_536;

/**
 * The name of a registration's node, byte for byte Ruby's, without the sequence number that ZooKeeper
 * appends: `<instance_id>_`, or with `use_path_encoding` `base64_<length>_<data>_` if that is short enough.
 */
export function nodeNameFor(
  instanceId: string,
  data: Buffer,
  options: { readonly pathEncoding?: boolean } = {},
): string {
  if (options.pathEncoding) {
    const encoded = data.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
    if (encoded.length <= maxEncoded) return `base64_${encoded.length}_${encoded}_`;
  }
  return `${instanceId}_`;
}

/** Why ZooKeeper would refuse a node's name or put it elsewhere; undefined when it is fine. */
export function nodeNameProblem(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return `${JSON.stringify(name)} cannot name a node`;
  if (name.includes('/')) return 'A node name cannot have a slash';
  // ZooKeeper's PathUtils looks at UTF-16 units, so that it refuses everything beyond the first plane.
  if (/[\0-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff]/.test(name)) {
    return 'A node name cannot have control characters, emoji, private or special characters';
  }
  return undefined;
}

/** What a node's name tells. */
export interface NodeName {
  /** The number at its end, where there is one: ZooKeeper's sequence. Ruby elects the leader by it. */
  readonly id?: number;
  /** The data that the name carries (always in nerve's format). */
  readonly data?: Buffer;
  /** Why the data that the name seems to carry cannot be used; then the node's own data counts. */
  readonly problem?: string;
}

const encodedPrefix = 'base64_';

/** True when the name probably carries the data, so that the node need not be read. */
export function carriesData(name: string): boolean {
  return name.startsWith(encodedPrefix) && parseNodeName(name).data !== undefined;
}

/** Reads a node's name. Never throws: a name is anyone's. */
export function parseNodeName(name: string): NodeName {
  const id = sequence(name);
  const carried = name.startsWith(encodedPrefix) ? decodeData(name.slice(encodedPrefix.length)) : {};
  return id === undefined ? carried : { id, ...carried };
}

/** The last non-empty part between underscores, if it is all digits. */
function sequence(name: string): number | undefined {
  const digits = /(?:^|_)(\d+)_*$/.exec(name)?.[1];
  const id = Number(digits);
  return digits !== undefined && Number.isSafeInteger(id) ? id : undefined;
}

function decodeData(rest: string): NodeName {
  const length = /^(\d{1,6})_/.exec(rest);
  if (!length) return { problem: 'No length after base64_' };
  const size = Number(length[1]);
  const encoded = rest.slice(length[0].length, length[0].length + size);
  if (encoded.length < size) return { problem: 'Shorter than its length says' };
  // Ruby accepts a missing padding, and nothing else that is not base64.
  if (size === 0 || size % 4 === 1 || !/^[\w-]+={0,2}$/.test(encoded)) return { problem: 'Not base64' };
  return { data: Buffer.from(encoded, 'base64url') };
}

/**
 * The instance that one child of a service's node stands for. `data` is undefined when the node was
 * not read because its name carries the data. Throws DecodeError.
 */
export function decodeChild(name: string, data: Buffer | undefined, codec: InstanceCodec): Instance {
  const parsed = parseNodeName(name);
  const instance = decodeEither(parsed, data, codec);
  return parsed.id === undefined ? instance : { ...instance, id: parsed.id };
}

function decodeEither(parsed: NodeName, data: Buffer | undefined, codec: InstanceCodec): Instance {
  if (parsed.data !== undefined) {
    try {
      return nerveCodec.decode(parsed.data);
    } catch (error) {
      if (data === undefined) throw error;
    }
  }
  if (data === undefined) throw new DecodeError(parsed.problem ?? 'No data');
  return codec.decode(data);
}
