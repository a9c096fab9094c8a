import { describeError } from '@smartstack/agent';
import { codecOptions, parseHosts, type ZkPath } from '@smartstack/registry';
import * as z from 'zod';

import type { BlockIssue } from '../../catalog/types.js';
import { oneOrMore } from '../../config/fields.js';

/** Ruby ignores a jitter beyond this, in seconds. */
const maxJitter = 120;

const path = z
  .string()
  .regex(/^\/./, 'expected an absolute path')
  .transform(
    (text): ZkPath =>
      `/${text
        .split('/')
        .filter((part) => part !== '')
        .join('/')}`,
  );

/** The last host may carry a chroot: `b:2181/smartstack`. */
const hosts = oneOrMore(z.string().min(1)).superRefine((list, context) => {
  if (list.length === 0) return;
  try {
    parseHosts(list);
  } catch (error) {
    context.addIssue({ code: 'custom', message: describeError(error) });
  }
});

/** What every watcher of znodes is told of them. */
export const znodeKeys = {
  hosts: hosts.describe('host:port of each server of the ensemble; the last may end in a chroot.'),
  path: path.describe("The znode whose children are the service's instances."),
  decode: codecOptions.nullish().describe('The format of the instances; default: that of nerve.'),
  generator_config_path: z
    .union([z.literal('disabled'), path])
    .nullish()
    .describe("The znode whose data hold the service's generator blocks (default: `path`), or disabled."),
  discovery_jitter: z
    .number()
    .min(0)
    .nullish()
    .describe('Seconds; reading after a change waits up to so long, at random (0 to 120).'),
  retry_policy: z
    .unknown()
    .optional()
    .describe("Limits of the Ruby pair's attempts. Ignored: ours never gives up."),
} as const;

/** The values of these keys. */
export type ZnodeOptions = z.output<z.ZodObject<typeof znodeKeys>>;

/** The longest wait after a change, in milliseconds. */
export function jitterMsOf({ discovery_jitter: jitter }: ZnodeOptions): number {
  return (jitter ?? 0) <= maxJitter ? (jitter ?? 0) * 1000 : 0;
}

/** Advice on values that are valid, but do not do what they seem to. */
export function znodeAdvice({ discovery_jitter: jitter }: ZnodeOptions): readonly BlockIssue[] {
  return typeof jitter === 'number' && jitter > maxJitter
    ? [
        {
          path: ['discovery_jitter'],
          message: `A jitter beyond ${maxJitter} seconds is ignored, as Ruby does`,
          severity: 'warning',
        },
      ]
    : [];
}

const defaultPollingSeconds = 60;

/** What a watcher is told that asks now and then. */
export const pollingKeys = () => ({
  polling_interval_sec: z
    .number()
    .min(0)
    .nullish()
    .describe('Seconds between two readings (at least 0.5).')
    .meta({ default: defaultPollingSeconds }),
});

/** The pause between two readings, in milliseconds. */
export function pollingIntervalMs({
  polling_interval_sec: seconds,
}: {
  readonly polling_interval_sec?: number | null | undefined;
}): number {
  return (seconds ?? defaultPollingSeconds) * 1000;
}
