export type { EtcdClient } from './client.js';
export { EtcdKey } from './key.js';
export { EtcdLease } from './lease.js';
export { declareEtcdMetrics, type EtcdMetrics } from './metrics.js';
export * from './pool.js';
export type { PrefixListener } from './prefixWatch.js';
export type * from './types.js';
export type { ListedKey } from './watchMessages.js';
export * from './watchPool.js';
