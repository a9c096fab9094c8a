import { getChildrenType, getDataType, readGetChildren, readGetData } from './transportData.js';
import { checkLayout, numbersOf, ProtocolError, replyHeaderEnd } from './transportFrames.js';
import type { Stat, ZkPath } from './types.js';

export const setWatchesType = 101;
export const multiReadType = 22;
const errorType = -1;

/** A node's data, or the code of the error. */
export type DataAnswer = { readonly data: Buffer; readonly stat: Stat } | number;

/** The names of a node's children, or the code of the error. */
export type ChildrenAnswer = { readonly children: readonly string[]; readonly stat: Stat } | number;

/** Some requests that the library takes for one: we encode them and decode their answers, it keeps their place in the queue. */
export abstract class OwnRequests {
  /** Number and type of the request whose answer comes next. */
  readonly header: { xid: number; type: number };
  protected readonly paths: readonly ZkPath[];
  readonly #reserve: (numbers: number) => void;

  /** At least one path. `reserve` is told how many more numbers are used than the one that the library gave. */
  constructor(type: number, paths: readonly ZkPath[], reserve: (numbers: number) => void) {
    this.header = { xid: 0, type };
    this.paths = paths;
    this.#reserve = reserve;
  }

  /** Called once, as soon as the first number is known. */
  toBuffer(): Buffer {
    const { frames, numbers } = this.encode(this.header.xid);
    this.#reserve(numbers - 1);
    return frames;
  }

  /** Takes a frame that answers `header.xid`. Returns whether it was the last. Throws ProtocolError. */
  abstract receive(frame: Buffer): boolean;
  /** Takes the error code of a reply to `header.xid`. Returns whether it was the last. */
  abstract refuse(code: number): boolean;
  protected abstract encode(xid: number): { readonly frames: Buffer; readonly numbers: number };
}

/** Reads the data of nodes, one request for each. */
export class DataRequests extends OwnRequests {
  readonly #watch: boolean;
  readonly #answered: (index: number, answer: DataAnswer) => void;
  #next = 0;

  constructor(
    paths: readonly ZkPath[],
    watch: boolean,
    reserve: (numbers: number) => void,
    answered: (index: number, answer: DataAnswer) => void,
  ) {
    super(getDataType, paths, reserve);
    this.#watch = watch;
    this.#answered = answered;
  }

  receive(frame: Buffer): boolean {
    return this.#take(readGetData(frame));
  }

  refuse(code: number): boolean {
    return this.#take(code);
  }

  protected encode(xid: number): { frames: Buffer; numbers: number } {
    return encodeReads(getDataType, this.paths, this.#watch, xid);
  }

  #take(answer: DataAnswer): boolean {
    const index = this.#next;
    this.#next += 1;
    this.header.xid += 1;
    this.#answered(index, answer);
    return this.#next === this.paths.length;
  }
}

/** Reads the names of a node's children. */
export class ChildrenRequest extends OwnRequests {
  readonly #watch: boolean;
  readonly #answered: (answer: ChildrenAnswer) => void;

  constructor(path: ZkPath, watch: boolean, answered: (answer: ChildrenAnswer) => void) {
    super(getChildrenType, [path], () => undefined);
    this.#watch = watch;
    this.#answered = answered;
  }

  receive(frame: Buffer): boolean {
    this.#answered(readGetChildren(frame));
    return true;
  }

  refuse(code: number): boolean {
    this.#answered(code);
    return true;
  }

  protected encode(xid: number): { frames: Buffer; numbers: number } {
    return encodeReads(getChildrenType, this.paths, this.#watch, xid);
  }
}

/** Requests of one path each, which may set a watch. */
function encodeReads(
  type: number,
  paths: readonly ZkPath[],
  watch: boolean,
  xid: number,
): { frames: Buffer; numbers: number } {
  const lengths = paths.map((path) => Buffer.byteLength(path));
  const writer = new Writer(lengths.reduce((sum, length) => sum + 17 + length, 0));
  paths.forEach((path, index) => {
    const length = lengths[index] ?? 0;
    writer.int(13 + length);
    writer.int(xid + index);
    writer.int(type);
    writer.text(path, length);
    writer.bool(watch);
  });
  return { frames: writer.bytes, numbers: paths.length };
}

/**
 * Reads the data of many nodes with two requests, whatever their number (ZooKeeper 3.6 and later; others refuse it with
 * `unimplemented` and hang up). A read of many sets no watches. They are asked for first, as if we were of the future:
 * then none fires at once, each that is there is set, and a change after it is told, as with a read that sets its own.
 */
export class BulkRead extends OwnRequests {
  readonly #answered: (answers: readonly DataAnswer[] | number) => void;
  #refused: number | undefined;

  /** `answered` gets an answer for each path in their order, or the code with which all was refused. */
  constructor(
    paths: readonly ZkPath[],
    reserve: (numbers: number) => void,
    answered: (answers: readonly DataAnswer[] | number) => void,
  ) {
    super(setWatchesType, paths, reserve);
    this.#answered = answered;
  }

  receive(frame: Buffer): boolean {
    if (this.header.type === setWatchesType) return this.#proceed();
    this.#answered(this.#refused ?? readMulti(frame, this.paths.length));
    return true;
  }

  refuse(code: number): boolean {
    if (this.header.type === setWatchesType) {
      this.#refused = code;
      return this.#proceed();
    }
    // Whatever became of the watches: it tells most, that no such request is known.
    this.#answered(code);
    return true;
  }

  protected encode(xid: number): { frames: Buffer; numbers: number } {
    const lengths = this.paths.map((path) => Buffer.byteLength(path));
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const watches = 8 + 8 + 4 + 4 * lengths.length + total + 8;
    const reads = 8 + lengths.length * (9 + 5) + total + 9;
    const writer = new Writer(4 + watches + 4 + reads);
    writer.int(watches);
    writer.int(xid);
    writer.int(setWatchesType);
    writer.long(2n ** 63n - 1n);
    writer.int(lengths.length);
    this.paths.forEach((path, index) => writer.text(path, lengths[index] ?? 0));
    // None for existence or children.
    writer.int(0);
    writer.int(0);
    writer.int(reads);
    writer.int(xid + 1);
    writer.int(multiReadType);
    this.paths.forEach((path, index) => {
      writer.part(getDataType, false);
      writer.text(path, lengths[index] ?? 0);
      writer.bool(false);
    });
    writer.part(errorType, true);
    return { frames: writer.bytes, numbers: 2 };
  }

  #proceed(): false {
    this.header.xid += 1;
    this.header.type = multiReadType;
    return false;
  }
}

/** The answers in a reply to a read of many: each part has a header of type, end and error. Throws ProtocolError. */
function readMulti(frame: Buffer, count: number): readonly DataAnswer[] {
  const answers: DataAnswer[] = [];
  const numbers = numbersOf(frame);
  for (let at = replyHeaderEnd; ;) {
    checkLayout(numbers, at, ['int', 'bool', 'int'], 'a reply to a read of many nodes');
    const type = numbers.getInt32(at);
    if (numbers.getUint8(at + 4) === 1) break;
    at += 9;
    const start = at;
    if (type === getDataType) {
      at = checkLayout(numbers, start, ['bytes', 'stat'], 'an answer of one of many nodes');
      answers.push(readGetData(frame, start, numbers));
    } else if (type === errorType) {
      at = checkLayout(numbers, start, ['int'], 'a refusal of one of many nodes');
      answers.push(numbers.getInt32(start));
    } else throw new ProtocolError(`an answer of type ${type} to a read`);
  }
  if (answers.length !== count) throw new ProtocolError(`${answers.length} answers to ${count} reads`);
  return answers;
}

/** Writes the encoding of ZooKeeper's jute into a buffer that is allocated whole. */
class Writer {
  readonly bytes: Buffer;
  readonly #numbers: DataView;
  #at = 0;

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafe(length);
    this.#numbers = numbersOf(this.bytes);
  }

  int(value: number): void {
    this.#numbers.setInt32(this.#at, value);
    this.#at += 4;
  }

  long(value: bigint): void {
    this.#numbers.setBigInt64(this.#at, value);
    this.#at += 8;
  }

  bool(value: boolean): void {
    this.#numbers.setUint8(this.#at, value ? 1 : 0);
    this.#at += 1;
  }

  /** `length` in bytes. */
  text(value: string, length: number): void {
    this.int(length);
    this.#at += this.bytes.write(value, this.#at, 'utf8');
  }

  /** The header of a part of a request of many. */
  part(type: number, isEnd: boolean): void {
    this.int(type);
    this.bool(isEnd);
    this.int(-1);
  }
}
