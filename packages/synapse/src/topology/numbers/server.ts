import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import {
  type Clock,
  describeError,
  type Logger,
  type Secret,
  type Task,
  untilAborted,
} from '@smartstack/agent';
import { encodeNumbers, type HostNumbers } from './answer.js';
import { Nonces } from './nonces.js';
import { isProven, numbersPath, presentedIn, proofOfAnswer, windowMs } from './proof.js';
import { type Target, targetText } from './target.js';

/** How often an address that cannot be listened on is tried again, in milliseconds. */
const retryMs = 5_000;
/** An answer is made anew no sooner, in milliseconds. */
const freshMs = 1_000;
/** Connections, and answers in twice the window. */
const [maxConnections, maxAnswers] = [64, 10_000];

/** What serving stands on. */
export interface ServerOptions {
  readonly listen: Target;
  readonly key: () => Promise<Secret>;
  /** Whether an address may ask at all. */
  readonly mayAsk: (address: string) => boolean;
  readonly numbers: () => HostNumbers;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Reply {
  readonly status: number;
  readonly body: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Tells whoever has the key the numbers of this host, at an address of its own where there is nothing else. */
export class NumbersServer {
  readonly #options: ServerOptions;
  readonly #target: string;
  /** A proof is good for the window before its time and after it. */
  readonly #nonces = new Nonces(2 * windowMs, maxAnswers);
  #made: { readonly body: Buffer; readonly at: number } | undefined;
  #isListening = false;
  #settle: () => void = () => undefined;
  /** Resolves when it listens, or cannot for now. */
  readonly settled = new Promise<void>((resolve) => (this.#settle = resolve));

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#target = targetText(options.listen);
  }

  /** Where others can ask; undefined while they cannot. */
  get target(): string | undefined {
    return this.#isListening ? this.#target : undefined;
  }

  /** Serves until `signal` aborts; an address that is taken is tried again. */
  readonly run: Task = async (signal) => {
    const { clock, logger } = this.#options;
    let told: string | undefined;
    while (!signal.aborted) {
      try {
        await this.#serve(signal);
      } catch (error) {
        if (isOver(signal)) return;
        const problem = describeError(error);
        if (problem !== told) logger.warn('numbers cannot be served to other hosts', { problem });
        told = problem;
        this.#settle();
        await clock.sleep(retryMs, signal).catch(() => undefined);
      }
    }
  };

  async #serve(signal: AbortSignal): Promise<void> {
    const { listen, mayAsk, logger } = this.#options;
    const { createServer } = await import('node:http');
    const server = createServer(
      {
        ...{ maxHeaderSize: 4_096, headersTimeout: 2_000, requestTimeout: 2_000, keepAlive: false },
        connectionsCheckingInterval: 500,
      },
      (request, response) => {
        this.#answer(request, response).catch(() => response.destroy());
      },
    );
    server.maxConnections = maxConnections;
    server.maxRequestsPerSocket = 1;
    // Whoever reads nothing, too.
    server.setTimeout(5_000);
    server.on('connection', (socket) => {
      if (!mayAsk(socket.remoteAddress ?? '')) socket.destroy();
    });
    try {
      const listening = once(server, 'listening', { signal });
      server.listen({ ...listen, exclusive: true });
      await listening;
      server.on('error', (error) => logger.warn('numbers server', { error }));
      this.#isListening = true;
      this.#settle();
      logger.info('numbers are served to other hosts', { address: this.#target });
      await untilAborted(signal);
    } finally {
      this.#isListening = false;
      await closeNow(server);
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body, headers } = await this.#reply(request);
    response.writeHead(status, {
      ...{ 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store', connection: 'close' },
      ...{ 'x-content-type-options': 'nosniff', 'content-type': 'text/plain; charset=utf-8' },
      ...headers,
    });
    response.end(body);
  }

  async #reply({ method, url, headers }: IncomingMessage): Promise<Reply> {
    if (url !== numbersPath) return { status: 404, body: 'not found\n' };
    if (method !== 'GET') return { status: 405, body: 'method not allowed\n', headers: { allow: 'GET' } };
    const { key, clock } = this.#options;
    const presented = presentedIn(headers.authorization, this.#target);
    const isTimely = presented !== undefined && Math.abs(clock.now() - presented.atMs) <= windowMs;
    if (!isTimely) return { status: 401, body: 'this needs a proof, made with the key just now\n' };
    const content = await key();
    if ('problem' in content) return { status: 503, body: 'there is no key\n' };
    if (!isProven(content.secret, presented)) return { status: 401, body: 'the proof is not right\n' };
    const seen = this.#nonces.note(presented.nonce, clock.monotonic());
    if (seen === 'again') return { status: 401, body: 'this was answered already\n' };
    if (seen === 'full') return { status: 429, body: 'too many ask\n' };
    const body = this.#body();
    return {
      ...{ status: 200, body },
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'x-smartstack-proof': proofOfAnswer(content.secret, presented, body),
      },
    };
  }

  #body(): Buffer {
    const { numbers, clock } = this.#options;
    const now = clock.monotonic();
    if (this.#made === undefined || now - this.#made.at >= freshMs)
      this.#made = { body: encodeNumbers(numbers()), at: now };
    return this.#made.body;
  }
}

/** It changes while something is awaited, which the compiler does not see. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function closeNow(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
