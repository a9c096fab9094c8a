export * from './fakeSession.js';
export * from './recordingGenerator.js';
export * from './watcherBed.js';
export * from './fakeNames.js';
