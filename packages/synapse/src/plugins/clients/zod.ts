// All of zod, for modules that define watchers and the like; synapse itself needs a part of it, which is in the bundle.
export * as z from 'zod';
