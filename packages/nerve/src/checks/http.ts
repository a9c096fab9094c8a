import {
  type ClientRequest,
  type IncomingMessage,
  request as requestPlain,
  type RequestOptions,
} from 'node:http';
import { request as requestTls } from 'node:https';
import type { SecureContext, TLSSocket } from 'node:tls';
import { type Clock, describeError, type Timer } from '@smartstack/agent';
import type { CheckResult } from '../health/health.js';
import { Authorities, authoritiesProblems } from './authorities.js';
import { defineCheck, failed, target } from './check.js';
import { startDeadline } from './deadline.js';
import { BodyJudge } from './httpBody.js';
import { httpConflicts, type HttpOptions, httpOptions, type StatusRange } from './httpOptions.js';
import { noteConnected, noteSecured, tracedLookup } from './connecting.js';
import { names } from './names.js';
import type { Trace } from './trace.js';

/** Ruby's. */
const goodStatuses: readonly StatusRange[] = [[200, 399]];

/**
 * Passes when a request for `uri` is answered with one of `expect_status`, and with `expect` in the
 * body if given. Never follows a redirect, never keeps a connection.
 */
export const httpCheck = defineCheck({
  type: 'http',
  options: httpOptions,
  conflicts: httpConflicts,
  problems: ({ tlsCaFile }, asked) => authoritiesProblems(tlsCaFile, asked),
  create: (options, context) => {
    const { clock } = context;
    const { host, port } = target(options, context);
    const { unixSocket, tlsCaFile } = options;
    const limits = {
      openMs: options.openTimeout * 1000,
      tlsMs: options.ssl ? options.sslTimeout * 1000 : 0,
      readMs: (options.readTimeout ?? options.timeout) * 1000,
    };
    const authorities = tlsCaFile === undefined ? undefined : new Authorities(tlsCaFile, clock);
    const statuses = options.expectStatus ?? goodStatuses;
    return {
      name: options.name ?? `http-${unixSocket ?? `${host}:${port}`}${options.uri}`,
      deadlineMs: limits.openMs + limits.tlsMs + limits.readMs,
      probe: async (signal, trace) => {
        if (tlsCaFile !== undefined) trace?.step('authorities', tlsCaFile);
        const trusted = await authorities?.current();
        const send = (): ClientRequest => ask(options, { host, port }, trusted?.context, trace);
        const asked = `${options.method} ${options.uri}`;
        return await exchange(
          send,
          { asked, statuses, expect: options.expect },
          limits,
          clock,
          signal,
          trace,
        );
      },
    };
  },
});

function ask(
  options: HttpOptions,
  address: { readonly host: string; readonly port: number },
  trusted: SecureContext | undefined,
  trace: Trace | undefined,
): ClientRequest {
  if (options.unixSocket !== undefined) trace?.step('connect', options.unixSocket);
  const { unixSocket, hostHeader, tlsServerName } = options;
  const plain: RequestOptions = {
    ...address,
    ...(unixSocket === undefined ? {} : { socketPath: unixSocket }),
    method: options.method,
    path: options.uri,
    headers: {
      accept: '*/*',
      'user-agent': 'nerve',
      ...(hostHeader === undefined ? {} : { host: hostHeader }),
      ...options.headers,
    },
    agent: false,
    lookup: unixSocket === undefined ? tracedLookup(address, trace) : names.lookup,
  };
  if (!options.ssl) return requestPlain(plain);
  return requestTls({
    ...plain,
    rejectUnauthorized: options.tlsVerify,
    ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
    ...(trusted === undefined ? {} : { secureContext: trusted }),
  });
}

/** What an answer must be. */
interface Wanted {
  /** For people: what is sent. */
  readonly asked: string;
  readonly statuses: readonly StatusRange[];
  readonly expect: string | undefined;
}

interface Limits {
  readonly openMs: number;
  readonly tlsMs: number;
  readonly readMs: number;
}

function exchange(
  send: () => ClientRequest,
  wanted: Wanted,
  limits: Limits,
  clock: Clock,
  signal: AbortSignal,
  trace: Trace | undefined,
): Promise<CheckResult> {
  if (signal.aborted) return Promise.resolve(failed('aborted'));
  return new Promise((resolve) => {
    const request = send();
    const body = new BodyJudge(wanted.expect);
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
    const read = (): void => {
      enter(limits.readMs, () => body.atDeadline(limits.readMs));
      trace?.step('request', wanted.asked);
    };

    signal.addEventListener('abort', () => settle({ ok: false, reason: 'aborted' }), { once: true });
    enter(limits.openMs, () => failed(`not connected within ${limits.openMs / 1000} s`));
    request.once('socket', (socket) => {
      socket.once('connect', () => {
        noteConnected(socket, trace);
        if (limits.tlsMs === 0) {
          read();
          return;
        }
        enter(limits.tlsMs, () => failed(`no TLS session within ${limits.tlsMs / 1000} s`));
        trace?.step('tls');
      });
      socket.once('secureConnect', () => {
        noteSecured(socket as TLSSocket, trace);
        read();
      });
    });
    if (trace !== undefined) request.once('finish', () => trace.step('answer'));
    request.on('error', (error) => settle(failed(describeError(error))));
    request.once('upgrade', () => settle(failed('answered 101')));
    request.once('response', (response) => judge(response, wanted.statuses, body, settle, trace));
    request.end();
  });
}

function judge(
  response: IncomingMessage,
  statuses: readonly StatusRange[],
  body: BodyJudge,
  settle: (result: CheckResult) => void,
  trace: Trace | undefined,
): void {
  const status = response.statusCode ?? 0;
  if (!statuses.some(([from, to]) => from <= status && status <= to)) {
    settle(failed(`answered ${status}`));
    return;
  }
  trace?.note(`status ${status}`);
  trace?.step('body');
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
