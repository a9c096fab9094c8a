export * from './fakeClock.js';
export * from './recordingLogger.js';
