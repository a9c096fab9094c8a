import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** Speaks just enough of ZooKeeper's protocol for an agent to read services from it, or to register in it. */
export interface RegistryStub {
  readonly address: string;
  /** Resolves with the first node that is created. */
  readonly created: Promise<void>;
  close(): void;
}

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([int(bytes.length), bytes]);
};
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const stat = Buffer.alloc(68);
const type = { create: 1, exists: 3, getData: 4, getChildren: 12, multiRead: 22 } as const;
const noNode = -101;

/** Each path has these children, and each child is an instance. */
const children = Array.from({ length: 20 }, (_, index) => `i-${index}`);
const instance = (path: string): string =>
  JSON.stringify({ host: `127.0.1.${path.replace(/^.*-/, '')}`, port: 80, name: path.replace(/^.*\//, '') });

/** What a node answers to a read of its data. */
const dataOf = (path: string): Buffer =>
  Buffer.concat([path.includes('/i-') ? text(instance(path)) : int(-1), stat]);

/** The answers to a read of many nodes: each part of the request is type, end, error, path, watch. */
function answerMany(parts: Buffer): Buffer {
  const answers: Buffer[] = [];
  for (let at = 0; parts.readUInt8(at + 4) === 0; at += 14 + parts.readInt32BE(at + 9)) {
    const path = parts.toString('utf8', at + 13, at + 13 + parts.readInt32BE(at + 9));
    answers.push(parts.subarray(at, at + 9), dataOf(path));
  }
  return Buffer.concat([...answers, int(-1), Buffer.of(1), int(-1)]);
}

/** The error code and payload of an answer. */
function answer(opcode: number, path: string): readonly [number, Buffer] {
  const isChild = path.includes('/i-');
  switch (opcode) {
    case type.create:
      return [0, text(path)];
    case type.exists:
      return isChild || path === '/' ? [0, stat] : [noNode, Buffer.alloc(0)];
    case type.getData:
      return [0, dataOf(path)];
    case type.getChildren:
      return path.startsWith('/s')
        ? [0, Buffer.concat([int(children.length), ...children.map(text), stat])]
        : [0, Buffer.concat([int(0), stat])];
    default:
      return [0, Buffer.alloc(0)];
  }
}

const framed = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([int(body.length), body]);
};

function serve(socket: Socket, onCreate: () => void): void {
  let pending: Buffer = Buffer.alloc(0);
  let isOpen = false;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
      const frame = pending.subarray(4, 4 + pending.readInt32BE(0));
      pending = pending.subarray(4 + frame.length);
      if (!isOpen) {
        isOpen = true;
        // Protocol, timeout, session, password, writable.
        socket.write(framed(int(0), int(10_000), int(0), int(7), int(16), Buffer.alloc(17)));
        continue;
      }
      const opcode = frame.readInt32BE(4);
      const path = frame.length > 12 ? frame.toString('utf8', 12, 12 + frame.readInt32BE(8)) : '';
      const [code, payload] =
        opcode === type.multiRead ? [0, answerMany(frame.subarray(8))] : answer(opcode, path);
      // Number of the request, transaction, error.
      socket.write(framed(frame.subarray(0, 4), int(0), int(1), int(code), payload));
      if (opcode === type.create) onCreate();
    }
  });
}

/** Starts one on a port of its own. */
export async function startRegistryStub(): Promise<RegistryStub> {
  const sockets = new Set<Socket>();
  let onCreate = (): void => undefined;
  const created = new Promise<void>((resolve) => (onCreate = resolve));
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, onCreate);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    created,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
