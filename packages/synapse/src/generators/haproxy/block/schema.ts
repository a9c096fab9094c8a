import { dirname, join } from 'node:path';
import * as z from 'zod';
import { type Location, nowhere } from '../../../catalog/locality.js';
import { defaultStatsAddress, presetDefaults, presetGlobal, presetsSchema, statsSection } from './presets.js';
import {
  bigInteger,
  flag,
  integer,
  lines,
  nonNegative,
  sectionName,
  socketPathProblem,
  text,
} from './schemaFields.js';
import { haproxyServiceKeys } from './serviceSchema.js';
import type { Section } from '../types.js';

/** Where things are when our presets are in use. A Ruby file says it all itself. */
const defaultPaths = {
  config: '/var/lib/synapse/haproxy.cfg',
  adminSocket: '/run/synapse/haproxy-admin.sock',
  masterSocket: '/run/synapse/haproxy-master.sock',
} as const;

const command = text.nullable().optional();
const sectionTitle = z
  .string()
  .regex(sectionName, "must be a section name: letters, digits, '_', '.', ':' and '-'");

/** The keys of the top-level `haproxy` block, as written. */
export const haproxyKeys = z.strictObject({
  global: lines
    .optional()
    .describe('Lines of the global section. Absent: synapse brings its own (`presets`).'),
  defaults: lines
    .optional()
    .describe('Lines of the defaults section. Absent: synapse brings its own (`presets`).'),
  presets: presetsSchema.prefault({}),
  stats: z
    .union([z.boolean(), text], 'must be an address, true or false')
    .optional()
    .describe(
      `HAProxy's stats page: an address to bind, true (${defaultStatsAddress}) or false. On by default where \`global\` is absent.`,
    ),
  extra_sections: z
    .record(text, lines)
    .nullable()
    .default({})
    .describe('Further sections by title (`listen stats`), written as they are after defaults.'),
  shared_frontend: lines
    .optional()
    .describe('Lines of the frontend `shared-frontend`, to which services add their own `shared_frontend`.'),
  prepared_services: z
    .record(sectionTitle, haproxyServiceKeys)
    .nullable()
    .default({})
    .describe(
      'Services by name that may come later, each with the `haproxy` block that it will have: their frontends exist from the start and answer 503, so that adding or removing one of them needs no reload.',
    ),
  bind_address: text.nullable().default('localhost').describe('Where frontends listen that do not say.'),
  do_writes: flag.default(true).describe('Write haproxy.cfg.'),
  do_socket: flag.default(true).describe('Change the running HAProxy through its Runtime API.'),
  do_reloads: flag.default(true).describe('Reload HAProxy when a change needs it.'),
  do_checks: flag.default(false).describe('Run check_command before a new file replaces the old one.'),
  config_file_path: text.optional().describe('The haproxy.cfg that synapse writes.'),
  candidate_config_file_path: text
    .optional()
    .describe('Where a new file is written and checked first; default: config_file_path with .tmp.'),
  socket_file_path: z
    .union([text, z.array(text).min(1)], 'must be a path or a list of paths')
    .optional()
    .describe("HAProxy's admin socket, or a list of them."),
  reload_command: command.describe('Shell command that reloads HAProxy. Default: the master socket.'),
  check_command: command.describe('Shell command that checks the candidate file, for do_checks.'),
  restart_interval: nonNegative.default(2).describe('Least time between two reloads, in seconds.'),
  restart_jitter: nonNegative
    .default(0)
    .describe('Random share of restart_interval added to it, so that a fleet does not reload at once.'),
  state_file_path: text
    .nullable()
    .optional()
    .describe(
      'JSON file that remembers server ids and servers that vanished; these stay in haproxy.cfg as `disabled` for state_file_ttl. Absent, where `global` is: a file beside haproxy.cfg, for the ids alone.',
    ),
  state_file_ttl: integer(0, 1e12)
    .default(86_400)
    .describe('How long a vanished server is remembered, in seconds.'),
  server_order_seed: bigInteger
    .optional()
    .describe("Seed of the servers' order; may have 128 bits. Default: from the host's name."),
  max_server_id: integer(1, 2 ** 31 - 1)
    .default(65_535)
    .describe('Greatest server id that synapse assigns.'),
  use_nerve_weights: flag
    .default(false)
    .describe("Let an instance's weight replace `weight` in its options."),
  managed: flag.default(false).describe('Start a master-worker HAProxy, and leave it serving on exit.'),
  haproxy_binary: text.default('haproxy').describe('The haproxy executable, for checks and for `managed`.'),
  master_socket_path: text
    .optional()
    .describe("HAProxy's master socket (`haproxy -W -S`), used to reload it."),
  probe_new_servers: z
    .enum(['tcp', 'off', 'strict'])
    .default('tcp')
    .describe(
      'How a new server with `check` enters: tcp (UP if it accepts a connection from here), off (UP at once) or strict (after its first checks).',
    ),
  registry_server_options: z
    .enum(['strict', 'any'])
    .default('strict')
    .describe(
      'Which haproxy_server_options an instance may bring: a list known to be harmless, or any keyword.',
    ),
  section_keywords: z
    .enum(['ruby', 'modern'])
    .optional()
    .describe(
      "Which lines of frontend, backend and listen are accepted: Ruby's list of HAProxy 1.6 keywords, or also those of 2.6. Default: ruby where the file has its own global or defaults, else modern.",
    ),
});

type Keys = z.output<typeof haproxyKeys>;

/** The top-level `haproxy` block after defaults and presets: what the generator works with. */
export interface HaproxyConfig {
  /** global, defaults, the stats page and extra_sections, in file order. */
  readonly base: readonly Section[];
  /** Undefined when the file has no shared frontend; then services cannot add to it. */
  readonly sharedFrontend: readonly string[] | undefined;
  readonly bindAddress: string;
  /** `haproxy` blocks by service, as a service's own would be. */
  readonly preparedServices: Readonly<Record<string, unknown>>;
  readonly doWrites: boolean;
  readonly doSocket: boolean;
  readonly doReloads: boolean;
  readonly doChecks: boolean;
  readonly configFilePath: string;
  readonly candidateConfigFilePath: string;
  readonly socketFilePaths: readonly string[];
  /** For `/bin/sh`. Undefined: reload through the master socket. */
  readonly reloadCommand: string | undefined;
  /** For `/bin/sh`. */
  readonly checkCommand: string | undefined;
  /** Least milliseconds between two reloads. */
  readonly restartIntervalMs: number;
  /** Up to this share of the interval is added at random. */
  readonly restartJitter: number;
  /** Where memory is kept; undefined: only in the process. */
  readonly stateFilePath: string | undefined;
  /** Vanished servers stay in the file as `disabled`: only where the operator configured a state file, as Ruby. */
  readonly keepVanished: boolean;
  readonly stateFileTtlSeconds: number;
  readonly serverOrderSeed: bigint;
  readonly maxServerId: number;
  readonly useNerveWeights: boolean;
  readonly managed: boolean;
  readonly haproxyBinary: string;
  readonly masterSocketPath: string | undefined;
  readonly statsAddress: string | undefined;
  readonly probeNewServers: 'tcp' | 'off' | 'strict';
  readonly registryServerOptions: 'strict' | 'any';
  readonly sectionKeywords: 'ruby' | 'modern';
  /** Where this host is: from agent.yaml, not from the block. */
  readonly location: Location;
  /** The stick counter with which latencies are counted, also from there; undefined where they are not. */
  readonly latencyCounter: number | undefined;
  /** Whether requests can be looked at while they pass, also from there. */
  readonly tap: boolean;
}

/** True when synapse knows the paths itself: its own global section, or an HAProxy that it starts. */
function ownsPaths(keys: Keys): boolean {
  return keys.global === undefined || keys.managed;
}

/** HAProxy's sockets as written, and whether it is synapse that has it bind them. */
function sockets(keys: Keys): readonly {
  readonly path: readonly PropertyKey[];
  readonly socket: string;
  readonly use: 'connect' | 'bind';
}[] {
  const admin = keys.socket_file_path ?? [];
  const use = keys.global === undefined ? 'bind' : 'connect';
  const list = Array.isArray(admin)
    ? admin.map((socket, index) => ({ path: ['socket_file_path', index], socket, use }) as const)
    : [{ path: ['socket_file_path'], socket: admin, use } as const];
  if (keys.master_socket_path === undefined) return list;
  const master = { path: ['master_socket_path'], socket: keys.master_socket_path } as const;
  return [...list, { ...master, use: keys.managed ? 'bind' : 'connect' }];
}

function requiredWhen(keys: Keys, context: z.core.$RefinementCtx<Keys>): void {
  const missing = (key: keyof Keys, why: string): void => {
    if (keys[key] !== undefined && keys[key] !== null) return;
    context.addIssue({ code: 'custom', path: [key], message: `\`${key}\` is required when ${why}` });
  };
  if (keys.do_writes && !ownsPaths(keys)) missing('config_file_path', '`do_writes` is true');
  if (keys.do_socket && keys.global !== undefined) {
    missing('socket_file_path', '`do_socket` is true and `global` is given (its `stats socket`)');
  }
  if (keys.do_checks) missing('check_command', '`do_checks` is true');
  if (keys.do_reloads && !ownsPaths(keys) && keys.master_socket_path === undefined) {
    missing('reload_command', '`do_reloads` is true, unless there is a `master_socket_path`');
  }
  for (const { path, socket, use } of sockets(keys)) {
    const message = socketPathProblem(socket, use);
    if (message !== undefined) context.addIssue({ code: 'custom', path: [...path], message });
  }
  for (const title of Object.keys(keys.extra_sections ?? {})) {
    if (/^\S/.test(title)) continue;
    const message = 'a section title must begin with its keyword';
    context.addIssue({ code: 'custom', path: ['extra_sections', title], message });
  }
}

function toConfig(keys: Keys): HaproxyConfig {
  const ours = keys.global === undefined;
  const configFilePath = keys.config_file_path ?? defaultPaths.config;
  const socketFilePaths = [keys.socket_file_path ?? defaultPaths.adminSocket].flat();
  const stats = keys.stats ?? ours;
  const statsAddress = stats === true ? defaultStatsAddress : stats === false ? undefined : stats;
  const stateFilePath = keys.state_file_path ?? undefined;
  const extraSections = Object.entries(keys.extra_sections ?? {}).flatMap(([title, own]) => [title, ...own]);
  return {
    base: [
      { title: 'global', lines: keys.global ?? presetGlobal(keys.presets, socketFilePaths, extraSections) },
      { title: 'defaults', lines: keys.defaults ?? presetDefaults(keys.presets) },
      ...(statsAddress === undefined ? [] : [statsSection(statsAddress)]),
      ...Object.entries(keys.extra_sections ?? {}).map(([title, content]) => ({ title, lines: content })),
    ],
    sharedFrontend: keys.shared_frontend,
    location: nowhere,
    latencyCounter: undefined,
    tap: false,
    bindAddress: keys.bind_address ?? 'localhost',
    preparedServices: keys.prepared_services ?? {},
    doWrites: keys.do_writes,
    doSocket: keys.do_socket,
    doReloads: keys.do_reloads,
    doChecks: keys.do_checks,
    configFilePath,
    candidateConfigFilePath: keys.candidate_config_file_path ?? `${configFilePath}.tmp`,
    socketFilePaths,
    reloadCommand: keys.reload_command ?? undefined,
    checkCommand: keys.check_command ?? undefined,
    restartIntervalMs: keys.restart_interval * 1000,
    restartJitter: keys.restart_jitter,
    stateFilePath: stateFilePath ?? (ours ? join(dirname(configFilePath), 'haproxy-state.json') : undefined),
    keepVanished: stateFilePath !== undefined,
    stateFileTtlSeconds: keys.state_file_ttl,
    serverOrderSeed: keys.server_order_seed ?? 0n,
    maxServerId: keys.max_server_id,
    useNerveWeights: keys.use_nerve_weights,
    managed: keys.managed,
    haproxyBinary: keys.haproxy_binary,
    masterSocketPath: keys.master_socket_path ?? (ownsPaths(keys) ? defaultPaths.masterSocket : undefined),
    statsAddress,
    probeNewServers: keys.probe_new_servers,
    registryServerOptions: keys.registry_server_options,
    sectionKeywords: keys.section_keywords ?? (ours && keys.defaults === undefined ? 'modern' : 'ruby'),
  };
}

/** The top-level `haproxy` block: what it may hold, and what it means. */
export const haproxySchema = haproxyKeys.superRefine(requiredWhen).transform(toConfig);
