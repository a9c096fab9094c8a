import { connect } from 'node:net';

/** What is asked, and by how many. */
export interface KeptLoad {
  readonly port: number;
  readonly path: string;
  readonly clients: number;
  readonly requests: number;
}

/** Requests on kept connections, one at a time on each: how long they took together, and each; in milliseconds. */
export function keptLoad({
  port,
  path,
  clients,
  requests,
}: KeptLoad): Promise<{ readonly ms: number; readonly latencies: readonly number[] }> {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  const latencies: number[] = [];
  let sent = 0;
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    for (let client = 0; client < clients; client += 1) {
      const socket = connect(port, '127.0.0.1');
      let at = 0;
      const next = (): void => {
        if (sent >= requests) return void socket.end();
        sent += 1;
        at = performance.now();
        socket.write(request);
      };
      socket.setNoDelay();
      socket.on('connect', next);
      socket.on('error', reject);
      socket.on('data', () => {
        latencies.push(performance.now() - at);
        if (latencies.length === requests) resolve({ ms: performance.now() - begun, latencies });
        next();
      });
    }
  });
}
