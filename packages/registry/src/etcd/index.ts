export { EtcdKey } from './key.js';
export { declareEtcdMetrics, type EtcdMetrics } from './metrics.js';
export * from './pool.js';
export type * from './types.js';
