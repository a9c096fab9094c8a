import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Answers one command; undefined answers nothing at all (a hung HAProxy). */
export type Answer = (command: string, socket: Socket) => string | undefined;

/** A stats socket that answers as told, with HAProxy's framing: each answer ends with a newline and a prompt. */
export class FakeCli {
  readonly path: string;
  /** Every command received, `prompt` left out, in order. */
  readonly received: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** Listens on a socket in a temporary folder. */
  static async start(answer: Answer): Promise<FakeCli> {
    const path = join(await mkdtemp(join(tmpdir(), 'cli-')), 's');
    const server = createServer({ allowHalfOpen: true });
    const fake = new FakeCli(path, server);
    server.on('connection', (socket) => fake.#serve(socket, answer));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return fake;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(join(this.path, '..'), { recursive: true });
  }

  #serve(socket: Socket, answer: Answer): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let pending = '';
    let prompt = '';
    socket.setEncoding('utf8');
    socket.on('end', () => {
      if (prompt !== '') socket.end();
    });
    socket.on('data', (chunk: string) => {
      const lines = (pending + chunk).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        if (line === 'prompt') prompt = '> ';
        else this.received.push(line);
        const reply = line === 'prompt' ? '' : answer(line, socket);
        if (reply === undefined || socket.destroyed) continue;
        // A single-line answer ends with one newline, a longer one with two: HAProxy does both.
        socket.write(reply === '' ? `\n${prompt}` : `${reply}\n${reply.includes('\n') ? '\n' : ''}${prompt}`);
        if (prompt === '') socket.end();
      }
    });
  }
}
