export * from './recordingGenerator.js';
