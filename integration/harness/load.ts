import { Agent, request } from 'node:http';
import { eventually } from './eventually.ts';

/** A bounded load of HTTP requests against one address. */
export interface LoadOptions {
  readonly host?: string;
  readonly port: number;
  readonly path?: string;
  /** Clients, each with one request in flight at a time. */
  readonly clients: number;
  /** `keep-alive`: each client keeps its connection. `fresh`: a new connection for each request. */
  readonly connections: 'keep-alive' | 'fresh';
  /** Milliseconds that a client waits between two requests; 1 unless told. */
  readonly paceMs?: number;
  /** After this many the load ends by itself. */
  readonly maxRequests: number;
}

/** What a load came to. */
interface LoadResult {
  readonly requests: number;
  /** Descriptions of what went wrong: a status other than 200, or a connection error. */
  readonly failures: readonly string[];
  /** Requests answered by each upstream, by the body they gave. */
  readonly byIdentity: ReadonlyMap<string, number>;
}

/** A running load. */
export interface Load {
  readonly requests: number;
  readonly failures: readonly string[];
  /** Requests answered so far by each upstream. */
  readonly byIdentity: ReadonlyMap<string, number>;
  /**
   * Lets requests in flight end, and returns the totals; with `least`, not before that many were asked: what few
   * requests met proves little, and how many there are by now is a matter of the machine.
   */
  stop(least?: number): Promise<LoadResult>;
}

/** One GET; resolves with status and body, rejects on connection errors and after 10 s of silence. */
export function get(options: {
  readonly host?: string;
  readonly port: number;
  readonly path?: string;
  readonly agent?: Agent;
}): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const { host = '127.0.0.1', port, path = '/', agent } = options;
    const outgoing = request({ host, port, path, agent: agent ?? false, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 s')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Starts the load; it runs until `stop` or `maxRequests`. */
export function startLoad(options: LoadOptions): Load {
  const state = { requests: 0, stopped: false };
  const failures: string[] = [];
  const byIdentity = new Map<string, number>();
  const client = async (): Promise<void> => {
    const agent =
      options.connections === 'keep-alive' ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    while (!state.stopped && state.requests < options.maxRequests) {
      state.requests += 1;
      try {
        const { status, body } = await get({ ...options, ...(agent && { agent }) });
        if (status === 200) byIdentity.set(body, (byIdentity.get(body) ?? 0) + 1);
        else failures.push(`status ${status}`);
      } catch (error) {
        failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, options.paceMs ?? 1));
    }
    agent?.destroy();
  };
  const clients = Promise.all(Array.from({ length: options.clients }, client));
  return {
    get requests() {
      return state.requests;
    },
    failures,
    byIdentity,
    stop: async (least = 0) => {
      const isEnough = (): boolean => state.requests >= Math.min(least, options.maxRequests);
      await eventually(isEnough, { what: `${least} requests`, timeoutMs: 30_000 }).finally(() => {
        state.stopped = true;
      });
      await clients;
      return { requests: state.requests, failures, byIdentity };
    },
  };
}
