import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { closeSessionsAfterEach, testSession } from './bed.ts';

function int(value: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeInt32BE(value);
  return word;
}
function frame(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int(body.length), body]);
}
/** xid, zxid 1, error code. */
function header(xid: number, error = 0): Buffer {
  return Buffer.concat([int(xid), int(0), int(1), int(error)]);
}
const welcome = frame(int(0), int(1_500), int(0), int(7), int(16), Buffer.alloc(16, 1), Buffer.from([0]));
const stat = Buffer.alloc(68);

interface Script {
  /** Sent as soon as the client has asked to connect. */
  readonly handshake?: Buffer;
  /** Sent for each later request, with its number; undefined says nothing. */
  reply?(xid: number): Buffer | undefined;
}

let server: Server | undefined;
let dials = 0;

async function serve(script: Script): Promise<string> {
  dials = 0;
  const port = await freePort();
  server = createServer((socket: Socket) => {
    dials += 1;
    socket.on('error', () => undefined);
    let greeted = false;
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= pending.readInt32BE(0) + 4) {
        const request = pending.subarray(4, pending.readInt32BE(0) + 4);
        pending = pending.subarray(request.length + 4);
        if (!greeted) socket.write(script.handshake ?? welcome);
        else {
          const answer = script.reply?.(request.readInt32BE(0));
          if (answer) socket.write(answer);
        }
        greeted = true;
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
  return `127.0.0.1:${port}`;
}

// Registered before the sessions' own hook, so that it runs after it.
afterEach(async () => {
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});
closeSessionsAfterEach();

/** Dials within `patienceMs` of full-jitter backoff from 50 ms, generously. Without one they are hundreds. */
const patientDials = 9;
const patienceMs = 400;

describe('fault 9: a server that answers the handshake with nonsense', () => {
  it.each([
    ['a frame length of -1', int(-1), /frame of -1 bytes/],
    ['a frame length of -4', int(-4), /frame of -4 bytes/],
    ['a frame length of -100', int(-100), /frame of -100 bytes/],
    ['a huge frame length', int(0x7fffffff), /frame of 2147483647 bytes/],
    ['an empty frame', int(0), /connect response is cut short/],
    ['a short response', frame(int(0), int(1_500)), /connect response is cut short/],
    [
      'a password of 2 GB',
      frame(int(0), int(1_500), int(0), int(7), int(0x7fffffff)),
      /connect response is cut short/,
    ],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /speaks HTTP/],
    ['a TLS alert', Buffer.from([0x15, 3, 3, 0, 2, 2, 70]), /speaks TLS/],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), /does not speak ZooKeeper/],
    [
      'no session although none was asked to be resumed',
      frame(int(0), int(0), int(0), int(0), int(16), Buffer.alloc(16)),
      /granted no session/,
    ],
  ])('%s: a warning that names it, and backoff', async (_, handshake, message) => {
    const { session, log } = testSession(await serve({ handshake }), { sessionTimeoutMs: 1_500 });
    await eventually(
      () => log.records.some(({ level, fields }) => level === 'warn' && message.test(String(fields.problem))),
      {
        what: 'the warning',
      },
    );
    await holds(() => dials <= patientDials, { what: 'few dials', forMs: patienceMs });
    expect(session.state.kind).toBe('connecting');
  });
});

describe('fault 9: a server that answers requests with nonsense', () => {
  const cases: readonly [string, (xid: number) => Buffer, RegExp][] = [
    ['a frame length of -100', () => int(-100), /frame of -100 bytes/],
    ['an empty frame', () => int(0), /reply of 0 bytes is too short/],
    ['half a header', (xid) => frame(int(xid), int(0)), /reply of 8 bytes is too short/],
    ['a wrong number', (xid) => frame(header(xid + 7)), /a reply to request \d+ while \d+ was expected/],
    ['no payload', (xid) => frame(header(xid)), /a reply is cut short/],
    [
      'a truncated stat',
      (xid) => frame(header(xid), int(1), Buffer.from('x'), stat.subarray(0, 40)),
      /a reply is cut short/,
    ],
    ['data of 2 GB', (xid) => frame(header(xid), int(0x7fffffff), stat), /a reply is cut short/],
    ['data of a negative length', (xid) => frame(header(xid), int(-7), stat), /a reply is cut short/],
    ['a short notification', () => frame(header(-1), int(1)), /a notification is cut short/],
    ['HTTP', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /speaks HTTP/],
  ];
  it.each(cases)('%s: the operation fails with its cause, and backoff applies', async (_, reply, message) => {
    const { session } = testSession(await serve({ reply }), { sessionTimeoutMs: 1_500 });
    await expect(session.getData('/x')).rejects.toMatchObject({
      kind: 'ConnectionLoss',
      message: expect.stringMatching(message) as string,
    });
    const failing = setInterval(() => void session.getData('/x').catch(() => undefined), 20);
    try {
      await holds(() => dials <= patientDials, { what: 'few dials', forMs: patienceMs });
    } finally {
      clearInterval(failing);
    }
  });

  it('a reply too many: the connection ends with its cause', async () => {
    const twice = (xid: number): Buffer =>
      Buffer.concat([frame(header(xid, -101)), frame(header(xid, -101))]);
    const { session, log } = testSession(await serve({ reply: twice }), { sessionTimeoutMs: 1_500 });
    await expect(session.getData('/x')).rejects.toMatchObject({ kind: 'NoNode' });
    await eventually(
      () => log.records.some(({ fields }) => String(fields.reason).includes('while none was expected')),
      {
        what: 'the warning',
      },
    );
  });

  it.each([[-118], [-125], [-127], [-999], [-1], [42]])(
    'error code %i: the operation fails, the connection stays',
    async (code) => {
      const { session } = testSession(await serve({ reply: (xid) => frame(header(xid, code)) }), {
        sessionTimeoutMs: 1_500,
      });
      await expect(session.getData('/x')).rejects.toThrow(`(${code})`);
      await expect(session.exists('/x')).rejects.toThrow(`(${code})`);
      expect(session.state.kind).toBe('connected');
      expect(dials).toBe(1);
    },
  );

  it.each([[5], [-1], [0], [99]])('a notification of type %i is ignored', async (type) => {
    const notification = frame(header(-1), int(type), int(3), int(2), Buffer.from('/x'));
    const { session } = testSession(
      await serve({ reply: (xid) => Buffer.concat([notification, frame(header(xid, -101))]) }),
      { sessionTimeoutMs: 1_500 },
    );
    await expect(session.getData('/x')).rejects.toMatchObject({ kind: 'NoNode' });
    expect(session.state.kind).toBe('connected');
  });

  it('a frame that never ends, byte by byte: no sign of life', async () => {
    const trickle = [int(10_000_000)];
    const { session, log } = testSession(await serve({ reply: () => trickle.pop() ?? Buffer.alloc(20) }), {
      sessionTimeoutMs: 1_200,
    });
    const asking = setInterval(() => void session.exists('/x').catch(() => undefined), 50);
    try {
      await eventually(
        () => log.records.some(({ fields }) => String(fields.reason).startsWith('nothing received')),
        {
          what: 'the connection is given up',
          timeoutMs: 1_100,
        },
      );
    } finally {
      clearInterval(asking);
    }
  });

  it('random bytes after the handshake, a hundred times: nothing is uncaught', async () => {
    const noise = (): Buffer =>
      Buffer.from(Array.from({ length: 64 }, () => Math.floor(Math.random() * 256)));
    const { session } = testSession(
      await serve({ reply: (xid) => (Math.random() < 0.5 ? frame(header(xid), noise()) : noise()) }),
      { sessionTimeoutMs: 1_500, backoff: { minMs: 1, maxMs: 5 } },
    );
    for (let i = 0; i < 100; i += 1)
      await Promise.allSettled([
        session.getChildren('/x', { timeoutMs: 50 }),
        session.getData('/x', { timeoutMs: 50 }),
        session.create('/x', Buffer.alloc(3), 'ephemeral', { timeoutMs: 50 }),
      ]);
    expect(session.state.kind).not.toBe('closed');
  });
});
