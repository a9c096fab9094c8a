import { type AddressInfo, createServer, type Server } from 'node:net';

// Below the kernel's ephemeral range: a port of a server that is down for a moment must not be taken
// by an outgoing connection, nor connected to itself by a client that redials it.
const first = 12_000;
const last = 31_999;
/** Test files that run at the same time have ports of their own: between a look and a listen somebody else could come. */
const lanes = 4;
const lane = Number(process.env.VITEST_POOL_ID ?? 0) % lanes;
const taken = new Set<number>();

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A TCP port on 127.0.0.1 that nobody listens on and that this process has not handed out before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = first + lane + lanes * Math.floor((Math.random() * (last - first + 1)) / lanes);
    if (taken.has(port)) continue;
    // Another call may have chosen the same one meanwhile.
    if (!(await isFree(port)) || taken.has(port)) continue;
    taken.add(port);
    return port;
  }
  throw new Error('no free port after 200 attempts');
}

/** Has a server that is never restarted listen on 127.0.0.1, on a port that the kernel picks: nobody can be faster. */
export function listenAnywhere(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
