import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

/** What a DogStatsD agent would receive, until the test ends. */
export async function statsdListener(): Promise<{ readonly port: number; readonly lines: string[] }> {
  const socket = createSocket('udp4');
  const lines: string[] = [];
  socket.on('message', (packet) => lines.push(...packet.toString().split('\n').filter(Boolean)));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return { port: socket.address().port, lines };
}

/** A line without its measured value. */
export function withoutValue(line: string): string {
  return line.replace(/:[\d.]+\|(ms|g)/, ':N|$1');
}
