import { z } from 'zod';

const seconds = (max: number) => z.number().min(0).max(max);
const milliseconds = (value: number) => Math.round(value * 1000);

/**
 * Settings that the Ruby pair does not know, in a file of their own beside the configuration
 * (`agent.yaml`): an unknown top-level key would make the shared file unreadable for it.
 * Durations are seconds, as everywhere in the configuration.
 */
export const agentFileSchema = z.strictObject({
  admin: z
    .strictObject({
      address: z.string().default('127.0.0.1'),
      /** 0 takes any free port; null opens none. */
      port: z.int().min(0).max(65535).nullable().default(3455),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).optional(),
      format: z.enum(['json', 'console']).optional(),
    })
    .prefault({}),
  reconcile: z
    .strictObject({
      holdoff: seconds(60).default(0.02),
      holdoff_max: seconds(60).default(0.2),
      startup_deadline: seconds(600).default(5),
      resync_interval: z.number().min(1).max(86_400).default(30),
    })
    .prefault({}),
  zookeeper: z
    .strictObject({
      session_timeout: z.number().min(0.4).max(3600).default(36),
      /** Credentials for znodes that not everybody may read: `{ scheme: digest, data: "user:password" }`. */
      auth: z.array(z.strictObject({ scheme: z.string().min(1), data: z.string() })).default([]),
    })
    .prefault({}),
});

/** The agent's own settings, in milliseconds. */
export interface AgentSettings {
  readonly admin: { readonly address: string; readonly port: number | null };
  readonly log: {
    readonly level?: 'debug' | 'info' | 'warn' | 'error';
    readonly format?: 'json' | 'console';
  };
  readonly holdoffMs: number;
  readonly holdoffMaxMs: number;
  readonly startupDeadlineMs: number;
  readonly resyncMs: number;
  readonly zookeeper: {
    readonly sessionTimeoutMs: number;
    readonly auth: readonly { readonly scheme: string; readonly data: string }[];
  };
}

/** Maps the file to the settings. */
export function toAgentSettings(file: z.output<typeof agentFileSchema>): AgentSettings {
  const { level, format } = file.log;
  return {
    admin: file.admin,
    log: { ...(level === undefined ? {} : { level }), ...(format === undefined ? {} : { format }) },
    holdoffMs: milliseconds(file.reconcile.holdoff),
    holdoffMaxMs: Math.max(milliseconds(file.reconcile.holdoff_max), milliseconds(file.reconcile.holdoff)),
    startupDeadlineMs: milliseconds(file.reconcile.startup_deadline),
    resyncMs: milliseconds(file.reconcile.resync_interval),
    zookeeper: {
      sessionTimeoutMs: milliseconds(file.zookeeper.session_timeout),
      auth: file.zookeeper.auth,
    },
  };
}

/** What holds without a file. */
export const defaultAgentSettings: AgentSettings = toAgentSettings(agentFileSchema.parse({}));
