import { resolve } from 'node:path';
import * as z from 'zod';
import { blockReader } from '../blocks.js';
import { flag, nonNegative, text } from '../fields.js';

/** What a shell would make something of: there is none. */
const shellCharacters = /["'\\|&;<>()$`*?{}[\]~]/;

const command = () =>
  z
    .union([text, z.array(text).min(1, 'must not be empty')], 'must be a list of words')
    .nullable()
    .transform((value) => (typeof value === 'string' ? splitWords(value) : (value ?? undefined)))
    .superRefine((words, context) => {
      if (typeof words === 'string')
        context.addIssue({
          code: 'custom',
          message: `no shell reads it: give a list of words, ['/bin/sh', '-c', '…'] for one`,
        });
    })
    .transform((words) => (typeof words === 'string' ? undefined : words));

function splitWords(line: string): readonly string[] | string {
  return shellCharacters.test(line) ? line : line.trim().split(/\s+/);
}

const mode = () =>
  z
    .string()
    .regex(/^0?[0-7]{3}$/, "must be three octal digits, in quotes: '0644'")
    .nullable()
    .default('0644')
    .transform((value) => Number.parseInt(value ?? '0644', 8));

const templateKeys = () =>
  z.strictObject({
    template_file: text.describe('The template, in Liquid. Read again in each pass.'),
    destination_file: text.describe('The file that is made of it, and replaced when its content changes.'),
    destination_file_mode: mode().describe('Permissions of the file when it is new.'),
    post_template_command: command()
      .optional()
      .describe('What runs after each change: a list of words, or words without anything for a shell.'),
    post_template_command_timeout: nonNegative
      .default(10)
      .describe('So long it may take, in seconds; then it is killed, with its children.'),
    services: z
      .array(text)
      .nullable()
      .optional()
      .describe('Names of the services that the template is given. Absent: all.'),
  });

/** The keys of the top-level `template` block, as written. */
export const templateBlockKeys = () =>
  z.strictObject({
    templates: z
      .array(templateKeys())
      .min(1, 'must not be empty')
      .describe('Files that are made of templates.'),
    restart_interval: nonNegative
      .default(2)
      .describe('Least time between two runs of the same post_template_command, in seconds.'),
  });

/** The keys of the `template` block of a service, as written. */
export const templateServiceKeys = () =>
  z.strictObject({
    disabled: flag.default(false).describe('Templates are not given the service.'),
  });

/** One file that is made of a template. */
export interface TemplateConfig {
  /** Absolute, as is the destination. */
  readonly templateFile: string;
  readonly destinationFile: string;
  readonly mode: number;
  /** The executable and its arguments; undefined: nothing runs. */
  readonly command: readonly string[] | undefined;
  readonly commandTimeoutMs: number;
  /** Undefined: all services. */
  readonly services: readonly string[] | undefined;
}

/** The top-level block as the generator uses it. */
export interface TemplatesConfig {
  readonly templates: readonly TemplateConfig[];
  readonly restartIntervalMs: number;
}

/** Reads the top-level `template` block. */
export const readTemplateBlock = blockReader(() =>
  templateBlockKeys()
    .transform(({ templates, restart_interval }): TemplatesConfig => ({
      templates: templates.map((keys) => ({
        templateFile: resolve(keys.template_file),
        destinationFile: resolve(keys.destination_file),
        mode: keys.destination_file_mode,
        command: keys.post_template_command,
        commandTimeoutMs: keys.post_template_command_timeout * 1000,
        services: keys.services ?? undefined,
      })),
      restartIntervalMs: restart_interval * 1000,
    }))
    .superRefine(({ templates }, context) => {
      const sources = new Set(templates.map(({ templateFile }) => templateFile));
      const seen = new Set<string>();
      for (const [index, { destinationFile }] of templates.entries()) {
        const path = ['templates', index, 'destination_file'];
        if (sources.has(destinationFile))
          context.addIssue({ code: 'custom', path, message: 'is a template: it would be overwritten' });
        if (seen.has(destinationFile))
          context.addIssue({ code: 'custom', path, message: 'is that of another template, too' });
        seen.add(destinationFile);
      }
    }),
);

/** Reads the `template` block of a service. */
export const readServiceBlock = blockReader(templateServiceKeys);
