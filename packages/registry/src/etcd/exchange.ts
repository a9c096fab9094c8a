import type { Agent, ClientRequest, RequestOptions } from 'node:http';
import type { ConnectionOptions } from 'node:tls';
import { lookupWith, type Resolve, systemResolve } from '../nameLookups.js';
import { EtcdError } from './errors.js';
import { errorOf } from './messages.js';

/** A lease of ten thousand keys lists them in less. */
const maxAnswerBytes = 16 * 1024 * 1024;

/** Connections to the members of one cluster. */
export interface Connections {
  /** Sends `body` to `endpoint`, and resolves with the parsed answer. Rejects with EtcdError, or when `signal` aborts. */
  post(
    endpoint: string,
    path: string,
    body: unknown,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<unknown>;
  /** The same for an answer that comes in lines for as long as it lasts. Resolves when the server ends it. */
  stream(
    endpoint: string,
    path: string,
    body: unknown,
    token: string | undefined,
    onMessage: (message: unknown) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Closes them all. */
  end(): void;
}

/**
 * Opens connections as they are needed. With `tls`, they are encrypted. There are as many as questions at once, and
 * none waits for another here: whoever asks bounds them, before the time for an answer begins.
 */
export async function openConnections(
  tls: ConnectionOptions | undefined,
  resolve: Resolve = systemResolve,
): Promise<Connections> {
  // Agents that talk to no etcd never load either.
  const { Agent, request } = tls === undefined ? await import('node:http') : await import('node:https');
  const lookup = lookupWith(resolve);
  const agent: Agent = new Agent({ keepAlive: true, ...tls });
  // What lasts must not wait for each other.
  const streams: Agent = new Agent({ ...tls });
  const open = (
    through: Agent,
    endpoint: string,
    path: string,
    text: string,
    token: string | undefined,
    signal: AbortSignal,
  ): ClientRequest => {
    const { hostname, port } = new URL(`http://${endpoint}`);
    const options: RequestOptions = {
      agent: through,
      // An IPv6 address has brackets in a URL only.
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? 80 : port,
      lookup,
      path,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        ...(token === undefined ? {} : { authorization: token }),
      },
      signal,
    };
    return request(options);
  };
  return {
    end: () => {
      agent.destroy();
      streams.destroy();
    },
    post: (endpoint, path, body, token, signal) => {
      const text = JSON.stringify(body);
      return answerOf(open(agent, endpoint, path, text, token, signal), text);
    },
    stream: (endpoint, path, body, token, onMessage, signal) => {
      const text = JSON.stringify(body);
      return messagesOf(open(streams, endpoint, path, text, token, signal), text, onMessage);
    },
  };
}

function answerOf(request: ClientRequest, text: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      reject(cause instanceof EtcdError ? cause : new EtcdError('no answer', { cause }));
    };
    request.on('error', fail);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', fail);
      response.on('aborted', () => fail(new Error('the answer broke off')));
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > maxAnswerBytes) request.destroy(new EtcdError(`more than ${maxAnswerBytes} bytes`));
      });
      response.on('end', () => {
        try {
          const answer = parse(Buffer.concat(chunks).toString());
          const { statusCode = 0 } = response;
          if (statusCode !== 200) throw errorOf(answer, statusCode);
          resolve(answer);
        } catch (error) {
          fail(error);
        }
      });
    });
    request.end(text);
  });
}

function messagesOf(
  request: ClientRequest,
  text: string,
  onMessage: (message: unknown) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      reject(cause instanceof EtcdError ? cause : new EtcdError('no answer', { cause }));
    };
    request.on('error', fail);
    request.on('response', (response) => {
      let rest = '';
      response.setEncoding('utf8');
      response.on('error', fail);
      response.on('aborted', () => fail(new Error('the answer broke off')));
      response.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        try {
          if (rest.length > maxAnswerBytes) throw new EtcdError(`more than ${maxAnswerBytes} bytes`);
          if (response.statusCode === 200)
            for (const line of lines) if (line.trim() !== '') onMessage(parse(line));
        } catch (error) {
          fail(error);
          request.destroy();
        }
      });
      response.on('end', () => {
        const { statusCode = 0 } = response;
        if (statusCode === 200) resolve();
        else fail(errorOf(parse(rest), statusCode));
      });
    });
    request.end(text);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // What is no JSON is quoted nowhere: it is anyone's.
    return undefined;
  }
}
