import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { childrenOf, observe, startNerve } from './bed.ts';
import { freshPath, serviceAt, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();

async function send(where: object, method: string, path: string, body?: object) {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const sent = request({ ...where, method, path, headers, agent: false });
  sent.end(body === undefined ? '' : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

describe('the HTTP API', () => {
  it('takes heartbeats and drains over the socket, refuses them over TCP, and lists instances', async () => {
    const [path, folder] = [freshPath(), makeTempDir('nerve')];
    onTestFinished(() => removeTempDir(folder));
    const socket = { socketPath: join(folder, 'nerve.sock') };
    const session = observe(bed.address);
    const checks = [{ type: 'ttl', ttl: 1 }];
    const options = (admin: number) => ({
      main: {
        admin: { listen: [`127.0.0.1:${admin}`, socket.socketPath] },
        services: {
          app: serviceAt(bed.address, path, { checks }),
          web: serviceAt(bed.address, path, { port: 8081 }),
        },
      },
      folder,
      env: { STATE_DIRECTORY: folder },
    });
    const { freePort } = await import('../harness/ports.ts');
    const port = await freePort();
    const first = await startNerve(options(port));
    await childrenOf(session, path, 1);
    expect((await send(socket, 'POST', '/v1/services/app/heartbeat', { status: 'pass' })).status).toBe(200);
    await childrenOf(session, path, 2);
    // Nobody says anything any more.
    await childrenOf(session, path, 1);
    const tcp = { host: '127.0.0.1', port };
    expect((await send(tcp, 'POST', '/v1/services/web/drain')).status).toBe(403);
    const list = await send(tcp, 'GET', '/v1/instances/web');
    expect(JSON.parse(list.body)).toMatchObject({
      source: 'live',
      instances: [{ host: '10.0.0.5', port: 8081, name: 'i-0abc' }],
      problems: [],
    });
    const drained = await send(socket, 'POST', '/v1/services/web/drain', { reason: 'disk' });
    expect(JSON.parse(drained.body)).toMatchObject({ stillDrained: ['web'], saved: true });
    await childrenOf(session, path, 0);
    await first.stop('SIGKILL');
    await startNerve(options(port));
    await expect
      .poll(async () => (await send(socket, 'GET', '/v1/health?service=web').catch(() => undefined))?.body, {
        timeout: 10_000,
      })
      .toMatch(/"problem": "drained",\s+"reason": "disk"/);
    await childrenOf(session, path, 0);
    await send(socket, 'POST', '/v1/services/web/undrain');
    await childrenOf(session, path, 1);
  });
});
