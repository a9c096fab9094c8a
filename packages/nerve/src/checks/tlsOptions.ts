import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '@smartstack/agent';
import * as z from 'zod';
import { absolutePath, optional, withDefault } from '../config/values.js';
import { Authorities, type Trust } from './authorities.js';
import type { OptionProblem } from './check.js';

/** A name only: TLS knows no addresses there. */
export const serverName = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'expected a host name')
  .refine((name) => isIP(name) === 0, 'expected a host name, not an address');

/** The options for TLS of checks that are ours alone: they verify unless told not to. */
export const tlsOptions = {
  tls: withDefault(z.boolean(), false).describe('Use TLS.'),
  tls_verify: withDefault(z.boolean(), true).describe("Verify the server's certificate."),
  tls_ca_file: optional(absolutePath).describe("Authorities to trust, in PEM; Node's own by default."),
  tls_server_name: optional(serverName).describe(
    'The name to ask for, which the certificate must carry; the host by default.',
  ),
} as const;

/** The same, as the code sees them. */
export interface TlsSettings {
  readonly tls: boolean;
  readonly tlsVerify: boolean;
  readonly tlsCaFile: string | undefined;
  readonly tlsServerName: string | undefined;
}

/** Options for TLS that do not go together. */
export function tlsConflicts({ tls, tlsVerify, ...rest }: TlsSettings): readonly OptionProblem[] {
  const problems: OptionProblem[] = [];
  const refuse = (wrong: boolean, key: string, message: string): void => {
    if (wrong) problems.push({ key, message });
  };
  refuse(rest.tlsCaFile !== undefined && !tls, 'tls_ca_file', 'needs tls: true');
  refuse(rest.tlsCaFile !== undefined && tls && !tlsVerify, 'tls_ca_file', 'needs tls_verify: true');
  refuse(rest.tlsServerName !== undefined && !tls, 'tls_server_name', 'needs tls: true');
  return problems;
}

/** How one check speaks TLS. */
export interface Tls {
  /** The name that the certificate must carry; an address where the check has no name. */
  readonly name: string;
  readonly verify: boolean;
  /** Node's own authorities when undefined. */
  readonly trust: Trust | undefined;
}

/** Says how a check speaks TLS, now: its authorities may be replaced. Undefined: it does not. */
export function tlsSource(settings: TlsSettings, host: string, clock: Clock): () => Promise<Tls | undefined> {
  if (!settings.tls) return () => Promise.resolve(undefined);
  const { tlsVerify: verify, tlsCaFile, tlsServerName: name = host } = settings;
  const authorities = tlsCaFile === undefined ? undefined : new Authorities(tlsCaFile, clock);
  return async () => ({ name, verify, trust: await authorities?.current() });
}

/** The same for Node's `tls.connect`. */
export function connectionOptions({ name, verify, trust }: Tls): ConnectionOptions {
  return {
    rejectUnauthorized: verify,
    // An address is not asked for by name (RFC 6066), but verified all the same.
    ...(isIP(name) === 0 ? { servername: name } : { host: name }),
    ...(trust === undefined ? {} : { secureContext: trust.context }),
  };
}
