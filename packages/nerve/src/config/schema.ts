import { adminSettings, logSettings } from '@smartstack/agent';
import { nodeNameProblem } from '@smartstack/registry';
import * as z from 'zod';
import { camelKeys } from './camel.js';
import { absolutePath, count, host, optional, port, seconds, withDefault } from './values.js';
import { serviceSchema } from './service.js';

const instanceId = z
  .union([z.string().min(1), z.number(), z.bigint()])
  .transform(String)
  .superRefine((id, context) => {
    const problem = nodeNameProblem(`${id}_`);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

/** Ruby calls `to_i`. */
const portNumber = port.transform(Number);

/** Keys of the main file, except `services`. Those from `admin` on are ours; airbnb's nerve ignores them. */
const keys = {
  instance_id: optional(instanceId).describe('Names this host in the registry. Required here, or with -i.'),
  service_conf_dir: optional(z.string().min(1)).describe(
    'A directory of definitions, <service>.yaml or <service>.json, which go before those here.',
  ),
  heartbeat_path: optional(z.string().min(1)).describe('A file to touch about every 10 s.'),
  max_repeated_report_failures: optional(count).describe(
    'Accepted, without effect: reporting never gives up.',
  ),
  statsd: optional(
    z.strictObject({
      host: withDefault(host, 'localhost').describe('Where it listens.'),
      port: withDefault(portNumber, 8125).describe('Its UDP port.'),
    }),
  ).describe('Send metrics to DogStatsD, under the names of the Ruby nerve. Nowhere unless given.'),
  admin: adminSettings(
    '127.0.0.1:3454',
    ' As a unit of systemd also nerve.sock in its RuntimeDirectory, unless this says otherwise.',
  ),
  log: logSettings(),
  stop_timeout: withDefault(seconds.pipe(z.number().max(20)), 10).describe(
    'Seconds for withdrawing everything when told to stop; at most 20.',
  ),
  drain_on_stop: withDefault(z.boolean(), false).describe(
    'When told to stop: withdraw, then wait for the callers as each drain says, and end only then.',
  ),
  drain_on_stop_max: withDefault(seconds.pipe(z.number().max(3600)), 60).describe(
    'Seconds that drain_on_stop waits at most, over all services.',
  ),
  state_dir: optional(absolutePath).describe(
    "Where drains and weights that were set at run time are kept. Default: systemd's StateDirectory; without one, in memory.",
  ),
  max_concurrent_checks: withDefault(z.number().int().min(1).max(100_000), 256).describe(
    'Checks that may be under way at once; further ones wait for their turn.',
  ),
};

/** The main file without its services, which are validated one by one: a directory's go before them. */
export const mainSchema = z
  .strictObject({ ...keys, services: optional(z.record(z.string(), z.unknown())) })
  .transform((value) => camelKeys(value));

/** The whole main file, for editors. */
export const fileSchema = z.strictObject({
  ...keys,
  services: optional(z.record(z.string(), serviceSchema)),
});

/** The main file's settings. */
export type MainConfig = z.output<typeof mainSchema>;
