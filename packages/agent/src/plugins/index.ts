export * from './entry.js';
export * from './loader.js';
