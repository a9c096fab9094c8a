import { isIP } from 'node:net';

/**
 * True when a Host header cannot come from a web page that resolves its own name to this machine (DNS
 * rebinding): an address, localhost, or a name that the operator allows. Absent is fine (HTTP/1.0).
 */
export function isOwnHost(host: string | undefined, allowed: readonly string[] = []): boolean {
  if (host === undefined) return true;
  const name = hostName(host);
  if (name === undefined) return false;
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  return allowed.some((one) => one.toLowerCase() === name);
}

/**
 * True when a request that changes something does not come from a page of another site. Programs send
 * neither of these headers; browsers send both.
 */
export function isOwnOrigin(
  headers: { readonly origin?: string | undefined; readonly site?: string | undefined },
  allowed: readonly string[] = [],
): boolean {
  if (headers.site !== undefined && headers.site !== 'same-origin' && headers.site !== 'none') return false;
  if (headers.origin === undefined) return true;
  const host = /^https?:\/\/([^/]+)$/.exec(headers.origin)?.[1];
  return host !== undefined && isOwnHost(host, allowed);
}

/** The lower-case name or address in `name`, `name:port`, `[address]` or `[address]:port`. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}
