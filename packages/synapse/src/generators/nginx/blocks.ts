import { resolve } from 'node:path';
import * as z from 'zod';
import { blockReader } from '../blocks.js';
import { flag, nonNegative, text } from '../fields.js';
import { argumentsProblem, directiveProblem } from './lines.js';

/** Lines without the `;` at their end; one that is there is forgiven. `null` is an empty list. */
function directives() {
  return z
    .union([z.string(), z.array(z.string())], 'must be a line or a list of lines')
    .nullable()
    .transform((value): readonly string[] =>
      (value === null ? [] : typeof value === 'string' ? [value] : value).map((line) =>
        line.trim().replace(/;$/, ''),
      ),
    )
    .superRefine((lines, context) => {
      for (const [index, line] of lines.entries()) {
        const message = directiveProblem(line);
        if (message !== undefined) context.addIssue({ code: 'custom', path: [index], message });
      }
    });
}

/** Words that follow those of ours on a line. */
function furtherWords() {
  return z
    .string()
    .transform((value) => value.trim())
    .superRefine((value, context) => {
      const message = argumentsProblem(value);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });
}

const address = () =>
  z.string().regex(/^[A-Za-z0-9_.:*-]{1,255}$|^\[[0-9A-Fa-f:.]+\]$/, 'must be an address or a host name');

const port = () =>
  z
    .union([z.int(), z.string().regex(/^\d{1,5}$/)], 'must be a port from 1 to 65535')
    .transform(Number)
    .pipe(z.int().min(1, 'must be a port from 1 to 65535').max(65_535, 'must be a port from 1 to 65535'));

const command = () => text.nullable().optional();

/** The keys of the top-level `nginx` block, as written. */
export const nginxKeys = () =>
  z.strictObject({
    contexts: z
      .looseObject(
        {
          main: directives().describe('Lines at the top of the file: `worker_processes 2`.'),
          events: directives().describe('Lines of `events`: `worker_connections 1024`.'),
          http: directives().optional().describe('Lines of `http`, before those of the services.'),
          stream: directives().optional().describe('Lines of `stream`, before those of the services.'),
        },
        'must be a mapping with main and events',
      )
      .catchall(directives())
      .describe('Lines by the block that they belong to; any other block is written as it is.'),
    do_writes: flag.default(true).describe('Write the file.'),
    do_reloads: flag.default(true).describe('Start and reload nginx when the file changes.'),
    config_file_path: text.nullable().optional().describe('The nginx.conf that synapse writes.'),
    check_command: command().describe(
      'Shell command that checks the file. Where it names config_file_path, the candidate stands there instead. Default: `nginx -t` of the candidate.',
    ),
    reload_command: command().describe(
      'Shell command that reloads nginx. Default: a signal to the master that its pid file names.',
    ),
    start_command: command().describe(
      'Shell command that starts nginx; run where none is seen to run. Default: `nginx -c` with the file; none if there is a reload_command.',
    ),
    restart_interval: nonNegative.default(2).describe('Least time between two reloads, in seconds.'),
    restart_jitter: nonNegative
      .default(0)
      .describe('Random share of restart_interval added to it, so that a fleet does not reload at once.'),
    listen_address: address()
      .nullable()
      .default('localhost')
      .describe('Where services listen that do not say.'),
    nginx_binary: text.default('nginx').describe('The nginx executable, for commands that are not given.'),
  });

/** The keys of the `nginx` block of a service, as written. */
export const nginxServiceKeys = () =>
  z.strictObject({
    disabled: flag.default(false).describe('Leave the service out of the file.'),
    mode: z.enum(['http', 'tcp']).default('http').describe('A server of `http`, or of `stream`.'),
    port: port().nullable().optional().describe('Where it listens. Absent: only the upstream is written.'),
    listen_address: address().nullable().optional().describe("Instead of the top level's."),
    listen_options: furtherWords()
      .nullable()
      .optional()
      .describe('Further words of the listen line: `reuseport`.'),
    server: directives().default([]).describe('Lines of the server.'),
    upstream: directives().default([]).describe('Lines of the upstream: `least_conn`.'),
    server_options: furtherWords()
      .nullable()
      .optional()
      .describe('Further words of every server line of the upstream: `max_fails=3`.'),
    upstream_name: z
      .string()
      .regex(/^[A-Za-z0-9_.:-]{1,255}$/, "must be letters, digits, '_', '.', ':' and '-'")
      .nullable()
      .optional()
      .describe("Name of the upstream; default: the service's."),
    upstream_order: z
      .string()
      .nullable()
      .default('asc')
      .describe(
        'asc, desc (by name and address), no_shuffle (as discovered); shuffle is asc: each order would be a reload.',
      ),
  });

/** The top-level block after defaults. */
export interface NginxConfig {
  readonly contexts: Readonly<Record<string, readonly string[]>> & {
    readonly main: readonly string[];
    readonly events: readonly string[];
  };
  readonly doWrites: boolean;
  readonly doReloads: boolean;
  readonly configFilePath: string;
  readonly checkCommand: string | undefined;
  readonly reloadCommand: string | undefined;
  readonly startCommand: string | undefined;
  /** Milliseconds. */
  readonly restartIntervalMs: number;
  readonly restartJitter: number;
  readonly listenAddress: string;
  readonly nginxBinary: string;
}

/** The block of a service after defaults. */
export type NginxServiceConfig = z.output<ReturnType<typeof nginxServiceKeys>>;

/** Reads the top-level `nginx` block. */
export const readNginxBlock = blockReader(() =>
  nginxKeys()
    .superRefine(({ do_writes, config_file_path, contexts }, context) => {
      if (do_writes && (config_file_path ?? undefined) === undefined)
        context.addIssue({
          code: 'custom',
          path: ['config_file_path'],
          message: '`config_file_path` is required when `do_writes` is true',
        });
      for (const name of Object.keys(contexts))
        if (!/^[a-z_]+$/.test(name))
          context.addIssue({
            code: 'custom',
            path: ['contexts', name],
            message: 'must be the name of a block',
          });
    })
    .transform((keys): NginxConfig => ({
      contexts: keys.contexts,
      doWrites: keys.do_writes,
      doReloads: keys.do_reloads,
      configFilePath: resolve(keys.config_file_path ?? 'nginx.conf'),
      checkCommand: keys.check_command ?? undefined,
      reloadCommand: keys.reload_command ?? undefined,
      startCommand: keys.start_command ?? undefined,
      restartIntervalMs: keys.restart_interval * 1000,
      restartJitter: keys.restart_jitter,
      listenAddress: keys.listen_address ?? 'localhost',
      nginxBinary: keys.nginx_binary,
    })),
);

/** Reads the `nginx` block of a service. */
export const readServiceBlock = blockReader(nginxServiceKeys);
