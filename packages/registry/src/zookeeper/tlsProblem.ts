import { describeError } from '@smartstack/agent';

const untrusted = new Set([
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** What went wrong with a socket, in words that name the setting to look at; OpenSSL's own name a line of its source. */
export function describeSocketError(error: Error): string {
  const { code = '', reason } = error as NodeJS.ErrnoException & { readonly reason?: string };
  if (untrusted.has(code))
    return `the server's certificate is signed by no authority of ca_file (without it: of Node): ${describeError(error)}`;
  if (reason === undefined || !code.startsWith('ERR_SSL_')) return describeError(error);
  const [, alert] = /alert (.*)$/.exec(reason) ?? [];
  if (alert !== undefined && /certificate|unknown ca|handshake failure|access denied/.test(alert))
    return `the server refuses our certificate, or wants one (cert_file): ${alert}`;
  if (reason === 'wrong version number') return 'the server does not speak TLS on this port';
  return `TLS: ${reason}`;
}
