import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import {
  type Clock,
  describeError,
  type Logger,
  type Secrets,
  type Task,
  untilAborted,
} from '@smartstack/agent';
import { encodeNumbers, type HostNumbers } from './answer.js';
import type { Answered } from './metrics.js';
import { Nonces } from './nonces.js';
import { numbersPath, presentedIn, proofOfAnswer, provenWith, windowMs } from './proof.js';
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
  /** Those of the file, of which a proof may be made with any. */
  readonly keys: () => Promise<Secrets>;
  /** Whether an address may ask at all. */
  readonly mayAsk: (address: string) => boolean;
  readonly numbers: () => HostNumbers;
  /** Somebody asked. */
  readonly onAnswer: (result: Answered) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Reply {
  readonly result: Answered;
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
  #problem: string | undefined;
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

  /** Why they cannot. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Serves until `signal` aborts; an address that is taken is tried again. */
  readonly run: Task = async (signal) => {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#serve(signal);
      } catch (error) {
        if (isOver(signal)) return;
        const problem = describeError(error);
        if (problem !== this.#problem) logger.warn('numbers cannot be served to other hosts', { problem });
        this.#problem = problem;
        this.#settle();
        await clock.sleep(retryMs, signal).catch(() => undefined);
      }
    }
  };

  async #serve(signal: AbortSignal): Promise<void> {
    const { listen, mayAsk, onAnswer, logger } = this.#options;
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
      if (mayAsk(socket.remoteAddress ?? '')) return;
      onAnswer('stranger');
      socket.destroy();
    });
    try {
      const listening = once(server, 'listening', { signal });
      server.listen({ ...listen, exclusive: true });
      await listening;
      server.on('error', (error) =>
        logger.warn('a host that asks for numbers could not be let in', { error }),
      );
      this.#isListening = true;
      this.#problem = undefined;
      this.#settle();
      logger.info('numbers are served to other hosts', { address: this.#target });
      await untilAborted(signal);
    } finally {
      this.#isListening = false;
      await closeNow(server);
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { result, status, body, headers } = await this.#reply(request);
    this.#options.onAnswer(result);
    response.writeHead(status, {
      ...{ 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store', connection: 'close' },
      ...{ 'x-content-type-options': 'nosniff', 'content-type': 'text/plain; charset=utf-8' },
      ...headers,
    });
    response.end(body);
  }

  async #reply({ method, url, headers }: IncomingMessage): Promise<Reply> {
    const refused = (result: Answered, status: number, body: string): Reply => ({ result, status, body });
    if (url !== numbersPath) return refused('other', 404, 'not found\n');
    if (method !== 'GET')
      return { ...refused('other', 405, 'method not allowed\n'), headers: { allow: 'GET' } };
    const { keys, clock } = this.#options;
    const presented = presentedIn(headers.authorization, this.#target);
    const isTimely = presented !== undefined && Math.abs(clock.now() - presented.atMs) <= windowMs;
    if (!isTimely) return refused('no-proof', 401, 'this needs a proof, made with the key just now\n');
    const content = await keys();
    if ('problem' in content) return refused('no-key', 503, 'there is no key\n');
    const key = provenWith(content.secrets, presented);
    if (key === undefined) return refused('wrong-key', 401, 'the proof is not right\n');
    const seen = this.#nonces.note(presented.nonce, clock.monotonic());
    if (seen === 'again') return refused('again', 401, 'this was answered already\n');
    if (seen === 'full') return refused('too-many', 429, 'too many ask\n');
    const body = this.#body();
    return {
      ...{ result: 'answered', status: 200, body },
      headers: {
        'content-type': 'application/json; charset=utf-8',
        // With the one that who asks has for certain: during an exchange of keys not everybody has all.
        'x-smartstack-proof': proofOfAnswer(key, presented, body),
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
