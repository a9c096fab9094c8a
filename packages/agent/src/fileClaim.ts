import { once } from 'node:events';
import { lstat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { Clock } from './clock.js';
import { AgentError } from './errors.js';
import { makeDirectory } from './makeDirectory.js';

/** How long the holder of a claim may take to say who it is, in milliseconds. */
const answerMs = 500;

/** Longer paths of sockets are cut off silently, and would be another's. */
const maxPathBytes = 107;

/** The socket beside a file on which its keeper listens. Not an abstract one: those anybody could take. */
export function claimPath(file: string): string {
  return join(dirname(file), `.${basename(file)}.keeper`);
}

/**
 * The claim of this process to be the only one that keeps a file, or a folder: two would rewrite it in turn, each
 * without the services of the other. It ends with the process, however that ends.
 */
export class FileClaim {
  readonly #clock: Clock;
  #held: { readonly file: string; readonly server: Server | undefined } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Claims `file`, and nothing else any more. Throws AgentError `in-use` (retriable) when another process has it. */
  async take(file: string): Promise<void> {
    if (this.#held?.file === file) return;
    await this.release();
    await makeDirectory(dirname(file)).catch(() => undefined);
    this.#held = { file, server: await this.#listen(file) };
  }

  /** Gives the claim up. */
  async release(): Promise<void> {
    const server = this.#held?.server;
    this.#held = undefined;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Undefined where there can be no socket (a path that is too long, no permission): that is no reason not to work. */
  async #listen(file: string): Promise<Server | undefined> {
    const path = claimPath(file);
    if (Buffer.byteLength(path) > maxPathBytes) return undefined;
    const attempt = async (): Promise<Server | 'taken' | undefined> => {
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.end(`${process.pid}`);
      });
      server.listen({ path });
      try {
        await once(server, 'listening');
        return server.unref();
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'taken' : undefined;
      }
    };
    const first = await attempt();
    if (first !== 'taken') return first;
    const holder = await this.#holderOf(path);
    if (holder === undefined) {
      const isSocket = (await lstat(path).catch(() => undefined))?.isSocket() !== false;
      if (!isSocket) return undefined;
      // Left behind by a process that was killed.
      await unlink(path).catch(() => undefined);
      const second = await attempt();
      if (second !== 'taken') return second;
    }
    const message = `another synapse (process ${holder ?? 'unknown'}) keeps ${file}`;
    throw new AgentError('in-use', message, { retriable: true });
  }

  /** Who listens on a claim's socket; undefined when nobody does. */
  async #holderOf(path: string): Promise<string | undefined> {
    const socket = connect({ path });
    let answer = '';
    const timer = this.#clock.setTimeout(() => socket.destroy(), answerMs);
    socket.on('data', (chunk) => (answer += chunk.toString()));
    try {
      await once(socket, 'connect');
      await once(socket, 'close');
      return /^\d{1,10}$/.test(answer) ? answer : 'unknown';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? undefined : 'unknown';
    } finally {
      timer.cancel();
      socket.destroy();
    }
  }
}
