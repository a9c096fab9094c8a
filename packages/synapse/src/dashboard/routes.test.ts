import { gunzipSync } from 'node:zlib';
import type { AdminRequest, AdminResponse } from '@smartstack/agent';
import { describe, expect, it } from 'vitest';
import { pageOf } from './page.js';
import { dashboardRoutes } from './routes.js';

const html = '<!doctype html><style>p{}</style><p>Ü</p><script>let a = 1;</script>';
let reads = 0;
const read = () => {
  reads += 1;
  return pageOf(html);
};

function ask(path: string, cached: Partial<AdminRequest['cached']> = {}, routes = dashboardRoutes(read)) {
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
    const routes = dashboardRoutes(read);
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
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}=';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toContain('unsafe');
  });

  it('says what to do where it was not built, and is there once it is', async () => {
    let built = false;
    const missing = Object.assign(new Error('no file'), { code: 'ENOENT' });
    const routes = dashboardRoutes(() => (built ? read() : Promise.reject(missing)));
    await expect(ask('/dashboard', {}, routes)).rejects.toMatchObject({ status: 404, message: /npm run build/ });
    built = true;
    expect((await ask('/dashboard', {}, routes)).status).toBe(200);
  });

  it('is where the root leads', async () => {
    expect(await ask('/')).toMatchObject({ status: 302, headers: { location: '/dashboard' } });
  });
});
