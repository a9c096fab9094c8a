import type { IncomingMessage, ServerResponse } from 'node:http';
import { isOwnHost, isOwnOrigin } from './hostGuard.js';
import { jsonResponse, matchRoute, standardRoutes } from './routes.js';
import type { AdminOptions, AdminResponse, AdminRoute } from './types.js';

/** Longest body of a request that changes something, in bytes. */
const maxBody = 64 * 1024;

/** An answer that is not the route's: what is wrong with the request. */
class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/**
 * Answers requests from the route table. `local` is for a unix socket, which no web page can reach,
 * so that the Host header is of no interest.
 */
export function createHandler(
  options: AdminOptions,
  local: boolean,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const routes = [...standardRoutes(options), ...(options.routes ?? [])];
  return async (request, response) => {
    try {
      if (!local) guard(request, options.allowedHosts);
      send(response, await answer(request, routes));
    } catch (error) {
      if (request.destroyed && !request.complete) return;
      if (error instanceof Refusal) {
        for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
        send(response, jsonResponse({ error: error.message }, error.status));
      } else {
        options.logger.error('admin request failed', { url: request.url, error });
        send(response, jsonResponse({ error: 'internal error' }, 500));
      }
    }
  };
}

function guard(request: IncomingMessage, allowed: readonly string[] | undefined): void {
  const { host, origin, 'sec-fetch-site': site } = request.headers;
  if (!isOwnHost(host, allowed)) throw new Refusal(403, 'unknown host name');
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (!reads && !isOwnOrigin({ origin, site: typeof site === 'string' ? site : undefined }, allowed)) {
    throw new Refusal(403, 'not from another site');
  }
}

async function answer(request: IncomingMessage, routes: readonly AdminRoute[]): Promise<AdminResponse> {
  const { method = 'GET', url = '' } = request;
  const [, path, query] = /^(\/[^?#]*)(?:\?([^#]*))?/.exec(url) ?? [];
  if (path === undefined) throw new Refusal(400, 'bad request');
  const found = find(routes, method, path);
  const body = method === 'GET' || method === 'HEAD' ? Buffer.alloc(0) : await readBody(request);
  return found.route.handle({
    method,
    path,
    params: found.params,
    query: new URLSearchParams(query ?? ''),
    body,
  });
}

function find(routes: readonly AdminRoute[], method: string, path: string) {
  let match;
  try {
    match = matchRoute(routes, method, path);
  } catch {
    throw new Refusal(400, 'bad path');
  }
  if (!match) throw new Refusal(404, 'not found');
  if ('methods' in match) {
    throw new Refusal(405, 'method not allowed', { allow: [...new Set(match.methods)].join(', ') });
  }
  return match;
}

/** Not `for await`: leaving that early destroys the connection before the refusal is sent. */
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBody) chunks.push(chunk);
      else reject(new Refusal(413, 'body too large', { connection: 'close' }));
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('close', () => reject(new Refusal(400, 'body cut off')));
  });
}

function send(response: ServerResponse, { status, contentType, body }: AdminResponse): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(bytes);
}
