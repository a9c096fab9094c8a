import { access } from 'node:fs/promises';

import {
  adminSettings,
  type AdminSettings,
  type ConfigIssue,
  logSettings,
  type LogSettings,
  type ParsedFile,
  readConfigFile,
  validateConfig,
} from '@smartstack/agent';
import { credentialProblem, tlsSettings, type ZkTls } from '@smartstack/registry';
import * as z from 'zod';

import { massLossSettings, type MassLossSettings } from './massLoss.js';
import { type Location, nowhere } from '../catalog/locality.js';
import { locationSchema, readLocation } from './location.js';
import { hasErrors, issueAt } from './source.js';
import { readTopology, topologySettings, type TopologySettings } from './topology.js';
import type { TrafficSettings } from '../traffic/types.js';

const seconds = (max: number) => z.number().min(0).max(max);
const milliseconds = (value: number) => Math.round(value * 1000);

/**
 * Settings that the Ruby pair does not know, in a file of their own beside the configuration
 * (`agent.yaml`): an unknown top-level key would make the shared file unreadable for it.
 * Durations are seconds, as everywhere in the configuration.
 * Each key has a schema that is made when it is needed: a start needs those that the file has.
 */
const keys = {
  admin: () => adminSettings('127.0.0.1:3455'),
  log: logSettings,
  location: locationSchema,
  reconcile: () =>
    z
      .strictObject({
        holdoff: seconds(60)
          .default(0.02)
          .describe('Quiet time that ends a burst of changes. A change after quiet is acted on at once.'),
        holdoff_max: seconds(60).default(0.2).describe('However busy it is, no change waits longer.'),
        startup_deadline: seconds(600)
          .default(5)
          .describe('How long a new service is waited for before its memory or default servers stand in.'),
        resync_interval: z
          .number()
          .min(1)
          .max(86_400)
          .default(30)
          .describe(
            'How often HAProxy is compared without any event. Its servers are read anew at most every 10 s.',
          ),
      })
      .prefault({})
      .describe('When generators act.'),
  mass_loss: massLossSettings,
  traffic: () =>
    z
      .strictObject({
        latencies: z
          .boolean()
          .default(true)
          .describe(
            'Have HAProxy (2.6 and later) count how long servers take to answer, with rules for each backend in `mode http`. Without an agent.yaml it does not.',
          ),
        stick_counter: z
          .int()
          .min(0)
          .max(11)
          .default(2)
          .describe("Which of HAProxy's stick counters these lines use: one that no other line uses."),
        tap: z
          .union([z.boolean(), z.literal('token')], 'must be true, false or `token`')
          .default(true)
          .describe(
            'Let requests be looked at while they pass (`synapse tap`, `synapse top`, the dashboard): time, client, method, path, status. true: for whoever may read the API; token: over TCP for whoever has the token; false: HAProxy gets no lines for it.',
          ),
      })
      .prefault({})
      .describe('What is counted of the traffic of services, and who may look at it.'),
  topology: topologySettings,
  zookeeper: () =>
    z
      .strictObject({
        session_timeout: z.number().min(0.4).max(3600).default(36).describe('Asked of the server.'),
        auth: z
          .array(z.strictObject({ scheme: z.string().min(1), data: z.string() }))
          .default([])
          .describe('Credentials: `{scheme: digest, data: "user:password"}`.'),
        tls: tlsSettings().nullish().describe('Connect with TLS.'),
      })
      .prefault({})
      .describe('Sessions with ZooKeeper.'),
} as const;

type Key = keyof typeof keys;
type Shape = { [K in Key]: ReturnType<(typeof keys)[K]> };

/** What a file says; where it lacks a key, `unsaid`. */
type Read = z.output<z.ZodObject<Shape>>;

function schemaOf(present: readonly Key[]): z.ZodType<Partial<Read>> {
  return z.strictObject(Object.fromEntries(present.map((key) => [key, keys[key]()])));
}

/** The schema of the whole file. */
export function agentFileSchema(): z.ZodObject<Shape> {
  return schemaOf(Object.keys(keys) as Key[]) as unknown as z.ZodObject<Shape>;
}

/** What each schema makes of nothing: a start need not make it for that. */
export const unsaid: Read = {
  admin: { listen: [{ host: '127.0.0.1', port: 3455 }], isUsual: true, allowedHosts: [], access: {} },
  log: { level: undefined, format: undefined },
  location: undefined,
  reconcile: { holdoff: 0.02, holdoff_max: 0.2, startup_deadline: 5, resync_interval: 30 },
  mass_loss: { share: 0.5, minimum: 3, window: 10, hold: 300 },
  traffic: { latencies: true, stick_counter: 2, tap: true },
  topology: { interval: 10, zk_path: '/smartstack/mesh/v1/hosts' },
  zookeeper: { session_timeout: 36, auth: [] },
};

/** Reads the keys that the file has; what is wrong with it is told by the schema of all. */
function readFileKeys(parsed: ParsedFile): ReturnType<typeof validateConfig<Read>> {
  const present = Object.keys(Object(parsed.value) as object);
  if (present.every((key): key is Key => Object.hasOwn(keys, key))) {
    const { value } = validateConfig(parsed, schemaOf(present));
    if (value !== undefined) return { value: { ...unsaid, ...value }, issues: [] };
  }
  return validateConfig<Read>(parsed, agentFileSchema());
}

/** The agent's own settings, in milliseconds. */
export interface AgentSettings {
  readonly admin: AdminSettings;
  readonly log: LogSettings;
  /** Where this host is. */
  readonly location: Location;
  readonly holdoffMs: number;
  readonly holdoffMaxMs: number;
  readonly startupDeadlineMs: number;
  readonly resyncMs: number;
  readonly massLoss: MassLossSettings;
  readonly traffic: TrafficSettings;
  readonly topology: TopologySettings;
  /** Whether looking at requests takes the token, also from this host. */
  readonly tapNeedsToken: boolean;
  readonly zookeeper: {
    readonly sessionTimeoutMs: number;
    readonly auth: readonly { readonly scheme: string; readonly data: string }[];
    readonly tls?: ZkTls;
  };
}

function toSettings(read: Read, location: Location): AgentSettings {
  const { admin, log, reconcile, zookeeper, mass_loss: massLoss, traffic } = read;
  const holdoffMs = milliseconds(reconcile.holdoff);
  return {
    admin,
    log,
    location,
    holdoffMs,
    holdoffMaxMs: Math.max(milliseconds(reconcile.holdoff_max), holdoffMs),
    startupDeadlineMs: milliseconds(reconcile.startup_deadline),
    resyncMs: milliseconds(reconcile.resync_interval),
    massLoss,
    traffic: {
      ...{ latencies: traffic.latencies, stickCounter: traffic.stick_counter },
      tap: traffic.tap !== false,
    },
    topology: readTopology(read.topology),
    tapNeedsToken: traffic.tap === 'token',
    zookeeper: {
      sessionTimeoutMs: milliseconds(zookeeper.session_timeout),
      auth: zookeeper.auth,
      ...(zookeeper.tls && { tls: zookeeper.tls }),
    },
  };
}

/** What holds without a file: nothing that the Ruby pair's file does not say leads to other lines than the Ruby pair's. */
export const defaultAgentSettings: AgentSettings = toSettings(
  { ...unsaid, traffic: { ...unsaid.traffic, latencies: false, tap: false } },
  nowhere,
);

/**
 * The settings in a file, or what is wrong with it. A file that is missing and `optional` says nothing. `env` is where
 * a location that names variables finds them.
 */
export async function readAgentSettings(
  file: string,
  optional: boolean,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly settings: AgentSettings | undefined; readonly issues: readonly ConfigIssue[] }> {
  if (optional && !(await exists(file))) return { settings: defaultAgentSettings, issues: [] };
  const parsed = await readConfigFile(file);
  const { value, issues: found } = readFileKeys(parsed);
  const tls = value?.zookeeper.tls ?? undefined;
  const problem = await credentialProblem({ tls });
  const unusable =
    problem === undefined ? [] : [issueAt({ parsed, path: ['zookeeper', 'tls'] }, 'error', problem)];
  const { location, problems } = await readLocation(value?.location, env);
  const misplaced = problems.map(({ level, problem: why }) =>
    issueAt({ parsed, path: ['location', level] }, 'error', why),
  );
  const issues = [...parsed.issues, ...found, ...unusable, ...misplaced];
  const settings = value === undefined || hasErrors(issues) ? undefined : toSettings(value, location);
  return { settings, issues };
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}
