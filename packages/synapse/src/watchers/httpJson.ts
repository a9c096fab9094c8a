import { request as plainRequest, type RequestOptions } from 'node:http';
import { request as secureRequest } from 'node:https';

/** Where and what to ask. */
export interface HttpQuestion {
  readonly url: URL;
  /** A unix socket to ask it of; the host in `url` is only a name then. */
  readonly socketPath?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** A larger answer is refused, in bytes. */
  readonly maxBytes: number;
}

/** Asks an HTTP server for JSON, on a connection of its own. Rejects with why there is none; `signal` ends it. */
export function getJson(
  { url, socketPath, headers = {}, maxBytes }: HttpQuestion,
  signal: AbortSignal,
): Promise<unknown> {
  const options: RequestOptions = {
    headers: { accept: 'application/json', ...headers },
    agent: false,
    signal,
    ...(socketPath !== undefined && { socketPath }),
  };
  const ask = url.protocol === 'https:' ? secureRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const asking = ask(url, options, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        size += part.length;
        parts.push(part);
        if (size > maxBytes) asking.destroy(new Error(`the answer is larger than ${maxBytes} bytes`));
      });
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, complete } = response;
        try {
          if (statusCode !== 200) throw new Error(`it answers ${statusCode}`);
          if (!complete) throw new Error('the answer is cut off');
          resolve(JSON.parse(Buffer.concat(parts).toString('utf8')));
        } catch (error) {
          const text = error instanceof SyntaxError ? 'the answer is no JSON' : undefined;
          reject(text === undefined ? error : new Error(text, { cause: error }));
        }
      });
    });
    asking.on('error', reject);
    asking.end();
  });
}
