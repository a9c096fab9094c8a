import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, startProcess } from './childProcess.ts';
import { eventually } from './eventually.ts';
import { makeTempDir, removeTempDir } from './tempDir.ts';

/** What wrk measured, at the client. Latencies in seconds. */
export interface WrkResult {
  /** Responses that came. */
  readonly requests: number;
  /** Microseconds from the first to the last. */
  readonly durationUs: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Connections and reads that failed, and answers other than 2xx and 3xx. */
  readonly errors: { readonly socket: number; readonly status: number };
}

export interface WrkOptions {
  readonly port: number;
  /** Each with its connections. */
  readonly threads: number;
  /** In all; a multiple of `threads`. */
  readonly connections: number;
  /**
   * Each thread ends after so many responses. With one connection each nothing is under way then, so that exactly so
   * many requests were made. Without it, it goes on until it is stopped.
   */
  readonly perThread?: number;
  /** What comes before the command: `taskset -c 1`. */
  readonly within?: readonly string[];
}

/** A running wrk. */
export interface Wrk {
  /** Resolves when every thread has had its responses. */
  reached(timeoutMs: number): Promise<void>;
  /** Ends it and returns what it measured. */
  stop(): Promise<WrkResult>;
}

/** Every thread has a Lua of its own; `done` is called once, in that of the process. */
const script = (perThread: number | undefined): string => `
local seen = 0
function count()
  seen = seen + 1
  if seen == ${perThread ?? 0} then
    io.write("reached\\n")
    io.flush()
    wrk.thread:stop()
  end
end
${perThread === undefined ? '' : 'response = count'}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"durationUs":%d,"p50":%f,"p95":%f,"p99":%f,"socket":%d,"status":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50) / 1e6, latency:percentile(95) / 1e6,
    latency:percentile(99) / 1e6, e.connect + e.read + e.write + e.timeout, e.status))
end
`;

/** Longer than any test: it is stopped when it is done. */
const longest = '600s';

/** Starts wrk, with kept connections, against a port of loopback. */
export function startWrk({ port, threads, connections, perThread, within = [] }: WrkOptions): Wrk {
  const folder = makeTempDir('wrk');
  const file = join(folder, 'count.lua');
  writeFileSync(file, script(perThread));
  const load = [`-t${threads}`, `-c${connections}`, '-d', longest, '--timeout', '60s', '-s', file];
  const [command, ...rest] = [...within, 'wrk', ...load, `http://127.0.0.1:${port}/`];
  const child: Child = startProcess(command, rest);
  return {
    reached: async (timeoutMs) => {
      const all = (): boolean => {
        if (!child.running) throw new Error(`wrk ended: ${child.output}`);
        return (child.output.match(/^reached$/gm) ?? []).length === threads;
      };
      await eventually(all, { what: `wrk has its responses from port ${port}`, timeoutMs });
    },
    stop: async () => {
      child.signal('SIGINT');
      const said = (): string | undefined => /^\{"requests".*\}$/m.exec(child.output)?.[0];
      const ended = (): boolean => !child.running && said() !== undefined;
      await eventually(ended, { what: 'wrk says what it measured', timeoutMs: 20_000 });
      removeTempDir(folder);
      const line = said() ?? '';
      const { socket, status, ...measured } = JSON.parse(line) as Omit<WrkResult, 'errors'> &
        WrkResult['errors'];
      return { ...measured, errors: { socket, status } };
    },
  };
}
