// All of zod, for modules that define checks; nerve itself needs a third of it, which is in the bundle. With schemas
// made of the same copy.
export * as z from 'zod';
export * as values from '../../config/values.js';
