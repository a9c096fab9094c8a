import * as z from 'zod';
import type { AdminAddress } from './types.js';

/** As the kernel has it (`sun_path`). */
const maxSocketBytes = 107;

const place = z.string().transform((text, context): AdminAddress => {
  const bytes = Buffer.byteLength(text);
  if (text.startsWith('/') && bytes > maxSocketBytes) {
    const message = `too long for the path of a socket: ${bytes} bytes, at most ${maxSocketBytes}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  }
  if (text.startsWith('/')) return { socket: text };
  const [, bracketed, plain, port] = /^(?:\[([0-9A-Fa-f:]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) };
  context.addIssue({ code: 'custom', message: 'expected host:port, the path of a socket, or false' });
  return z.NEVER;
});

/** The `admin` key of an agent's own settings; its output is where to listen (nowhere: an empty list). */
export function adminSettings(defaultListen: string) {
  return z
    .strictObject({
      listen: z
        .union([z.literal(false), place, z.array(place).min(1)])
        .nullish()
        .meta({ default: defaultListen })
        .describe(
          'Where /healthz, /readyz, /metrics and /status are served: host:port, the path of a unix socket, or a list of them; false for nowhere.',
        ),
    })
    .nullish()
    .transform((admin): readonly AdminAddress[] => {
      const listen = admin?.listen ?? place.parse(defaultListen);
      if (listen === false) return [];
      return Array.isArray(listen) ? listen : [listen];
    })
    .describe("The agent's own HTTP server.");
}

/** Where an agent serves its admin API. */
export type AdminSettings = readonly AdminAddress[];
