// All of zod, for modules that define checks; nerve itself needs a third of it, which is in the bundle.
export * as z from 'zod';
