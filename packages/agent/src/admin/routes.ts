import * as z from 'zod';
import { toJson } from '../json.js';
import { Refusal } from './refusal.js';
import type { AdminOptions, AdminResponse, AdminRoute, HealthReport } from './types.js';

/** A JSON answer; bigints become text, errors objects. */
export function jsonResponse(value: unknown, status = 200): AdminResponse {
  return { status, contentType: 'application/json; charset=utf-8', body: `${toJson(value, 2)}\n` };
}

/** The routes that every agent has. `all` are those of the whole table, for its description. */
export function standardRoutes(
  options: Pick<AdminOptions, 'name' | 'version' | 'health' | 'ready' | 'status' | 'metrics' | 'compat'>,
  all: () => Promise<readonly AdminRoute[]>,
): readonly AdminRoute[] {
  const report = ({ ok, ...details }: HealthReport): AdminResponse =>
    jsonResponse({ ok, ...details }, ok ? 200 : 503);
  const { name, version } = options;
  const healthReport = z.object({ ok: z.boolean() }).meta({ id: 'HealthReport' });
  return [
    {
      method: 'GET',
      path: '/healthz',
      isOpen: true,
      doc: {
        summary: 'Whether the agent is fine in itself',
        response: healthReport,
        unready: 'It is not.',
      },
      handle: () => report(options.health()),
    },
    {
      method: 'GET',
      path: '/readyz',
      isOpen: true,
      doc: {
        summary: 'Whether the agent does its job at this moment',
        response: healthReport,
        unready: 'It does not; the body says why.',
      },
      handle: () => report(options.ready()),
    },
    {
      method: 'GET',
      path: '/status',
      doc: {
        summary: 'Everything that the agent knows of itself',
        description: 'For people. What programs may rely on is under /v1.',
        response: z.object({}),
      },
      handle: () => jsonResponse(options.status()),
    },
    {
      method: 'GET',
      path: '/metrics',
      isOpen: true,
      doc: {
        summary: 'Metrics, as Prometheus wants them',
        contentType: 'text/plain',
        query: z.object({
          compat: z
            .string()
            .optional()
            .describe('Under the names of others: `linkerd`, `go-synapse` (synapse only).'),
        }),
        response: z.string(),
      },
      handle: async ({ query }) => {
        const exposed = await options.metrics.expose();
        const wanted = query.get('compat');
        if (wanted === null) return { status: 200, ...exposed };
        const known = Object.entries(options.compat ?? {});
        const [, make] = known.find(([name]) => name === wanted) ?? [];
        if (make === undefined) {
          const names = known.map(([name]) => name).join(', ');
          throw new Refusal(400, `compat: there is ${names === '' ? 'none here' : `only ${names}`}`);
        }
        return { status: 200, contentType: exposed.contentType, body: await make(exposed.body, query) };
      },
    },
    {
      method: 'GET',
      path: '/version',
      doc: { summary: 'Which agent it is', response: z.object({ agent: z.string(), version: z.string() }) },
      handle: () => jsonResponse({ agent: name, version }),
    },
    {
      method: 'GET',
      path: '/openapi.json',
      doc: { summary: 'This description', response: z.object({ openapi: z.string() }) },
      handle: async () => {
        const { openApi } = await import('./openApi.js');
        return jsonResponse(openApi({ name, version }, await all()));
      },
    },
  ];
}

/** A route for a request, the methods that its path does have, or nothing for an unknown path. */
export type Match =
  | { readonly route: AdminRoute; readonly params: Readonly<Record<string, string>> }
  | { readonly methods: readonly string[] }
  | undefined;

/** Finds the first route that fits. Throws URIError for a path that is not properly encoded. */
export function matchRoute(routes: readonly AdminRoute[], method: string, path: string): Match {
  const wanted = method === 'HEAD' ? 'GET' : method;
  const methods: string[] = [];
  for (const route of routes) {
    const params = matchPath(route.path, path);
    if (!params) continue;
    if (route.method === wanted) return { route, params };
    methods.push(route.method, ...(route.method === 'GET' ? ['HEAD'] : []));
  }
  return methods.length > 0 ? { methods } : undefined;
}

function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | undefined {
  const wanted = pattern.split('/');
  const parts = path.split('/');
  if (wanted.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, want] of wanted.entries()) {
    const part = parts[index] ?? '';
    if (!want.startsWith(':')) {
      if (want !== part) return undefined;
    } else if (part === '') return undefined;
    else params[want.slice(1)] = decodeURIComponent(part);
  }
  return params;
}
