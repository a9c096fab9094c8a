import { type AdminRequest, type AdminResponse, type AdminRoute, Refusal } from '@smartstack/agent';

import { type Page, readPage } from './page.js';

/** The page, and the way to it. `read` is called when somebody first asks. */
export function dashboardRoutes(read: () => Promise<Page> = readPage): readonly AdminRoute[] {
  let page: Promise<Page> | undefined;
  const load = async (): Promise<Page> => {
    try {
      page ??= read();
      return await page;
    } catch (error) {
      page = undefined;
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new Refusal(404, 'the dashboard was not built: npm run build');
    }
  };
  const show = async (request: AdminRequest): Promise<AdminResponse> => answer(await load(), request);
  const redirect = (): AdminResponse => ({
    status: 302,
    contentType: 'text/plain; charset=utf-8',
    body: '/dashboard\n',
    headers: { location: '/dashboard' },
  });
  return [
    { method: 'GET', path: '/', handle: redirect },
    { method: 'GET', path: '/dashboard', handle: show },
  ];
}

function answer({ html, gzipped, etag, policy }: Page, { cached }: AdminRequest): AdminResponse {
  const headers = {
    etag,
    'cache-control': 'no-cache',
    'content-security-policy': policy,
    vary: 'accept-encoding',
  };
  const page = { contentType: 'text/html; charset=utf-8', body: html };
  if (has(cached?.etags, etag)) return { ...page, status: 304, headers };
  if (!takesGzip(cached?.encodings)) return { ...page, status: 200, headers };
  return { ...page, status: 200, body: gzipped, headers: { ...headers, 'content-encoding': 'gzip' } };
}

function has(etags: string | undefined, etag: string): boolean {
  const known = etags?.split(',').map((one) => one.trim().replace(/^W\//, '')) ?? [];
  return known.includes(etag) || known.includes('*');
}

function takesGzip(encodings: string | undefined): boolean {
  return (encodings ?? '')
    .split(',')
    .map((one) => one.toLowerCase().split(';'))
    .some(([name = '', ...rest]) => name.trim() === 'gzip' && !rest.some((part) => /^ *q=0(\.0*)? *$/.test(part)));
}
