import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { pause } from './pause.ts';

/** A request that failed. */
interface Failure {
  /** When it was sent, by `performance.now`. */
  readonly sentAt: number;
  readonly failedAt: number;
  readonly message: string;
}

/** What one service answered so far. */
export interface Tally {
  requests: number;
  failures: number;
  /** Answers by the instance that gave them. */
  readonly byInstance: Map<string, number>;
  /** The first few failures: later ones mostly follow from them. */
  readonly firstFailures: Failure[];
}

/** Asks a service once, through synapse's port on localhost; resolves with the instance that answered. */
export type Ask = () => Promise<string>;

/** One GET on a kept connection, as an application with a pool does. */
export function askHttp(port: number): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  return () =>
    new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port, agent, timeout: 10_000 }, (response) => {
        const instance = response.headers['x-instance'];
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200 && typeof instance === 'string') resolve(instance);
          else
            reject(new Error(`status ${String(response.statusCode)}: ${body.trim().split('\n')[0] ?? ''}`));
        });
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 s')));
      outgoing.on('error', reject);
      outgoing.end();
    });
}

/** One connection, one line there and back. */
export function askTcp(port: number): Ask {
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let answer = '';
      socket.setEncoding('utf8');
      socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')));
      socket.on('connect', () => socket.write('hello\n'));
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed without an answer')));
      socket.on('data', (chunk: string) => {
        answer += chunk;
        if (!answer.endsWith(': hello\n')) return;
        resolve(answer.slice(0, -': hello\n'.length));
        socket.end();
      });
    });
}

/** A steady stream of requests to one service, and what became of them. */
export class Traffic {
  readonly tally: Tally = { requests: 0, failures: 0, byInstance: new Map(), firstFailures: [] };

  constructor(
    private readonly ask: Ask,
    private readonly perSecond: number,
  ) {}

  /** Asks until the signal aborts, whether or not earlier answers have come; then waits for those. */
  async run(signal: AbortSignal): Promise<void> {
    const pending = new Set<Promise<void>>();
    // At random intervals, as users do: a fixed beat would meet the same instance each time.
    while (await pause(((0.5 + Math.random()) * 1000) / this.perSecond, signal)) {
      const one = this.once().finally(() => pending.delete(one));
      pending.add(one);
    }
    await Promise.all(pending);
  }

  private async once(): Promise<void> {
    this.tally.requests += 1;
    const sentAt = performance.now();
    try {
      const instance = await this.ask();
      this.tally.byInstance.set(instance, (this.tally.byInstance.get(instance) ?? 0) + 1);
    } catch (error) {
      this.tally.failures += 1;
      if (this.tally.firstFailures.length >= 5) return;
      const message = error instanceof Error ? error.message : String(error);
      this.tally.firstFailures.push({ sentAt, failedAt: performance.now(), message });
    }
  }
}
