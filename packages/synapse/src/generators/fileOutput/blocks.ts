import { resolve } from 'node:path';
import * as z from 'zod';
import { blockReader } from '../blocks.js';
import { flag, text } from '../fields.js';

/** The keys of the top-level `file_output` block, as written. */
export const fileOutputKeys = () =>
  z.strictObject({
    output_directory: text.describe(
      'Where `<service>.json` of each service is. Every other `*.json` in it is removed.',
    ),
  });

/** The keys of the `file_output` block of a service, as written. */
export const fileOutputServiceKeys = () =>
  z.strictObject({
    disabled: flag.default(false).describe('Write no file of the service.'),
  });

/** The top-level block as the generator uses it. */
export interface FileOutputConfig {
  /** Absolute. */
  readonly directory: string;
}

/** Reads the top-level `file_output` block. */
export const readFileOutputBlock = blockReader(() =>
  fileOutputKeys().transform(({ output_directory }): FileOutputConfig => ({
    directory: resolve(output_directory),
  })),
);

/** Reads the `file_output` block of a service. */
export const readServiceBlock = blockReader(fileOutputServiceKeys);
