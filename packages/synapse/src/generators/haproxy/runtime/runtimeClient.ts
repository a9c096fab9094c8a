import { connect, type Socket } from 'node:net';
import { type Clock, describeError, type Timer } from '@smartstack/agent';
import { assertSingleCommand, RuntimeApiError, type RuntimeErrorCode } from './runtimeError.js';

/** Limits of a conversation with HAProxy. */
export interface RuntimeClientOptions {
  readonly clock: Clock;
  /** Milliseconds without progress (connecting, or until the next answer) after which the peer counts as hung. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** A session, and the answer to its first command. */
export interface OpenedSession {
  readonly session: RuntimeSession;
  readonly reply: string;
}

interface Waiting {
  readonly command: string;
  readonly resolve: (reply: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * What a failed connection says. A full queue (EAGAIN) means that somebody listens who does not come to accept, and
 * a lack of descriptors or memory here says nothing about HAProxy: neither may be taken for its absence. A peer that
 * was killed with commands of ours unread closes with a reset.
 */
function codeOf({ code = '' }: NodeJS.ErrnoException): RuntimeErrorCode {
  if (/^(EAGAIN|EMFILE|ENFILE|ENOBUFS|ENOMEM)$/.test(code)) return 'runtime-timeout';
  return /^(ECONNRESET|EPIPE)$/.test(code) ? 'runtime-closed' : 'runtime-unreachable';
}

/** Ends every answer in prompt mode. */
const prompt = '\n> ';
/** An answer may be large (`show servers state` of 10,000 servers is 1 MB) but not endless. */
const maxReplyChars = 256 * 1024 * 1024;

/**
 * One connection to a stats socket in prompt mode. Commands may be sent without waiting for earlier
 * answers; HAProxy answers in order, one prompt for each. All commands of a session reach the same process.
 * After the first failure the session is over: every waiting and later command rejects.
 */
export class RuntimeSession {
  readonly #socket: Socket;
  readonly #options: RuntimeClientOptions;
  readonly #waiting: Waiting[] = [];
  /** The answer that is under way, but for its end: pieces, since a long one must not be read anew with each. */
  #pieces: string[] = [];
  #pieceChars = 0;
  /** Its last characters, which may be the first of a prompt. */
  #end = '';
  #timer: Timer | undefined;
  #failure: RuntimeApiError | undefined;
  #corked = false;

  private constructor(socket: Socket, options: RuntimeClientOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.#onData(chunk));
    socket.on('error', (error) => this.#fail(codeOf(error), describeError(error), error));
    socket.on('end', () => this.#fail('runtime-closed', 'HAProxy closed the connection'));
    socket.on('close', () => this.#fail('runtime-closed', 'the connection is closed'));
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Connects and enters prompt mode. Rejects with a RuntimeApiError when nobody, or no HAProxy, answers in time. */
  static async open(path: string, options: RuntimeClientOptions): Promise<RuntimeSession> {
    return (await RuntimeSession.#begin(path, [], options)).session;
  }

  /** As `open`, and asks a first command in the same write. */
  static async openAsking(
    path: string,
    first: string,
    options: RuntimeClientOptions,
  ): Promise<OpenedSession> {
    return RuntimeSession.#begin(path, [first], options);
  }

  static async #begin(
    path: string,
    commands: readonly string[],
    options: RuntimeClientOptions,
  ): Promise<OpenedSession> {
    options.signal?.throwIfAborted();
    const session = new RuntimeSession(connect({ path }), options);
    try {
      const sent = [session.#send('prompt'), ...commands.map((command) => session.ask(command))];
      const [greeting, reply = ''] = await Promise.all(sent);
      if (greeting !== '') throw new RuntimeApiError('runtime-protocol', `unexpected greeting on ${path}`);
      return { session, reply };
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Sends one command and resolves with HAProxy's answer, without the blank line that ends it. */
  ask(command: string): Promise<string> {
    assertSingleCommand(command);
    return this.#send(command);
  }

  /** Ends the conversation. Answers still awaited reject. */
  close(): void {
    this.#fail('runtime-closed', 'the session was closed');
  }

  #send(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#waiting.push({ command, resolve, reject });
      // Commands of one turn leave in one write: a thousand of them are a thousand system calls otherwise.
      if (!this.#corked) {
        this.#corked = true;
        this.#socket.cork();
        process.nextTick(() => {
          this.#corked = false;
          this.#socket.uncork();
        });
      }
      this.#socket.write(`${command}\n`);
      if (this.#timer === undefined) this.#restartTimer();
    });
  }

  #onData(chunk: string): void {
    const text = this.#end + chunk;
    let start = 0;
    for (let at = text.indexOf(prompt); at >= 0; at = text.indexOf(prompt, start)) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) {
        this.#fail('runtime-protocol', 'an answer came to no command');
        return;
      }
      const answer = [...this.#pieces, text.slice(start, at)].join('');
      this.#pieces = [];
      this.#pieceChars = 0;
      waiting.resolve(answer.replace(/^\n+|\n+$/g, ''));
      start = at + prompt.length;
      this.#restartTimer();
    }
    const endAt = Math.max(start, text.length - prompt.length + 1);
    this.#end = text.slice(endAt);
    if (endAt > start) this.#pieces.push(text.slice(start, endAt));
    this.#pieceChars += endAt - start;
    const chars = this.#pieceChars + this.#end.length;
    if (chars > 0 && this.#waiting.length === 0) {
      this.#fail('runtime-protocol', 'an answer came to no command');
    } else if (chars > maxReplyChars) {
      this.#fail('runtime-protocol', `an answer is longer than ${maxReplyChars} characters`);
    }
  }

  #restartTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#waiting.length === 0 || this.#failure !== undefined) return;
    const { clock, deadlineMs } = this.#options;
    this.#timer = clock.setTimeout(() => {
      this.#fail(
        'runtime-timeout',
        `HAProxy did not answer "${this.#waiting[0]?.command}" within ${deadlineMs} ms`,
      );
    }, deadlineMs);
  }

  readonly #onAbort = (): void => this.#fail('runtime-closed', 'the session was aborted');

  #fail(code: RuntimeErrorCode, message: string, cause?: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = new RuntimeApiError(code, message, cause);
    this.#timer?.cancel();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

/**
 * Asks one command on a connection of its own and reads until the peer closes. For the master CLI, which
 * closes only when half-closed, changes its prompt after a failed reload, and ends every session when it reloads.
 */
export async function askOnce(path: string, command: string, options: RuntimeClientOptions): Promise<string> {
  assertSingleCommand(command);
  const { clock, deadlineMs, signal } = options;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    let reply = '';
    const settle = (finish: () => void): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      finish();
    };
    const fail = (code: RuntimeErrorCode, message: string): void =>
      settle(() => reject(new RuntimeApiError(code, message)));
    const onAbort = (): void => fail('runtime-closed', 'the question was aborted');
    const timer = clock.setTimeout(
      () => fail('runtime-timeout', `HAProxy did not answer "${command}" within ${deadlineMs} ms`),
      deadlineMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.end(`${command}\n`));
    socket.on('data', (chunk: string) => {
      reply += chunk;
      if (reply.length > maxReplyChars) fail('runtime-closed', 'the answer does not end');
    });
    socket.on('error', (error) => fail(codeOf(error), describeError(error)));
    socket.on('end', () => settle(() => resolve(reply.replace(/\n+$/, ''))));
  });
}
