import * as z from 'zod';
import type { LoggerOptions } from './logger.js';

/** The `log` key of an agent's own settings. */
export const logSettings = () =>
  z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .nullish()
        .describe('Least severe lines shown: info by default; debug with DEBUG in the environment.'),
      format: z
        .enum(['json', 'console'])
        .nullish()
        .describe('json for collectors, console for people. Default: console on a terminal, json elsewhere.'),
    })
    .nullish()
    .transform((log) => ({ level: log?.level ?? undefined, format: log?.format ?? undefined }))
    .describe('What is written to stderr.');

export type LogSettings = z.output<ReturnType<typeof logSettings>>;

/** What the logger of an agent is made with, where `log` leaves something open. */
export function loggerOptions(
  { level, format }: LogSettings,
  { debug, isTerminal }: { readonly debug: boolean; readonly isTerminal: boolean },
): Pick<LoggerOptions, 'level' | 'format'> {
  return {
    level: level ?? (debug ? 'debug' : 'info'),
    format: format ?? (isTerminal ? 'console' : 'json'),
  };
}
