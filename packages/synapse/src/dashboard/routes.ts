import { type AdminRequest, type AdminResponse, type AdminRoute, Refusal } from '@smartstack/agent';

import type { TrafficView } from '../traffic/types.js';
import type { About, Curves } from './about.js';
import { curvesOf } from './curves.js';
import { type Page, readPage } from './page.js';

/** What the dashboard stands on. */
export interface DashboardDeps {
  readonly about: Omit<About, 'page'>;
  /** What generators count; undefined where none does. */
  readonly traffic: () => TrafficView | undefined;
  /** Called when somebody first asks. */
  readonly read?: () => Promise<Page>;
}

/** The page, the way to it, and what only the page needs: its own business, and no part of the API. */
export function dashboardRoutes({ about, traffic, read = readPage }: DashboardDeps): readonly AdminRoute[] {
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
    {
      method: 'GET',
      path: '/dashboard/about',
      handle: async () => compact({ ...about, page: (await load()).etag }),
    },
    {
      method: 'GET',
      path: '/dashboard/curves',
      handle: () => {
        const view = traffic();
        if (view === undefined) throw new Refusal(404, 'nothing is counted');
        return compact(curvesOf(view));
      },
    },
  ];
}

/** For nobody to read. */
function compact(value: About | Curves): AdminResponse {
  return { status: 200, contentType: 'application/json; charset=utf-8', body: JSON.stringify(value) };
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
    .some(
      ([name = '', ...rest]) => name.trim() === 'gzip' && !rest.some((part) => /^ *q=0(\.0*)? *$/.test(part)),
    );
}
