export * from './fakeSession.js';
export * from './recordingGenerator.js';
