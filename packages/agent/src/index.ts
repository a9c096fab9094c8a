// Before any module that makes a schema.
import './zodSettings.js';

export * from './admin/index.js';
export * from './atomicFile.js';
export * from './backoff.js';
export * from './clock.js';
export * from './clockJumps.js';
export * from './coalesce.js';
export * from './config/index.js';
export { fingerprint } from './diskLook.js';
export * from './errors.js';
export * from './json.js';
export * from './lifecycle.js';
export * from './logger.js';
export * from './logSettings.js';
export * from './makeDirectory.js';
export * from './metrics.js';
export * from './notify.js';
export * from './plainFile.js';
export * from './publishFile.js';
export * from './run.js';
export * from './secretFile.js';
export * from './statsd.js';
export * from './textOrder.js';
export * from './watchFiles.js';
