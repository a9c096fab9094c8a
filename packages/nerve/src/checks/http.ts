import { type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { type Clock, describeError, type Timer } from '@smartstack/agent';
import * as z from 'zod';
import { optional, seconds, withDefault } from '../config/values.js';
import type { CheckResult } from '../health/health.js';
import { defineCheck, target } from './check.js';
import { startDeadline } from './deadline.js';
import { BodyJudge } from './httpBody.js';
import { names } from './names.js';

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'expected the name of a header');
const headerValue = z
  .union([z.string(), z.number(), z.boolean()])
  .transform(String)
  .pipe(z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'expected the value of a header, on one line'));

/**
 * Passes when a GET of `uri` is answered with 200 to 399, and with `expect` in the body if given.
 * Never follows a redirect, never keeps a connection.
 */
export const httpCheck = defineCheck({
  type: 'http',
  options: {
    uri: z
      .string()
      .regex(/^[\x21-\x7e]+$/, 'expected a path in printable ASCII, everything else percent-encoded')
      .describe('What to ask for, for instance /health.'),
    ssl: withDefault(z.boolean(), false).describe('Use TLS. Certificates are not verified, as in Ruby.'),
    timeout: withDefault(seconds, 0.1).describe('Default of read_timeout. Does not govern open_timeout.'),
    open_timeout: withDefault(seconds, 0.2).describe('Seconds to resolve the name and to connect.'),
    ssl_timeout: withDefault(seconds, 0.2).describe('Seconds for the TLS handshake.'),
    read_timeout: optional(seconds).describe('Seconds from the request sent to the last byte needed.'),
    headers: withDefault(z.record(headerName, headerValue), {}).describe('Headers to send.'),
    expect: optional(z.coerce.string()).describe('Text that the body must contain.'),
  },
  create: (options, context) => {
    const { host, port } = target(options, context);
    const limits = {
      openMs: options.openTimeout * 1000,
      tlsMs: options.ssl ? options.sslTimeout * 1000 : 0,
      readMs: (options.readTimeout ?? options.timeout) * 1000,
    };
    const send = (): ClientRequest =>
      (options.ssl ? requestTls : requestPlain)({
        host,
        port,
        path: options.uri,
        headers: { accept: '*/*', 'user-agent': 'nerve', ...options.headers },
        agent: false,
        lookup: names.lookup,
        rejectUnauthorized: false,
      });
    return {
      name: options.name ?? `http-${host}:${port}${options.uri}`,
      deadlineMs: limits.openMs + limits.tlsMs + limits.readMs,
      probe: (signal) => exchange(send, options.expect, limits, context.clock, signal),
    };
  },
});

interface Limits {
  readonly openMs: number;
  readonly tlsMs: number;
  readonly readMs: number;
}

function exchange(
  send: () => ClientRequest,
  expect: string | undefined,
  limits: Limits,
  clock: Clock,
  signal: AbortSignal,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const request = send();
    const body = new BodyJudge(expect);
    let phase: Timer | undefined;
    let settled = false;
    const settle = (result: CheckResult): void => {
      settled = true;
      phase?.cancel();
      request.destroy();
      resolve(result);
    };
    const enter = (limitMs: number, expired: () => CheckResult): void => {
      if (settled) return;
      phase?.cancel();
      phase = startDeadline(clock, limitMs, () => settle(expired()));
    };
    const read = (): void => enter(limits.readMs, () => body.atDeadline(limits.readMs));

    signal.addEventListener('abort', () => settle({ ok: false, reason: 'aborted' }), { once: true });
    enter(limits.openMs, () => failed(`not connected within ${limits.openMs / 1000} s`));
    request.once('socket', (socket) => {
      socket.once('connect', () => {
        if (limits.tlsMs === 0) read();
        else enter(limits.tlsMs, () => failed(`no TLS session within ${limits.tlsMs / 1000} s`));
      });
      socket.once('secureConnect', read);
    });
    request.on('error', (error) => settle(failed(describeError(error))));
    request.once('upgrade', () => settle(failed('answered 101')));
    request.once('response', (response) => judge(response, body, settle));
    request.end();
  });
}

function judge(response: IncomingMessage, body: BodyJudge, settle: (result: CheckResult) => void): void {
  const status = response.statusCode ?? 0;
  if (status < 200 || status >= 400) {
    settle(failed(`answered ${status}`));
    return;
  }
  body.begin();
  response.on('data', (chunk: Buffer) => {
    const verdict = body.add(chunk);
    if (verdict !== undefined) settle(verdict);
  });
  response.once('end', () => settle(body.atEnd()));
  response.on('error', (error) =>
    settle(failed(`cut off in the middle of the body: ${describeError(error)}`)),
  );
}

function failed(reason: string): CheckResult {
  return { ok: false, reason };
}
