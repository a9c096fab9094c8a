export * from './backoff.js';
export * from './clock.js';
export * from './config/index.js';
export * from './errors.js';
export * from './logger.js';
export * from './metrics.js';
export * from './run.js';
