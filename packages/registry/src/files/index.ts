export * from './fileName.js';
export * from './registrationFile.js';
