import type { AdminRoute } from '@smartstack/agent';
import { aliasRoutes } from './aliases.js';
import type { ApiDeps } from './deps.js';
import { drainRoutes } from './drain.js';
import { healthRoutes } from './health.js';
import { heartbeatRoutes } from './heartbeats.js';
import { instanceRoutes } from './instances.js';
import { serviceRoutes } from './services.js';
import { weightRoutes } from './weight.js';

/** The routes of nerve's API, beside those that every agent has. */
export function apiRoutes(deps: ApiDeps): readonly AdminRoute[] {
  return [
    serviceRoutes,
    healthRoutes,
    drainRoutes,
    weightRoutes,
    heartbeatRoutes,
    instanceRoutes,
    aliasRoutes,
  ].flatMap((routes) => routes(deps));
}
