// A small TCP service: repeats each line after its own name.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { readOptions } from './options.ts';

const { port, name } = readOptions();

const server = createServer((socket) => {
  socket.on('error', () => socket.destroy());
  createInterface({ input: socket }).on('line', (line) => socket.write(`${name}: ${line}\n`));
});
server.listen(port, '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));
