import { type Clock, describeError, type Logger, readPlainFile } from '@smartstack/agent';
import { CredentialReader } from '../zookeeper/credentials.js';
import { EtcdError } from './errors.js';
import { type Connections, openConnections } from './exchange.js';
import { readToken } from './messages.js';
import type { EtcdSettings } from './types.js';

export interface EtcdClientOptions extends EtcdSettings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long one member may take for an answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** etcd's JSON gateway, at whichever member answers. Each call is sent at once, and its time begins then. */
export class EtcdClient {
  readonly #options: EtcdClientOptions;
  readonly #credentials: CredentialReader;
  readonly #closed = new AbortController();
  #connections: Promise<Connections> | undefined;
  #member = 0;
  #token: Promise<string | undefined> | undefined;

  constructor(options: EtcdClientOptions) {
    this.#options = options;
    this.#credentials = new CredentialReader(options);
  }

  /** The member that answered last, or is tried next. */
  get endpoint(): string {
    return this.#options.endpoints[this.#member] ?? '';
  }

  /**
   * Asks the members in turn, from the one that answered last, until one answers. Rejects with EtcdError: of
   * the last member when none could be reached; at once for an answer that would be the same everywhere.
   */
  async call(path: string, body: unknown): Promise<unknown> {
    try {
      return await this.#authorized(path, body);
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.stale || this.#options.username === undefined) throw error;
      // A member that was started anew knows no tokens.
      this.#token = undefined;
      return await this.#authorized(path, body);
    }
  }

  /**
   * Asks the member that answered last for what comes in messages, until it ends that or `signal` aborts. The first must
   * come within the time-out. Rejects with EtcdError.
   */
  async stream(
    path: string,
    body: unknown,
    onMessage: (message: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const limit = new AbortController();
    const late = (): void => limit.abort(new EtcdError(`no answer within ${timeoutMs} ms`));
    const timer = clock.setTimeout(late, timeoutMs);
    const any = AbortSignal.any([limit.signal, this.#closed.signal, signal]);
    const take = (message: unknown): void => {
      timer.cancel();
      onMessage(message);
    };
    try {
      const token = await this.#currentToken();
      const connections = await this.#connect(timeoutMs, any);
      await connections.stream(this.endpoint, path, body, token, take, any);
    } catch (error) {
      if (error instanceof EtcdError && error.stale) this.#token = undefined;
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      timer.cancel();
    }
  }

  /** Closes the connections; what is under way rejects. */
  close(): void {
    this.#closed.abort();
    this.#reconnect();
  }

  async #authorized(path: string, body: unknown): Promise<unknown> {
    return await this.#anywhere(path, body, await this.#currentToken());
  }

  async #currentToken(): Promise<string | undefined> {
    this.#token ??= this.#authenticate();
    try {
      return await this.#token;
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  async #authenticate(): Promise<string | undefined> {
    const { username: name, password, passwordFile } = this.#options;
    if (name === undefined) return undefined;
    const secret = passwordFile === undefined ? password : await readSecret(passwordFile);
    try {
      return readToken(await this.#anywhere('/v3/auth/authenticate', { name, password: secret }, undefined));
    } catch (error) {
      // 9: authentication is not enabled there.
      if (error instanceof EtcdError && error.status === 9) return undefined;
      throw error;
    }
  }

  async #anywhere(path: string, body: unknown, token: string | undefined): Promise<unknown> {
    const { endpoints } = this.#options;
    const first = this.#member;
    let last: unknown;
    for (let turn = 0; turn < endpoints.length; turn += 1) {
      const member = (first + turn) % endpoints.length;
      const endpoint = endpoints[member] ?? '';
      try {
        const answer = await this.#ask(endpoint, path, body, token);
        this.#member = member;
        return answer;
      } catch (error) {
        this.#closed.signal.throwIfAborted();
        if (!(error instanceof EtcdError) || !error.elsewhere) {
          this.#member = member;
          throw error;
        }
        last = new EtcdError(`${endpoint}: ${describeError(error)}`);
      }
    }
    // Another time begin with another one: several may hang, each for a whole time-out.
    this.#member = (first + 1) % endpoints.length;
    // Certificates may have been replaced.
    if (this.#options.tls !== undefined) this.#reconnect();
    throw last;
  }

  async #ask(endpoint: string, path: string, body: unknown, token: string | undefined): Promise<unknown> {
    const { clock, timeoutMs } = this.#options;
    const limit = new AbortController();
    const timer = clock.setTimeout(
      () => limit.abort(new EtcdError(`no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const signal = AbortSignal.any([limit.signal, this.#closed.signal]);
    try {
      const connections = await this.#connect(timeoutMs, signal);
      return await connections.post(endpoint, path, body, token, signal);
    } catch (error) {
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      timer.cancel();
    }
  }

  async #connect(deadlineMs: number, signal: AbortSignal): Promise<Connections> {
    this.#connections ??= this.#credentials.read(deadlineMs, signal).then(({ tls }) => openConnections(tls));
    try {
      return await this.#connections;
    } catch (cause) {
      this.#connections = undefined;
      throw new EtcdError('cannot connect', { cause });
    }
  }

  #reconnect(): void {
    this.#connections?.then(
      (connections) => connections.end(),
      () => undefined,
    );
    this.#connections = undefined;
  }
}

async function readSecret(file: string): Promise<string> {
  try {
    return (await readPlainFile(file)).toString().replace(/\r?\n$/, '');
  } catch (cause) {
    throw new EtcdError(`cannot read the password`, { cause });
  }
}
