import type { Instance, Json } from '@smartstack/registry';
import * as z from 'zod';
import { type CheckOptions, checkSchema } from '../checks/index.js';
import type { RateLimit } from '../registration/rateLimit.js';
import {
  besideKeys,
  chooseReporters,
  hasOwnReporter,
  missingKeys,
  type ReporterChoice,
  reporterSchema,
} from '../reporters/index.js';
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

const reporterType = optional(z.enum(['zookeeper', 'etcd', 'file']));

/** The keys of a service, beside those of its reporter. */
const keys = {
  host: host.describe('The address that is published, and tested unless a check has its own.'),
  port: port.describe('The port that is published, and tested unless a check has its own.'),
  reporter_type: reporterType.describe('Where to publish: zookeeper (the default), etcd or file.'),
  reporters: withDefault(z.array(reporterSchema), []).describe(
    'Where to publish beside that, each with its type and the keys of that type.',
  ),
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

type NeededFor = [
  (raw: unknown) => boolean,
  { path: PropertyKey[]; message: string; when: (payload: z.core.ParsePayload) => boolean },
];

/** Says that `key` is missing where the reporter needs it, also while other keys are wrong: all issues at once. */
function neededFor(key: string): NeededFor {
  const holds = (raw: unknown): boolean => {
    const value = camelKeys(raw as Record<string, unknown>);
    const type = reporterType.safeParse(value.reporterType).data;
    const listed = Array.isArray(value.reporters) ? value.reporters : [];
    return !hasOwnReporter(value, type, listed) || !missingKeys(value, type ?? 'zookeeper').includes(key);
  };
  const when = ({ value, issues }: z.core.ParsePayload): boolean =>
    typeof value === 'object' && value !== null && !issues.some(({ path }) => path?.[0] === key);
  return [holds, { path: [key], message: 'Required', when }];
}

/** One service's definition as it stands in a file: the service's own keys and its reporters'. */
export const serviceSchema = z
  .strictObject({ ...keys, ...besideKeys })
  .refine(...neededFor('zk_hosts'))
  .refine(...neededFor('zk_path'))
  .refine(...neededFor('file_directory'))
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
  readonly reporters: readonly ReporterChoice[];
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
    reporters: chooseReporters(value, value.reporterType, value.reporters, {
      checkIntervalMs: checkInterval * 1000,
    }),
  };
}
