import { membership } from '../networks.js';
import type { TapRequest } from './shapes.js';

/** Which requests are wanted: all that is given must fit. */
export interface TapFilter {
  readonly methods?: readonly string[] | undefined;
  /** The beginning of a path; with a `*`, which stands for anything, the whole of it. */
  readonly path?: string | undefined;
  /** Statuses such as 404, or classes such as 5xx. */
  readonly statuses?: readonly string[] | undefined;
  /** Seconds to the headers; where there were none, to the end. */
  readonly minLatency?: number | undefined;
  /** An address, or a network such as 10.0.0.0/8. */
  readonly source?: string | undefined;
  /** The beginning of a server's name, or with `*` the whole of it. */
  readonly server?: string | undefined;
}

/** Whether `text` is as the pattern says, in which `*` stands for anything. Takes no longer than their lengths multiplied. */
function fits(pattern: string, text: string): boolean {
  const [first = '', ...others] = pattern.split('*');
  if (!text.startsWith(first)) return false;
  const last = others.pop();
  if (last === undefined) return true;
  let at = first.length;
  for (const part of others) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** Makes the test of a filter; its `source` must have no problem. */
export function filterOf(filter: TapFilter): (request: TapRequest) => boolean {
  const { path, minLatency, server } = filter;
  const methods = filter.methods && new Set(filter.methods.map((method) => method.toUpperCase()));
  const statuses = filter.statuses?.map((status) => status.toLowerCase());
  const isWithin = filter.source === undefined ? undefined : membership([filter.source]);
  return (request) => {
    if (methods !== undefined && !methods.has(request.method ?? '')) return false;
    if (statuses !== undefined && !statuses.some((status) => isStatus(status, request.status))) return false;
    if (minLatency !== undefined && (request.latency ?? request.duration ?? 0) < minLatency) return false;
    if (path !== undefined && (request.path === null || !fits(path, request.path))) return false;
    if (server !== undefined && (request.server === null || !fits(server, request.server))) return false;
    return isWithin?.(request.source) ?? true;
  };
}

function isStatus(wanted: string, status: number): boolean {
  return wanted.endsWith('xx')
    ? Math.floor(status / 100) === Number(wanted.slice(0, 1))
    : status === Number(wanted);
}
