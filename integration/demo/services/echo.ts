// A small TCP service: repeats each line after its own name.
import { createServer } from 'node:net';
import { readOptions } from './options.ts';

const { port, name } = readOptions();

const server = createServer((socket) => {
  // A health check ends its connection with a reset.
  socket.on('error', () => socket.destroy());
  socket.setEncoding('utf8');
  let rest = '';
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(-65_536);
    for (const line of lines) socket.write(`${name}: ${line}\n`);
  });
});
server.listen(port, '127.0.0.1');
// Whoever is connected is served to the end.
process.once('SIGTERM', () => server.close());
