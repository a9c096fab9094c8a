export * from './codecs/index.js';
export * from './instance.js';
export * from './nodeName.js';
export * from './zookeeper/types.js';
