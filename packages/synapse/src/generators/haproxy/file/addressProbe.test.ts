import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { addressProblems } from './addressProbe.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A port of 127.0.0.1 on which somebody listens. */
async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const frontend = (...binds: readonly string[]): string =>
  ['frontend web', ...binds.map((bind) => `\tbind ${bind}`)].join('\n');

describe('addressProblems', () => {
  it('finds addresses that are taken or not of this machine, with their lines', async () => {
    const port = await takenPort();
    const problems = await addressProblems(
      frontend(`127.0.0.1:${port}`, `127.0.0.2:${port}`, '192.0.2.1:80', '192.0.2.1:80 transparent'),
      new Set(),
    );
    expect(problems).toEqual([
      {
        severity: 'error',
        text: `frontend web: nobody can listen on 127.0.0.1:${port}: another process listens there`,
        line: 2,
        isAddress: true,
      },
      {
        severity: 'error',
        text: 'frontend web: nobody can listen on 192.0.2.1:80: this machine has no such address',
        line: 4,
        isAddress: true,
      },
    ]);
  });

  it('leaves alone what HAProxy itself listens on, and leaves nothing behind', async () => {
    const port = await takenPort();
    expect(await addressProblems(frontend(`127.0.0.1:${port}`), new Set([port]))).toEqual([]);
    const twice = frontend(`127.0.0.3:${port}`, `127.0.0.3:${port}`);
    expect(await addressProblems(twice, new Set())).toEqual([]);
    expect(await addressProblems(twice, new Set())).toEqual([]);
  });
});
