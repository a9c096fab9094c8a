import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock.js';
import { createMetrics } from '../metrics.js';
import { RecordingLogger } from '../testing/index.js';
import { AdminServer } from './server.js';
import type { AdminAddress } from './types.js';

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
});

async function start(listen: readonly AdminAddress[] = [{ host: '127.0.0.1', port: 0 }]) {
  const fine = () => ({ ok: true });
  server = await AdminServer.listen({
    ...{ name: 'test', version: '1', listen, clock: systemClock, logger: new RecordingLogger() },
    ...{ metrics: createMetrics(), health: fine, ready: fine, status: () => 'all' },
    allowedHosts: ['VM-1.example'],
    routes: async () => [
      {
        method: 'GET',
        path: '/page',
        handle: ({ cached }) => ({
          status: cached?.etags === '"1"' ? 304 : 200,
          ...{ contentType: 'text/html', body: cached?.encodings ?? '', headers: { etag: '"1"' } },
        }),
      },
      { method: 'GET', path: '/broken', handle: () => Promise.reject(new Error('secret')) },
    ],
  });
  return server.addresses[0]!;
}

async function ask(
  address: AdminAddress,
  path: string,
  { headers = {} }: { headers?: Record<string, string> } = {},
) {
  if ('socket' in address) throw new Error('not a port');
  const sent = request({ ...address, path, headers, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

describe('what browsers are told', () => {
  it('protects every answer, refusals included', async () => {
    const address = await start();
    for (const path of ['/version', '/metrics', '/nothing', '/broken', '/page']) {
      const { headers } = await ask(address, path);
      expect(headers, path).toMatchObject({
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'cache-control': 'no-store',
      });
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  it('lets a route know what the asker has, and send nothing but headers then', async () => {
    const address = await start();
    const first = await ask(address, '/page', { headers: { 'accept-encoding': 'gzip, br' } });
    expect(first).toMatchObject({ status: 200, body: 'gzip, br', headers: { etag: '"1"' } });
    const again = await ask(address, '/page', { headers: { 'if-none-match': '"1"' } });
    expect(again).toMatchObject({ status: 304, body: '' });
    expect(again.headers).not.toHaveProperty('content-type');
  });

  it('answers no reading of a page of another site but a link, and none of a foreign name', async () => {
    const address = await start();
    const as = async (headers: Record<string, string>): Promise<number | undefined> =>
      (await ask(address, '/version', { headers })).status;
    expect(await as({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).toBe(403);
    expect(await as({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' })).toBe(403);
    expect(await as({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(200);
    expect(await as({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' })).toBe(200);
    expect(await as({ host: 'evil.example:3455' })).toBe(403);
    expect(await as({ host: 'vm-1.example:3455' })).toBe(200);
  });

  it('knows the names on which it listens', async () => {
    const address = await start([{ host: 'localhost', port: 0 }]);
    expect((await ask(address, '/version', { headers: { host: 'localhost' } })).status).toBe(200);
  });
});
