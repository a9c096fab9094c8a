export { jsonResponse } from './routes.js';
export { AdminServer } from './server.js';
export type {
  AdminAddress,
  AdminOptions,
  AdminRequest,
  AdminResponse,
  AdminRoute,
  HealthReport,
} from './types.js';
