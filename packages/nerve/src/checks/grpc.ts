import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { isIPv6, type Socket } from 'node:net';
import { describeError } from '@smartstack/agent';
import * as z from 'zod';
import { seconds, withDefault } from '../config/values.js';
import type { CheckResult } from '../health/health.js';
import { authoritiesProblems } from './authorities.js';
import { defaultName, defineCheck, failed, target } from './check.js';
import { oneLine } from './oneLine.js';
import { codeName, decodeResponse, encodeRequest, healthPath, maxAnswer } from './grpcHealth.js';
import { openSocket } from './sockets.js';
import type { Trace } from './trace.js';
import { tlsConflicts, tlsOptions, tlsSource } from './tlsOptions.js';

/** Of all that the peer sends: HTTP/2 has settings, headers and windows around the answer. */
const maxBytes = 256 * 1024;

/** Passes when the standard health service (grpc.health.v1) says SERVING. */
export const grpcCheck = defineCheck({
  type: 'grpc',
  options: {
    grpc_service: withDefault(z.string().max(256), '').describe(
      'The service to ask about; by default the server as a whole.',
    ),
    ...tlsOptions,
    timeout: withDefault(seconds, 1).describe('Seconds for all of it, from connecting to the last answer.'),
  },
  conflicts: tlsConflicts,
  problems: ({ tlsCaFile }, asked) => authoritiesProblems(tlsCaFile, asked),
  create: (options, context) => {
    const { clock } = context;
    const address = target(options, context);
    const tls = tlsSource(options, address.host, clock);
    const host = options.tlsServerName ?? address.host;
    const authority = `${isIPv6(host) ? `[${host}]` : host}:${address.port}`;
    const head: OutgoingHttpHeaders = {
      ':method': 'POST',
      ':scheme': options.tls ? 'https' : 'http',
      ':authority': authority,
      ':path': healthPath,
      'content-type': 'application/grpc',
      'grpc-timeout': `${Math.ceil(options.timeout * 1000)}m`,
      te: 'trailers',
      'user-agent': 'nerve',
    };
    return {
      name: options.name ?? defaultName('grpc', options, context),
      deadlineMs: options.timeout * 1000,
      probe: async (signal, trace) => {
        if (options.tlsCaFile !== undefined) trace?.step('authorities', options.tlsCaFile);
        // Loaded by those who need it: it costs each start some milliseconds.
        const { connect } = await import('node:http2');
        const socket = await openSocket({
          ...{ ...address, clock, signal, maxBytes, tls: await tls(), alpn: ['h2'], trace },
        });
        const session = connect(`${options.tls ? 'https' : 'http'}://${authority}`, {
          createConnection: () => socket,
          settings: { enablePush: false },
        });
        const asked = `${healthPath}${options.grpcService && ` for ${options.grpcService}`}`;
        trace?.step('request', asked);
        return await call(session, socket, head, encodeRequest(options.grpcService), trace);
      },
    };
  },
});

function call(
  session: ClientHttp2Session,
  socket: Socket,
  head: OutgoingHttpHeaders,
  body: Buffer,
  trace: Trace | undefined,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const settle = (result: CheckResult): void => {
      session.destroy();
      socket.destroy();
      resolve(result);
    };
    const broke = (error: Error): void => settle(failed(describeError(error)));
    session.on('error', broke);
    session.once('close', () => settle(failed('the peer closed the connection')));
    // Where the session learns nothing of it: the socket was destroyed from outside.
    socket.once('close', () => settle(failed('the connection was closed')));
    const stream = session.request(head);
    const chunks: Buffer[] = [];
    let length = 0;
    let last: IncomingHttpHeaders = {};
    let refusal: string | undefined;
    stream.on('error', broke);
    stream.on('response', (headers) => {
      last = headers;
      const status = Number(headers[':status']);
      trace?.step('answer', `status ${status}`);
      if (status !== 200) refusal = `answered ${status}`;
    });
    stream.on('trailers', (trailers: IncomingHttpHeaders) => (last = trailers));
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxAnswer) settle(failed(`answered more than ${maxAnswer} bytes`));
      else chunks.push(chunk);
    });
    stream.on('end', () =>
      settle(refusal === undefined ? judge(last, Buffer.concat(chunks), trace) : failed(refusal)),
    );
    stream.end(body);
  });
}

function judge(trailers: IncomingHttpHeaders, answer: Buffer, trace: Trace | undefined): CheckResult {
  const code = String(trailers['grpc-status']);
  trace?.note(`grpc-status ${codeName(code)}`);
  if (code !== '0') {
    const said = oneLine(readMessage(trailers['grpc-message']).slice(0, 200));
    return failed(`answered ${codeName(code)}${said && `: ${said}`}`);
  }
  try {
    const status = decodeResponse(answer);
    trace?.note(status);
    return status === 'SERVING' ? { ok: true } : failed(`the service is ${status}`);
  } catch (error) {
    return failed(describeError(error));
  }
}

/** A message in a header is percent-encoded. */
function readMessage(value: string | string[] | undefined): string {
  const text = String(value ?? '');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
