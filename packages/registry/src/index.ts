export * from './instance.js';
export * from './zookeeper/types.js';
