import type { AdminAddress } from './types.js';

/** As the kernel has it (`sun_path`). */
const maxSocketBytes = 107;

/** What a text means as an address, or what is wrong with it. */
export type ParsedAddress =
  { readonly ok: true; readonly address: AdminAddress } | { readonly ok: false; readonly problem: string };

/** Reads `/path/of.sock`, `host:port` or `[::1]:port`. */
export function parseAddress(text: string): ParsedAddress {
  const bytes = Buffer.byteLength(text);
  if (text.startsWith('/') && bytes > maxSocketBytes) {
    const problem = `too long for the path of a socket: ${bytes} bytes, at most ${maxSocketBytes}`;
    return { ok: false, problem };
  }
  if (text.startsWith('/')) return { ok: true, address: { socket: text } };
  const [, bracketed, plain, port] = /^(?:\[([0-9A-Fa-f:]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) <= 65_535)
    return { ok: true, address: { host, port: Number(port) } };
  return { ok: false, problem: 'expected host:port or the path of a socket' };
}
