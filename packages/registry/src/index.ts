export * from './codecs/index.js';
export * from './instance.js';
export * from './nodeName.js';
export { ensembleKey, parseHosts, type Ensemble, type HostPort } from './zookeeper/addresses.js';
export * from './zookeeper/errors.js';
export * from './zookeeper/metrics.js';
export * from './zookeeper/pool.js';
export * from './zookeeper/session.js';
export * from './zookeeper/types.js';
