import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';

/** A counter with labels in Prometheus's text, summed over the series that hold `labels`. */
export function read(metrics: string, name: string, labels = ''): number {
  const lines = metrics.split('\n').filter((line) => line.startsWith(`${name}{`) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Scrapes all the time, and remembers every counter of traffic that fell, or was gone in the end. */
export function watchCounters(scrape: () => Promise<string>) {
  const before = new Map<string, number>();
  const fallen: string[] = [];
  const state = { stopped: false, scrapes: 0 };
  const running = (async () => {
    while (!state.stopped) {
      for (const line of (await scrape()).split('\n')) {
        const [, series = '', value] = /^(smartstack_\w+_total\{.*\}) (\S+)$/.exec(line) ?? [];
        if (value === undefined) continue;
        if (Number(value) < (before.get(series) ?? 0)) fallen.push(`${line}, after ${before.get(series)}`);
        before.set(series, Number(value));
      }
      state.scrapes += 1;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    const last = await scrape();
    for (const series of before.keys()) if (!last.includes(`${series} `)) fallen.push(`${series} is gone`);
  })();
  return {
    get count(): number {
      return state.scrapes;
    },
    /** What fell. */
    stop: async (): Promise<readonly string[]> => {
      state.stopped = true;
      await running;
      return fallen;
    },
  };
}

/** An upstream that answers when told, behind a service of its own. */
export interface Slow {
  /** Of the service's frontend. */
  readonly port: number;
  readonly upstreamPort: number;
  /** Resolves when the request waits for its answer. */
  request(): Promise<{ readonly status: Promise<number> }>;
  /** Answers the oldest ones that wait, all unless told. */
  answer(count?: number): void;
  stop(): Promise<void>;
}

/** Starts it; `onRequest` is called with each request. */
export async function startSlow(onRequest: () => void): Promise<Slow> {
  const waiting: ServerResponse[] = [];
  const server = createServer((_, response) => void waiting.push(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.6.9', resolve));
  const port = await freePort();
  return {
    port,
    upstreamPort: (server.address() as AddressInfo).port,
    request: async () => {
      onRequest();
      const before = waiting.length;
      const status = fetch(`http://127.0.0.1:${port}/`).then((response) => response.status);
      await eventually(() => waiting.length > before, { what: 'the request waits', timeoutMs: 10_000 });
      return { status };
    },
    answer: (count = waiting.length) => waiting.splice(0, count).forEach((response) => response.end('late')),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
