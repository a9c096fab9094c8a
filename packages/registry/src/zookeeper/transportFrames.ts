/** What the peer sent is not ZooKeeper's protocol. The message says what it looks like. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** A list of a million children is below this, and so are 32 nodes of 8 MB; anything above is not a length but noise. */
const maxFrameBytes = 256 * 1024 * 1024;

function foreignProtocol(head: Buffer): string {
  if (head.toString('latin1', 0, 4) === 'HTTP') return 'it speaks HTTP';
  // A TLS record: type 20 to 23, then version 3.x.
  const [type = 0, version] = head;
  if (type >= 20 && type <= 23 && version === 3) return 'it speaks TLS';
  return 'it does not speak ZooKeeper';
}

/** Cuts a byte stream into frames: a 32-bit big-endian length, and so many bytes. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #buffered = 0;

  /** Calls `onFrame` with each frame that `chunk` completes, its length word included. Throws ProtocolError. */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    for (
      let size = this.#frameSize();
      size !== undefined && this.#buffered >= size;
      size = this.#frameSize()
    ) {
      const all = this.#join();
      this.#chunks = size < all.length ? [all.subarray(size)] : [];
      this.#buffered = all.length - size;
      onFrame(all.subarray(0, size));
    }
  }

  #join(): Buffer {
    const first = this.#chunks[0];
    return this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks, this.#buffered);
  }

  #frameSize(): number | undefined {
    if (this.#buffered < 4) return undefined;
    let head = this.#chunks[0];
    if (head === undefined || head.length < 4) {
      head = this.#join();
      this.#chunks = [head];
    }
    const length = head.readInt32BE(0);
    if (length < 0 || length > maxFrameBytes) {
      throw new ProtocolError(`a frame of ${length} bytes: ${foreignProtocol(head)}`);
    }
    return length + 4;
  }
}

type Field = 'int' | 'long' | 'bool' | 'bytes' | 'strings' | 'stat';
const fixedSizes = { int: 4, long: 8, bool: 1, stat: 68 } as const;

/** Layouts of the payloads that we read, from ZooKeeper's zookeeper.jute. Keys are request types. */
export const replyLayouts: Readonly<Record<number, readonly Field[]>> = {
  1: ['bytes'],
  2: [],
  3: ['stat'],
  4: ['bytes', 'stat'],
  5: ['stat'],
  12: ['strings', 'stat'],
  [-11]: [],
};
export const connectResponseLayout: readonly Field[] = ['int', 'int', 'long', 'bytes'];
export const watchEventLayout: readonly Field[] = ['int', 'int', 'bytes'];

/** Bytes of a length word and of the reply header (xid, zxid, error code). */
export const replyHeaderEnd = 4 + 16;

export interface ReplyHeader {
  readonly xid: number;
  readonly zxid: bigint;
  readonly error: number;
}

export function readReplyHeader(frame: Buffer): ReplyHeader {
  if (frame.length < replyHeaderEnd)
    throw new ProtocolError(`a reply of ${frame.length - 4} bytes is too short`);
  return { xid: frame.readInt32BE(4), zxid: frame.readBigInt64BE(8), error: frame.readInt32BE(16) };
}

/** The bytes of a frame as numbers. A buffer's own methods take several times as long until they are compiled. */
export function numbersOf(frame: Buffer): DataView {
  return new DataView(frame.buffer, frame.byteOffset, frame.length);
}

function skipBytes(frame: DataView, at: number): number {
  if (at + 4 > frame.byteLength) return Infinity;
  const length = frame.getInt32(at);
  if (length < -1) return Infinity;
  return at + 4 + Math.max(length, 0);
}

function skipStrings(frame: DataView, at: number): number {
  if (at + 4 > frame.byteLength) return Infinity;
  const count = frame.getInt32(at);
  if (count < -1) return Infinity;
  let end = at + 4;
  for (let i = 0; i < count && end <= frame.byteLength; i += 1) end = skipBytes(frame, end);
  return end;
}

/**
 * Throws ProtocolError unless `frame` holds these fields from `offset` on; returns where they end. The decoder behind it
 * allocates whatever length it reads and takes missing bytes for zeros, so nothing reaches it unchecked.
 * Extra bytes are fine: newer servers append fields.
 */
export function checkLayout(
  frame: Buffer | DataView,
  offset: number,
  layout: readonly Field[],
  what: string,
): number {
  const numbers = frame instanceof DataView ? frame : numbersOf(frame);
  let at = offset;
  for (const field of layout) {
    if (field === 'bytes') at = skipBytes(numbers, at);
    else if (field === 'strings') at = skipStrings(numbers, at);
    else at += fixedSizes[field];
    if (at > numbers.byteLength) throw new ProtocolError(`${what} is cut short or malformed (${field})`);
  }
  return at;
}
