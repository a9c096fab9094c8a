import * as z from 'zod';
import type { CamelKeys } from '../config/camel.js';
import { absolutePath, listOf, optional, seconds, withDefault } from '../config/values.js';
import type { OptionProblem } from './check.js';
import { serverName } from './tlsOptions.js';

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'expected the name of a header');
const headerValue = z
  .union([z.string(), z.number(), z.boolean()])
  .transform(String)
  .pipe(z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'expected the value of a header, on one line'));

/** Not those with which a server may go on for ever (CONNECT), or that echo what they get (TRACE). */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Statuses from the first to the second. */
export type StatusRange = readonly [from: number, to: number];

const statusText = 'expected a status from 200 to 599, or a range such as 200-299';
const statusRange = z
  .union([z.number().transform(String), z.string()])
  .pipe(z.string().regex(/^[2-5]\d\d(-[2-5]\d\d)?$/, statusText))
  .transform((text): StatusRange => {
    const [from, to = from] = text.split('-').map(Number);
    return [from ?? 0, to ?? 0];
  })
  .refine(([from, to]) => from <= to, statusText);

/** The longest path of a socket that the kernel takes. */
const maxSocketPath = 107;

/** The options of `http` as they stand in a file. */
export const httpOptions = {
  uri: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'expected a path in printable ASCII, everything else percent-encoded')
    .describe('What to ask for, for instance /health.'),
  method: withDefault(z.enum(methods), 'GET').describe('How to ask. HEAD spares the server the body.'),
  host_header: optional(
    z.string().regex(/^[A-Za-z0-9._:[\]-]+$/, 'expected a host, with or without a port'),
  ).describe('The Host to ask for; host and port by default.'),
  headers: withDefault(z.record(headerName, headerValue), {}).describe('Headers to send.'),
  unix_socket: optional(
    absolutePath.refine(
      (path) => Buffer.byteLength(path) <= maxSocketPath,
      `expected a path of at most ${maxSocketPath} bytes`,
    ),
  ).describe('The path of a socket to connect to, in place of host and port.'),
  expect_status: optional(listOf(statusRange)).describe(
    'The statuses that pass, each a number or a range such as 200-299; 200-399 by default.',
  ),
  expect: optional(z.coerce.string()).describe('Text that the body must contain.'),
  ssl: withDefault(z.boolean(), false).describe('Use TLS.'),
  tls_verify: withDefault(z.boolean(), false).describe(
    "Verify the server's certificate. Not by default, as in Ruby.",
  ),
  tls_ca_file: optional(absolutePath).describe("Authorities to trust, in PEM; Node's own by default."),
  tls_server_name: optional(serverName).describe(
    'The name to ask for, which the certificate must carry; the Host by default.',
  ),
  timeout: withDefault(seconds, 0.1).describe('Default of read_timeout. Does not govern open_timeout.'),
  open_timeout: withDefault(seconds, 0.2).describe('Seconds to resolve the name and to connect.'),
  ssl_timeout: withDefault(seconds, 0.2).describe('Seconds for the TLS handshake.'),
  read_timeout: optional(seconds).describe('Seconds from the request sent to the last byte needed.'),
} as const;

/** The same, as the code sees them. */
export type HttpOptions = CamelKeys<z.output<z.ZodObject<typeof httpOptions>>>;

interface Address {
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** Options that do not go together. */
export function httpConflicts(options: HttpOptions & Address): readonly OptionProblem[] {
  const { unixSocket, hostHeader, headers, method, expect, ssl, tlsVerify, tlsCaFile, tlsServerName } =
    options;
  const problems: OptionProblem[] = [];
  const refuse = (wrong: boolean, key: string, message: string): void => {
    if (wrong) problems.push({ key, message });
  };
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'host');
  refuse(hostHeader !== undefined && named, 'host_header', 'headers have a Host already');
  refuse(method === 'HEAD' && expect !== undefined && expect !== '', 'expect', 'HEAD has no body');
  refuse(unixSocket !== undefined && options.host !== undefined, 'host', 'unix_socket is tested instead');
  refuse(unixSocket !== undefined && options.port !== undefined, 'port', 'unix_socket is tested instead');
  refuse(tlsVerify && !ssl, 'tls_verify', 'needs ssl: true');
  refuse(tlsCaFile !== undefined && !tlsVerify, 'tls_ca_file', 'needs tls_verify: true');
  refuse(tlsServerName !== undefined && !ssl, 'tls_server_name', 'needs ssl: true');
  return problems;
}
