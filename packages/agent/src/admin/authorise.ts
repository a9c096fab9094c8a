import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { Refusal } from './refusal.js';
import type { TokenFile } from './tokenFile.js';
import type { AdminAddress } from './types.js';

/** How a request came in: over a unix socket, from this host only, or possibly from another. */
export type Origin = 'socket' | 'loopback' | 'network';

/** What requests that come in at an address have to be taken for. */
export function originOf(address: AdminAddress): Origin {
  if ('socket' in address) return 'socket';
  const { host } = address;
  if (host === 'localhost' || host === '::1') return 'loopback';
  return isIP(host) === 4 && host.startsWith('127.') ? 'loopback' : 'network';
}

/** Whether a method leaves everything as it is. */
export function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Throws Refusal 401 or 403 unless the request carries the token; `reading` says what a request that reads does. */
export async function demandToken(
  request: IncomingMessage,
  tokenFile: TokenFile | undefined,
  reading = 'Reading over the network',
): Promise<void> {
  if (tokenFile === undefined) {
    const what = isReading(request.method ?? '') ? reading : 'Changing something over TCP';
    throw new Refusal(
      403,
      `${what} needs a token, and there is none: set admin.token_file, or use a unix socket (admin.listen)`,
    );
  }
  const headers = request.headersDistinct.authorization ?? [];
  if (headers.length > 1) throw new Refusal(400, 'authorization: sent more than once');
  const [, token = ''] = /^Bearer +([\x21-\x7e]+) *$/i.exec(headers[0] ?? '') ?? [];
  const verdict = await tokenFile.judge(token);
  switch (verdict.kind) {
    case 'right':
      return;
    case 'unusable':
      throw new Refusal(403, `The token file (admin.token_file) cannot be used: ${verdict.problem}`);
    case 'wrong': {
      const problem =
        token === '' ? 'This needs the token: Authorization: Bearer TOKEN' : 'The token is not the right one';
      throw new Refusal(401, problem, { 'www-authenticate': 'Bearer' });
    }
  }
}
