// What nerveScale.ts has its agent check: a web server in a process of its own that notes when each path is asked for.
import { createServer } from 'node:http';
import { listenAnywhere } from '../harness/ports.ts';
import { percentile } from './statistics.ts';

/** What the checks of a stretch of time were like, in milliseconds. */
export interface Checked {
  readonly checks: number;
  /** By how much a check came later than its interval after the one before it. */
  readonly late: { readonly p50: number; readonly p99: number; readonly max: number };
}

const intervalMs = Number(process.argv[2]);
const last = new Map<string, number>();
let late: number[] = [];

const server = createServer((request, response) => {
  const now = performance.now();
  const path = request.url ?? '';
  const before = last.get(path);
  if (before !== undefined) late.push(now - before - intervalMs);
  last.set(path, now);
  response.end('ok');
});
const port = await listenAnywhere(server);
// Each question ends one stretch and begins the next.
process.on('message', () => {
  const checked: Checked = {
    checks: late.length,
    late: { p50: percentile(late, 0.5), p99: percentile(late, 0.99), max: percentile(late, 1) },
  };
  process.send?.(checked);
  late = [];
});
process.send?.(port);
