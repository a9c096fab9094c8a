import { gunzipSync } from 'node:zlib';
import type { AdminRequest, AdminResponse } from '@smartstack/agent';
import { describe, expect, it } from 'vitest';
import type { TrafficAnswer } from '../traffic/shapes.js';
import type { TrafficView } from '../traffic/types.js';
import { type Page, pageOf } from './page.js';
import { dashboardRoutes } from './routes.js';

const html = '<!doctype html><style>p{}</style><p>Ü</p><script>let a = 1;</script>';
let reads = 0;
const read = () => {
  reads += 1;
  return pageOf(html);
};

const about = { host: 'vm-1', version: '1', startedAt: 5 };
const routesWith = (reader: () => Promise<Page>, traffic?: TrafficView) =>
  dashboardRoutes({ about, traffic: () => traffic, read: reader });

function ask(path: string, cached: Partial<AdminRequest['cached']> = {}, routes = routesWith(read)) {
  const route = routes.find((one) => one.path === path);
  if (!route) throw new Error(path);
  return Promise.resolve(
    route.handle({
      ...{ method: 'GET', path, params: {}, query: new URLSearchParams(), body: Buffer.alloc(0) },
      contentType: undefined,
      cached: { etags: undefined, encodings: undefined, ...cached },
    }),
  );
}
const text = ({ body }: AdminResponse): string => Buffer.from(body).toString();

describe('the page', () => {
  it('is read when it is first asked for, and once', async () => {
    reads = 0;
    const routes = routesWith(read);
    expect(reads).toBe(0);
    const [one, two] = [await ask('/dashboard', {}, routes), await ask('/dashboard', {}, routes)];
    expect([text(one), text(two)]).toEqual([html, html]);
    expect(reads).toBe(1);
  });

  it.each([
    ['gzip', true],
    ['br, GZIP;q=0.5', true],
    ['gzip;q=0', false],
    ['gzip; q=0.0', false],
    ['br', false],
    ['', false],
    [undefined, false],
  ])('is packed for %j: %j', async (encodings, packed) => {
    const answer = await ask('/dashboard', { encodings });
    expect(answer.headers?.['content-encoding']).toBe(packed ? 'gzip' : undefined);
    expect(answer.headers).toMatchObject({ vary: 'accept-encoding', 'cache-control': 'no-cache' });
    expect(packed ? gunzipSync(answer.body).toString() : text(answer)).toBe(html);
  });

  it('is not sent again to whoever has it', async () => {
    const etag = (await ask('/dashboard')).headers?.etag ?? '';
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    for (const etags of [etag, `W/${etag}`, `"x", ${etag}`, '*'])
      expect((await ask('/dashboard', { etags })).status, etags).toBe(304);
    expect((await ask('/dashboard', { etags: '"x"' })).status).toBe(200);
  });

  it('runs only its own script and style', async () => {
    const policy = (await ask('/dashboard')).headers?.['content-security-policy'] ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}=';/,
    );
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toContain('unsafe');
  });

  it('says what to do where it was not built, and is there once it is', async () => {
    let built = false;
    const missing = Object.assign(new Error('no file'), { code: 'ENOENT' });
    const routes = routesWith(() => (built ? read() : Promise.reject(missing)));
    await expect(ask('/dashboard', {}, routes)).rejects.toMatchObject({
      status: 404,
      message: /npm run build/,
    });
    built = true;
    expect((await ask('/dashboard', {}, routes)).status).toBe(200);
  });

  it('is where the root leads', async () => {
    expect(await ask('/')).toMatchObject({ status: 302, headers: { location: '/dashboard' } });
  });

  it('is told who serves it, and which page that is', async () => {
    const { etag } = (await ask('/dashboard')).headers ?? {};
    expect(JSON.parse(text(await ask('/dashboard/about')))).toEqual({ ...about, page: etag });
  });

  it('is sent the requests of each service by slot, and nothing else of it', async () => {
    const points = [
      { at: 10_000, requests: 3, failure: 1, p50: 0.1 },
      { at: 20_000, requests: 4, failure: 0, p50: 0.2 },
    ];
    const answer = { slotSeconds: 10, services: [{ service: '__proto__', points }, { service: 'b' }] };
    const view = { services: () => answer as unknown as TrafficAnswer } as unknown as TrafficView;
    const curves = text(await ask('/dashboard/curves', {}, routesWith(read, view)));
    expect(curves).toBe(
      '{"slotSeconds":10,"begins":[10000,20000],"services":{"__proto__":{"requests":[3,4],"failures":[1,0]},"b":{"requests":[],"failures":[]}}}',
    );
    await expect(async () => ask('/dashboard/curves')).rejects.toMatchObject({ status: 404 });
  });
});
