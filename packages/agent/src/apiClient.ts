import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { AdminAddress } from './admin/types.js';
import type { Clock } from './clock.js';
import { AgentError, describeError } from './errors.js';

function addressText(address: AdminAddress): string {
  return 'socket' in address ? address.socket : `${address.host}:${address.port}`;
}

/** Why there is no usable answer: nobody listens, it takes too long, it refuses, or it is no agent. */
export class ApiError extends AgentError {
  /** The HTTP status of a refusal. */
  readonly status: number | undefined;

  constructor(code: 'unreachable' | 'refused' | 'not_an_agent', message: string, status?: number) {
    super(code, message, { retriable: code === 'unreachable' });
    this.status = status;
  }
}

export interface ApiClientOptions {
  /** Tried in this order until one can be connected to. */
  readonly addresses: readonly AdminAddress[];
  readonly token?: string | undefined;
  readonly clock: Clock;
  /** For one whole exchange, in milliseconds. */
  readonly timeoutMs: number;
}

export interface ApiAnswer {
  readonly status: number;
  readonly value: unknown;
}

/** An answer that goes on may be silent for so many times as long as an exchange may take. */
const silentTimes = 3;
const maxAnswerBytes = 64 * 1024 * 1024;
/** Longest refusal that is read, in characters. */
const maxRefusal = 65_536;
/** As much of a refusal as people read, in characters. */
const maxSaid = 1_000;
/** Nothing was sent yet: another address may be asked without doing anything twice. */
const notConnected = new Set(['ENOENT', 'ECONNREFUSED', 'EACCES', 'ENOTSOCK', 'ENOTFOUND', 'EHOSTUNREACH']);

/** Speaks the local HTTP API of an agent. */
export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  /** Sends one request. Throws ApiError for whatever is not a success. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, value } = await this.#connect(method, path, body);
    if (status >= 200 && status < 300) return value;
    throw refused(status, value);
  }

  /**
   * The lines of an answer that goes on, as they come; ends when the agent ends it or `signal` aborts. Throws ApiError,
   * also when the agent goes away, or says nothing for longer than an exchange may take.
   */
  async *follow(path: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    const response = await this.#firstOf((address) => this.#begin(address, path, signal));
    if (response.statusCode !== 200) throw await refusalOf(response);
    const { clock, timeoutMs } = this.#options;
    const silence = (): void =>
      void response.destroy(new Error(`it says nothing for ${(silentTimes * timeoutMs) / 1000} s`));
    let timer = clock.setTimeout(silence, silentTimes * timeoutMs);
    let rest = '';
    response.setEncoding('utf8');
    try {
      for await (const chunk of response as AsyncIterable<string>) {
        timer.cancel();
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > maxAnswerBytes) throw new ApiError('not_an_agent', 'it answers too much');
        yield* lines;
        timer = clock.setTimeout(silence, silentTimes * timeoutMs);
      }
    } catch (error) {
      if (hasEnded(signal)) return;
      if (error instanceof ApiError) throw error;
      throw new ApiError('unreachable', `the agent went away (${describeError(error)})`);
    } finally {
      timer.cancel();
      response.destroy();
    }
  }

  /** Sends a GET; resolves with the head of its answer, and throws ApiError for a refusal. */
  #begin(address: AdminAddress, path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { token, clock, timeoutMs } = this.#options;
    const at =
      'socket' in address
        ? { socketPath: address.socket, host: 'localhost' }
        : { host: address.host, port: address.port };
    return new Promise((resolve, reject) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const request = httpRequest({ ...at, path, headers, agent: false, signal }, (response) => {
        timer.cancel();
        resolve(response);
      });
      const timer = clock.setTimeout(
        () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      request.on('error', (error) => {
        timer.cancel();
        reject(error);
      });
      request.end();
    });
  }

  async #connect(method: string, path: string, body: unknown): Promise<ApiAnswer> {
    return this.#firstOf((address) => this.#exchange(address, method, path, body));
  }

  /** The first address that can be connected to has the last word. */
  async #firstOf<T>(ask: (address: AdminAddress) => Promise<T>): Promise<T> {
    const { addresses } = this.#options;
    const failures: string[] = [];
    for (const address of addresses) {
      try {
        return await ask(address);
      } catch (error) {
        if (error instanceof ApiError && error.code !== 'unreachable') throw error;
        if (isNoHttp(error)) throw noAgent(address, `speaks no HTTP (${describeError(error)})`);
        failures.push(`${addressText(address)}: ${describeError(error)}`);
        if (!notConnected.has(String((error as NodeJS.ErrnoException).code))) break;
      }
    }
    throw new ApiError('unreachable', `the agent does not answer (${failures.join('; ')})`);
  }

  #exchange(address: AdminAddress, method: string, path: string, body: unknown): Promise<ApiAnswer> {
    const { token, clock, timeoutMs } = this.#options;
    const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const at =
      'socket' in address
        ? { socketPath: address.socket, host: 'localhost' }
        : { host: address.host, port: address.port };
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          ...{ ...at, method, path, agent: false },
          headers: {
            ...(text && { 'content-type': 'application/json', 'content-length': text.length }),
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            bytes += chunk.length;
            if (bytes > maxAnswerBytes) request.destroy(new ApiError('not_an_agent', 'it answers too much'));
          });
          response.once('error', reject);
          response.once('end', () => {
            try {
              const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
              resolve({ status: response.statusCode ?? 0, value });
            } catch {
              reject(noAgent(address, 'answers no JSON'));
            }
          });
        },
      );
      const timer = clock.setTimeout(
        () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      request.on('error', reject);
      request.once('close', () => {
        timer.cancel();
        // A response that ended early says so as an error of its own, or not at all.
        reject(new Error('the connection was closed'));
      });
      request.end(text);
    });
  }
}

function noAgent(address: AdminAddress, what: string): ApiError {
  return new ApiError('not_an_agent', `${addressText(address)} ${what}: is it the agent's API?`);
}

/** What Node's parser cannot make sense of, and not only because it ended early. */
function isNoHttp(error: unknown): boolean {
  const code = String((error as NodeJS.ErrnoException).code);
  return code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE';
}

const accessHint =
  "use the agent's unix socket (as its user or group: sudo), or give --token-file with the token of admin.token_file";

function refused(status: number, value: unknown): ApiError {
  const { error } = Object(value) as { readonly error?: unknown };
  const said = typeof error === 'string' ? error.slice(0, maxSaid) : `it answers ${status}`;
  const hint = status === 401 || (status === 403 && said.includes('needs a token')) ? `; ${accessHint}` : '';
  return new ApiError('refused', `${said}${hint}`, status);
}

/** Reads a refusal to its end, as far as people read. */
async function refusalOf(response: IncomingMessage): Promise<ApiError> {
  let text = '';
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > maxRefusal) break;
    }
    return refused(response.statusCode ?? 0, JSON.parse(text));
  } catch {
    return refused(response.statusCode ?? 0, undefined);
  }
}

/** It changes while something is awaited, which the compiler does not see. */
function hasEnded(signal: AbortSignal): boolean {
  return signal.aborted;
}
