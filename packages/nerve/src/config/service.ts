import type { Instance, Json } from '@smartstack/registry';
import * as z from 'zod';
import { type CheckOptions, checkSchema } from '../checks/index.js';
import type { RateLimit } from '../registration/rateLimit.js';
import { reporters } from '../reporters/index.js';
import type { ZooKeeperSettings } from '../reporters/zookeeper.js';
import { camelKeys } from './camel.js';
import { type LifecycleDefinition, lifecycleDefinition, lifecycleKeys } from './lifecycle.js';
import { host, optional, port, seconds, withDefault } from './values.js';

/** A label's value: any JSON. Integers beyond 2^53 arrive as bigints and are published as they are. */
const json: z.ZodType<Json> = z.custom<Json>(
  (value) => isJson(value, 20),
  'expected text, a number, true, false, null, or lists and maps of them',
);

function isJson(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return value !== undefined;
  return depth > 0 && Object.values(value).every((inner) => isJson(inner, depth - 1));
}

const weight = z
  .union([z.number().int().min(0), z.string().regex(/^\d+$/, 'expected a whole number, 0 or more')])
  .transform(Number);

const rate = z.union([z.number().min(0), z.literal(Infinity)]);

const rateLimiting = z
  .strictObject({
    shadow_mode: withDefault(z.boolean(), true).describe('Only count what would be refused.'),
    average_rate: optional(rate).describe('Changes of the registration a second; no limit by default.'),
    max_burst: optional(z.union([z.number().min(1), z.literal(Infinity)])).describe(
      'Changes that a quiet time can save up; no limit by default.',
    ),
  })
  .transform((value) => camelKeys(value));

/** The keys of a service, beside those of its reporter. */
const keys = {
  host: host.describe('The address that is published, and tested unless a check has its own.'),
  port: port.describe('The port that is published, and tested unless a check has its own.'),
  reporter_type: z.literal('zookeeper').nullish().describe('Where to publish: zookeeper (the default).'),
  check_interval: withDefault(seconds, 0.5).describe(
    'Seconds from the start of one round of checks to the next.',
  ),
  check_mocked: withDefault(z.boolean(), false).describe('Count as up without executing any check.'),
  checks: withDefault(z.array(checkSchema), []).describe('All of them must pass. None: always up.'),
  weight: optional(weight).describe('Share of the traffic; 0 takes no new traffic.'),
  haproxy_server_options: optional(z.string()).describe("Options for HAProxy's server line."),
  labels: optional(z.record(z.string(), json)).describe('Anything that describes this instance.'),
  load_test_concurrency: optional(z.number().int().min(0).max(10_000)).describe(
    'Register so many copies, named with _0, _1 … (for load tests).',
  ),
  rate_limiting: optional(rateLimiting).describe('How often the registration may change.'),
  ...lifecycleKeys,
};

/** One service's definition as it stands in a file: the service's own keys and its reporter's. */
export const serviceSchema = z
  .strictObject({ ...keys, ...reporters.zookeeper.options })
  .transform((value, refinement) => {
    if (value.slow_start !== undefined && value.weight === undefined) {
      const message = 'Needs weight: without one there is nothing that could grow';
      refinement.addIssue({ code: 'custom', path: ['slow_start'], message });
    }
    return camelKeys(value);
  });

type ServiceValue = z.output<typeof serviceSchema>;

/** One service as the agent runs it. Comparable by value: equal definitions need no change. */
export interface ServiceDefinition {
  readonly name: string;
  /** The name that the definition has in its file; differs from `name` for copies of a load test. */
  readonly source: string;
  readonly instance: Instance;
  readonly checkIntervalMs: number;
  /** Always up, without a look. */
  readonly mocked: boolean;
  readonly checks: readonly CheckOptions[];
  readonly rateLimit: RateLimit & { readonly shadow: boolean };
  readonly lifecycle: LifecycleDefinition;
  readonly reporter: { readonly type: 'zookeeper'; readonly settings: ZooKeeperSettings };
}

/** What the agent makes of a definition that stands in a file under `name`: one, or copies for a load test. */
export function serviceDefinitions(
  name: string,
  value: ServiceValue,
  instanceId: string,
): readonly ServiceDefinition[] {
  const copies = value.loadTestConcurrency;
  const names = copies === undefined ? [name] : Array.from({ length: copies }, (_, i) => `${name}_${i}`);
  return names.map((copy) => ({ name: copy, source: name, ...definition(value, instanceId) }));
}

function definition(value: ServiceValue, instanceId: string): Omit<ServiceDefinition, 'name' | 'source'> {
  const { checkInterval, checkMocked, checks, rateLimiting: limits, weight: share, labels } = value;
  return {
    instance: {
      host: value.host,
      port: Number(value.port),
      ...(typeof value.port === 'string' ? { portAsText: true } : {}),
      name: instanceId,
      ...(share === undefined ? {} : { weight: share }),
      ...(value.haproxyServerOptions === undefined
        ? {}
        : { haproxyServerOptions: value.haproxyServerOptions }),
      ...(labels === undefined ? {} : { labels }),
    },
    checkIntervalMs: checkInterval * 1000,
    mocked: checkMocked,
    checks,
    rateLimit: {
      shadow: limits?.shadowMode ?? true,
      averageRate: limits?.averageRate ?? Infinity,
      maxBurst: limits?.maxBurst ?? Infinity,
    },
    lifecycle: lifecycleDefinition(value),
    reporter: { type: 'zookeeper', settings: zookeeperSettings(value) },
  };
}

function zookeeperSettings(value: ServiceValue): ZooKeeperSettings {
  const { zkHosts, zkAuth, zkAuthFile, zkTls, zkPath, usePathEncoding, nodeType, ttlSeconds, zkAcl } = value;
  return { zkHosts, zkAuth, zkAuthFile, zkTls, zkPath, usePathEncoding, nodeType, ttlSeconds, zkAcl };
}
