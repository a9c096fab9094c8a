import { fileOutputKind } from './fileOutput/index.js';
import { haproxyKind } from './haproxy/index.js';
import { nginxKind } from './nginx/index.js';
import { templateKind } from './template/index.js';
import type { GeneratorTable } from './types.js';

/** Every generator, by the name of its block. */
export const generators: GeneratorTable = new Map([
  ['haproxy', haproxyKind],
  ['file_output', fileOutputKind],
  ['nginx', nginxKind],
  ['template', templateKind],
]);
