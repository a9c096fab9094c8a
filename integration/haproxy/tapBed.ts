import { connect } from 'node:net';
import type { TapRequest } from '../../packages/synapse/src/tap/shapes.ts';
import type { TapListener } from '../../packages/synapse/src/tap/types.ts';

/** Sends bytes as they are, and waits until HAProxy has answered and hung up. */
export function sendRaw(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      answer += chunk;
      socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

/** Collects what a tap hears. */
export class Listener implements TapListener {
  readonly requests: TapRequest[] = [];
  readonly states: boolean[] = [];
  losses = 0;
  request(request: TapRequest): void {
    this.requests.push(request);
  }
  lost(count: number): void {
    this.losses += count;
  }
  attached(isAttached: boolean): void {
    if (this.states.at(-1) !== isAttached) this.states.push(isAttached);
  }
  turn(): void {
    // Nothing is written.
  }
  get paths(): readonly (string | null)[] {
    return this.requests.map(({ path }) => path);
  }
}

/** The lines about requests in what HAProxy says of its ring. */
export function linesIn(events: string): readonly string[] {
  return events.split('\n').filter((line) => line.startsWith('tap1'));
}
