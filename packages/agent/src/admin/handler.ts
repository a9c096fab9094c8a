import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.js';
import { demandToken, isReading, type Origin } from './authorise.js';
import { type Asker, isOwnHost, mayRead, mayWrite } from './hostGuard.js';
import { Refusal } from './refusal.js';
import { jsonResponse, matchRoute, standardRoutes } from './routes.js';
import { TokenFile } from './tokenFile.js';
import type { AdminOptions, AdminResponse, AdminRoute } from './types.js';

/** Longest body of a request that changes something, in bytes. */
const maxBody = 64 * 1024;
/** How long a reader may take for an answer, or for what is left of a stream that has ended, in milliseconds. */
const lastWordsMs = 30_000;

/** Answers a request that came in so. Rejects when the answer could not be sent. */
export type Handler = (request: IncomingMessage, response: ServerResponse, origin: Origin) => Promise<void>;

/** Answers requests from the route table, once it is certain that they may ask that. */
export function createHandler(options: AdminOptions): Handler {
  const { logger, clock, access } = options;
  const tokenFile =
    access?.tokenFile === undefined ? undefined : new TokenFile(access.tokenFile, clock, logger);
  const table = new RouteTable(options);
  const names = ownNames(options);
  return async (request, response, origin) => {
    try {
      // No web page can reach a unix socket.
      if (origin !== 'socket') guard(request, names);
      const reply = await answer(request, origin, table, tokenFile);
      const { stream } = reply;
      if (stream === undefined) send(response, reply, clock);
      else await sendStream(request, response, { ...reply, stream }, clock);
    } catch (error) {
      if (request.destroyed && !request.complete) return;
      if (error instanceof Refusal) {
        for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
        send(response, jsonResponse({ error: error.message }, error.status), clock);
      } else if (response.headersSent) {
        logger.error('admin request failed', { url: request.url, error });
        response.destroy();
      } else {
        logger.error('admin request failed', { url: request.url, error });
        send(response, jsonResponse({ error: 'internal error' }, 500), clock);
      }
    }
  };
}

/** The standard routes, and the others once somebody asks for something else. */
class RouteTable {
  readonly #standard: readonly AdminRoute[];
  readonly #load: () => Promise<readonly AdminRoute[]>;
  #all: Promise<readonly AdminRoute[]> | undefined;

  constructor(options: AdminOptions) {
    this.#standard = standardRoutes(options, () => this.all());
    this.#load = options.routes ?? (() => Promise.resolve([]));
  }

  async find(
    method: string,
    path: string,
  ): Promise<{ route: AdminRoute; params: Readonly<Record<string, string>> }> {
    let match;
    try {
      match = matchRoute(this.#standard, method, path) ?? matchRoute(await this.all(), method, path);
    } catch (error) {
      if (error instanceof URIError) throw new Refusal(400, 'bad path');
      throw error;
    }
    if (!match) throw new Refusal(404, 'not found');
    if ('methods' in match) {
      throw new Refusal(405, 'method not allowed', { allow: [...new Set(match.methods)].join(', ') });
    }
    return match;
  }

  /** Whether any host may read it. */
  isOpen(path: string): boolean {
    return this.#standard.some((route) => route.isOpen && route.path === path);
  }

  all(): Promise<readonly AdminRoute[]> {
    this.#all ??= this.#load().then(
      (more) => [...this.#standard, ...more],
      (error: unknown) => {
        this.#all = undefined;
        throw error;
      },
    );
    return this.#all;
  }
}

/** Under which names it may be asked: whoever listens on a name means that name. */
function ownNames({ listen, allowedHosts = [] }: AdminOptions): readonly string[] {
  return [...allowedHosts, ...listen.flatMap((address) => ('socket' in address ? [] : [address.host]))];
}

function askerOf({ headers }: IncomingMessage): Asker {
  const one = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    origin: headers.origin,
    host: headers.host,
    site: one('sec-fetch-site'),
    mode: one('sec-fetch-mode'),
  };
}

function guard(request: IncomingMessage, names: readonly string[]): void {
  const asker = askerOf(request);
  if (!isOwnHost(asker.host, names))
    throw new Refusal(
      403,
      'unknown host name: ask by address, or by localhost; admin.allowed_hosts has others',
    );
  const may = isReading(request.method ?? '') ? mayRead(asker) : mayWrite(asker);
  if (!may) throw new Refusal(403, 'not from another site');
}

async function answer(
  request: IncomingMessage,
  origin: Origin,
  table: RouteTable,
  tokenFile: TokenFile | undefined,
): Promise<AdminResponse> {
  const { method = 'GET', url = '' } = request;
  const [, path, query] = /^(\/[^?#]*)(?:\?([^#]*))?/.exec(url) ?? [];
  if (path === undefined) throw new Refusal(400, 'bad request');
  const reads = isReading(method);
  // Others are not even told what there is.
  if (origin === 'network' && !(reads && table.isOpen(path))) await demandToken(request, tokenFile);
  const { route, params } = await table.find(method, path);
  if (origin === 'loopback' && (!reads || route.isPrivate === true))
    await demandToken(request, tokenFile, 'Reading this over TCP');
  if (origin !== 'socket' && route.hasEffect === true && !mayWrite(askerOf(request)))
    throw new Refusal(403, 'not from another site');
  return route.handle({
    method,
    path,
    params,
    query: new URLSearchParams(query ?? ''),
    body: reads ? Buffer.alloc(0) : await readBody(request),
    contentType: request.headers['content-type']?.toLowerCase(),
    cached: {
      etags: request.headers['if-none-match'],
      encodings: request.headersDistinct['accept-encoding']?.join(),
    },
  });
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

/** No browser keeps, guesses, frames or lends to other sites what is sent; JSON that it shows is no page. */
const protection = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

function send(
  response: ServerResponse,
  { status, contentType, body, headers }: AdminResponse,
  clock: Clock,
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const isEmpty = status === 304;
  response.writeHead(status, {
    ...protection,
    ...(!isEmpty && { 'content-type': contentType, 'content-length': bytes.length }),
    ...headers,
  });
  response.end(isEmpty ? undefined : bytes);
  limitReading(response, clock);
}

/** The end of one who reads nothing never comes: his connection is one of few. */
function limitReading(response: ServerResponse, clock: Clock): void {
  if (response.writableFinished || response.destroyed) return;
  const timer = clock.setTimeout(() => response.destroy(), lastWordsMs);
  response.once('close', () => timer.cancel());
}

/** Sends an answer that goes on until its stream settles, or its reader leaves. */
async function sendStream(
  request: IncomingMessage,
  response: ServerResponse,
  { status, contentType, body, headers, stream }: AdminResponse & Required<Pick<AdminResponse, 'stream'>>,
  clock: Clock,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  if (response.destroyed || request.method === 'HEAD') gone.abort();
  // A reader over a proxy must not wait for a buffer to fill.
  response.writeHead(status, {
    ...protection,
    'content-type': contentType,
    ...headers,
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  if (body.length > 0) response.write(body);
  await stream({
    write: (text) => !gone.signal.aborted && response.write(text),
    onDrain: (listener) => void response.on('drain', listener),
    signal: gone.signal,
  });
  response.end();
  limitReading(response, clock);
}
