import type { Agent, ClientRequest, IncomingHttpHeaders, RequestOptions } from 'node:http';
import type { ConnectionOptions } from 'node:tls';

import { type Clock, describeError } from '@smartstack/agent';

/** What a server said. */
export interface JsonAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Undefined for what is no JSON. */
  readonly value: unknown;
}

/** One request. */
export interface JsonRequest {
  /** `host:port`, an IPv6 address in brackets. */
  readonly endpoint: string;
  /** The unix socket that it listens on, in place of that. */
  readonly socketPath?: string | undefined;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For the whole exchange, in milliseconds. */
  readonly timeoutMs: number;
}

type Request = (options: RequestOptions) => ClientRequest;

/** No source of ours has more to say in one answer. */
const maxAnswerBytes = 16 * 1024 * 1024;

/** Asks HTTP servers for JSON, one connection at a time. */
export class JsonClient {
  readonly #clock: Clock;
  readonly #readTls: (signal: AbortSignal) => Promise<ConnectionOptions | undefined>;
  #connections: Promise<{ agent: Agent; request: Request }> | undefined;

  /** `readTls` is asked before the first request, and again after one that failed; undefined: plain HTTP. */
  constructor(clock: Clock, readTls: (signal: AbortSignal) => Promise<ConnectionOptions | undefined>) {
    this.#clock = clock;
    this.#readTls = readTls;
  }

  /** Rejects when there is no answer in time, when it is too large, or when `signal` aborts. */
  async get(asked: JsonRequest, signal: AbortSignal): Promise<JsonAnswer> {
    const limit = new AbortController();
    const late = new Error(`No answer within ${asked.timeoutMs / 1000} s`);
    const timer = this.#clock.setTimeout(() => limit.abort(late), asked.timeoutMs);
    const either = AbortSignal.any([signal, limit.signal]);
    try {
      this.#connections ??= this.#open(either);
      const { agent, request } = await this.#connections;
      return await exchange(request, agent, asked, either);
    } catch (error) {
      // Certificates may have been replaced.
      this.close();
      if (limit.signal.aborted) throw late;
      throw new Error(`${asked.endpoint}: ${describeError(error)}`, { cause: error });
    } finally {
      timer.cancel();
    }
  }

  /** Closes the connection; another request opens a new one. */
  close(): void {
    this.#connections?.then(
      ({ agent }) => agent.destroy(),
      () => undefined,
    );
    this.#connections = undefined;
  }

  async #open(signal: AbortSignal) {
    const tls = await this.#readTls(signal);
    // Agents that ask nobody never load either.
    const { Agent, request } = tls === undefined ? await import('node:http') : await import('node:https');
    return { agent: new Agent({ keepAlive: true, maxSockets: 1, ...tls }), request };
  }
}

function exchange(
  request: Request,
  agent: Agent,
  asked: Omit<JsonRequest, 'timeoutMs'>,
  signal: AbortSignal,
): Promise<JsonAnswer> {
  const { endpoint, socketPath, path, headers } = asked;
  const { hostname, port } = new URL(`http://${endpoint}`);
  const options: RequestOptions = {
    agent,
    // An IPv6 address has brackets in a URL only.
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 80 : port,
    ...(socketPath !== undefined && { socketPath }),
    path,
    headers: { accept: 'application/json', ...headers },
    signal,
  };
  return new Promise((resolve, reject) => {
    const sent = request(options);
    sent.on('error', (error: NodeJS.ErrnoException) => {
      // The server hung up on an idle connection before it heard of the request.
      if (sent.reusedSocket && error.code === 'ECONNRESET') resolve(exchange(request, agent, asked, signal));
      else reject(error);
    });
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', reject);
      response.on('aborted', () => reject(new Error('The answer broke off')));
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > maxAnswerBytes) sent.destroy(new Error(`More than ${maxAnswerBytes} bytes`));
      });
      response.on('end', () => {
        const { statusCode: status = 0, headers: told } = response;
        resolve({ status, headers: told, value: parse(Buffer.concat(chunks)) });
      });
    });
    sent.end();
  });
}

function parse(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString()) as unknown;
  } catch {
    return undefined;
  }
}
