import { connect } from 'node:net';

/** The first thing that a TCP server says. */
export function greeting(port: number, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host });
    socket.setTimeout(5_000, () => socket.destroy(new Error('it says nothing')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('it closed without a word')));
    socket.once('data', (chunk) => {
      resolve(chunk.toString());
      socket.destroy();
    });
  });
}
