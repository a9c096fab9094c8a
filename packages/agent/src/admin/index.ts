export { parseAddress } from './address.js';
export { defineRoute, type Reply } from './defineRoute.js';
export { notFound, Refusal } from './refusal.js';
export { serveAdmin } from './serve.js';
export { adminSettings, type AdminSettings, withUnitSocket } from './settings.js';
export type {
  AdminAddress,
  AdminOptions,
  AdminRequest,
  AdminResponse,
  AdminRoute,
  AdminSink,
  HealthReport,
} from './types.js';
