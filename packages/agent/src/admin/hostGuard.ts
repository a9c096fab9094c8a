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

/** What a request says of where it comes from. Programs send none of it but `host`; browsers send the rest. */
export interface Asker {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  /** Sec-Fetch-Site and Sec-Fetch-Mode. */
  readonly site?: string | undefined;
  readonly mode?: string | undefined;
}

/** Whether a request that changes something comes from no page, or from our own: the same name and the same port. */
export function mayWrite({ host, origin, site }: Asker): boolean {
  if (!isOwnSite(site)) return false;
  if (origin === undefined) return true;
  const from = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase();
  return from !== undefined && from === host?.toLowerCase();
}

/**
 * The same of a request that only reads. A browser shows a page of another site no answer of ours, but that page could
 * still load one as a picture or a script, and time it. It may link to us: that is a navigation.
 */
export function mayRead({ site, mode }: Asker): boolean {
  return isOwnSite(site) || mode === 'navigate';
}

function isOwnSite(site: string | undefined): boolean {
  return site === undefined || site === 'same-origin' || site === 'none';
}

/** The lower-case name or address in `name`, `name:port`, `[address]` or `[address]:port`. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}
