import { type AdminRoute, Refusal } from '@smartstack/agent';
import { instanceList } from '@smartstack/registry';
import { expect } from 'vitest';
import { apiRoutes } from '../api/index.js';
import { HeartbeatBoard } from '../heartbeats/board.js';
import { waitingChecks } from '../heartbeats/waiting.js';
import { definitionsOf } from './definitions.js';
import { lifecycleBed } from './lifecycleBed.js';

/** The API of an agent with the service `web` and others, without a server before it. */
export async function apiBed(more: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {}) {
  const bed = await lifecycleBed({ weight: 10 });
  const { services, control, clock } = bed;
  services.apply(definitionsOf({ web: { weight: 10 }, ...more }));
  await clock.advance(1_000);
  const heartbeats = new HeartbeatBoard(clock);
  heartbeats.keep(waitingChecks(services.definitions));
  const routes = apiRoutes({
    services,
    control,
    heartbeats,
    clock,
    instances: ({ name }) =>
      Promise.resolve(
        instanceList({ service: name, source: 'live', instances: [{ host: 'h', port: 1 }], problems: [] }),
      ),
  });
  /** What a route answers; every answer has to be what its description says. */
  const ask = async (method: AdminRoute['method'], path: string, body?: unknown) => {
    const { pathname, searchParams } = new URL(path, 'http://localhost');
    const parts = pathname.split('/');
    const found = routes.flatMap((route) => {
      const wanted = route.path.split('/');
      if (route.method !== method || wanted.length !== parts.length) return [];
      if (!wanted.every((one, at) => one.startsWith(':') || one === parts[at])) return [];
      const params = wanted.flatMap((one, at) =>
        one.startsWith(':') ? [[one.slice(1), decodeURIComponent(parts[at] ?? '')] as const] : [],
      );
      return [{ route, params: Object.fromEntries(params) }];
    })[0];
    if (!found) throw new Error(`no route ${method} ${path}`);
    try {
      const answer = await found.route.handle({
        method,
        path: pathname,
        params: found.params,
        query: searchParams,
        body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
        contentType: 'application/json',
      });
      const value = JSON.parse(answer.body.toString()) as Record<string, unknown>;
      expect(found.route.doc?.response?.parse(value)).toBeDefined();
      return { status: answer.status, value };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { status: error.status, error: error.message };
    }
  };
  return { ...bed, ask, heartbeats };
}
