/** The one method that a check calls. */
export const healthPath = '/grpc.health.v1.Health/Check';

/** The head of a message on the wire: whether it is compressed, and its length. */
const headLength = 5;

/** The most that an answer may hold, in bytes: it has one small number in it. */
export const maxAnswer = 16 * 1024;

const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** The names of gRPC's status codes, by their numbers. */
const codes = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE'],
  ...['UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];

/** A HealthCheckRequest for a service, as it goes on the wire. */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  // Field 1, a text; left out when it is empty, as proto3 does.
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(headLength);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The status in a HealthCheckResponse from the wire. Throws on anything else. */
export function decodeResponse(data: Buffer): string {
  if (data.length < headLength) throw new Error('the answer has no message');
  if (data[0] !== 0) throw new Error('the answer is compressed, which nobody asked for');
  if (data.readUInt32BE(1) !== data.length - headLength)
    throw new Error('the answer is cut off, or not one message');
  let status = 0;
  let at = headLength;
  while (at < data.length) {
    const tag = readVarint(data, at);
    const value = readVarint(data, tag.next);
    // A field that this method does not have yet: a text, bytes or a message has its length first.
    if ((tag.value & 7) === 2) at = value.next + value.value;
    else if ((tag.value & 7) === 0) at = value.next;
    else throw new Error('the answer is no HealthCheckResponse');
    if (tag.value === 0x08) status = value.value;
  }
  return statusNames[status] ?? `status ${status}`;
}

/** A status code of gRPC for people: `UNIMPLEMENTED`. */
export function codeName(code: string): string {
  return /^\d{1,2}$/.test(code) ? (codes[Number(code)] ?? `code ${code}`) : 'no code';
}

function varint(value: number): Buffer {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function readVarint(data: Buffer, from: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let at = from; at < from + 5; at += 1) {
    const byte = data[at];
    if (byte === undefined) throw new Error('the answer is cut off');
    value += (byte & 0x7f) * 2 ** (7 * (at - from));
    if (byte < 0x80) return { value, next: at + 1 };
  }
  throw new Error('the answer is no HealthCheckResponse');
}
