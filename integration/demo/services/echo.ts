// A small TCP service: repeats each line after its own name.
import { createServer } from 'node:net';
import { leaveAtSigterm } from './leave.ts';
import { readOptions } from './options.ts';

const { port, healthPort, name } = readOptions();

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
// A port of its own for the check: it can be closed while the service still accepts.
const health = createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.end();
});
health.listen(healthPort, '127.0.0.1');
// Whoever is connected by then is served to the end.
leaveAtSigterm(
  () => health.close(),
  () => server.close(),
);
