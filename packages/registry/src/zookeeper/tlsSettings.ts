import * as z from 'zod';

const file = () => z.string().min(1).startsWith('/', 'expected an absolute path');

/** How to speak TLS with an ensemble. Files are PEM, and are read anew for each connection. */
export interface ZkTls {
  /** Authorities to trust; Node's own by default. */
  readonly caFile?: string | undefined;
  /** Our certificate, and its key: both or neither. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The name that the server's certificate must carry; the host's own by default. */
  readonly serverName?: string | undefined;
  /** Whether the server's certificate is verified; true by default. */
  readonly verify?: boolean | undefined;
}

/** TLS as both agents' configurations have it. */
export const tlsSettings = () =>
  z
    .strictObject({
      ca_file: file().nullish().describe("Authorities to trust, in PEM; Node's own by default."),
      cert_file: file().nullish().describe('Our certificate, in PEM.'),
      key_file: file().nullish().describe('Its key, in PEM.'),
      server_name: z
        .string()
        .min(1)
        .max(255)
        .regex(/^[A-Za-z0-9._:%-]+$/, 'expected a host name or an address')
        .nullish()
        .describe('The name that the certificate must carry.'),
      verify: z.boolean().nullish().meta({ default: true }).describe('Whether to verify the certificate.'),
    })
    .superRefine(({ cert_file: cert, key_file: key }, context) => {
      if ((cert ?? undefined) !== undefined && (key ?? undefined) === undefined)
        context.addIssue({ code: 'custom', path: ['cert_file'], message: 'needs a key_file' });
      if ((key ?? undefined) !== undefined && (cert ?? undefined) === undefined)
        context.addIssue({ code: 'custom', path: ['key_file'], message: 'needs a cert_file' });
    })
    .transform((keys): ZkTls => ({
      caFile: keys.ca_file ?? undefined,
      certFile: keys.cert_file ?? undefined,
      keyFile: keys.key_file ?? undefined,
      serverName: keys.server_name ?? undefined,
      verify: keys.verify ?? true,
    }));
