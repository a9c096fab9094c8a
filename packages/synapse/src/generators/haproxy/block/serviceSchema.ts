import * as z from 'zod';
import { levelName } from '../../../catalog/locality.js';
import { callersSchema, type OwnCaller } from './callerSchema.js';
import { type Policy, policySchema } from './policySchema.js';
import { flag, integer, lines, sectionName, text } from './schemaFields.js';
import { templateProblem } from '../desired/template.js';

const portMessage = 'must be a port from 1 to 65535, or a range of ports as text';
const port = z
  .union(
    [
      z.int(portMessage).min(1, portMessage).max(65_535, portMessage),
      z.string().regex(/^\d{1,5}(-\d{1,5})?$/, portMessage),
    ],
    portMessage,
  )
  .transform(String);

const locality = z
  .strictObject({
    levels: z
      .array(z.string().regex(levelName, "must be the name of a label: letters, digits, '_', '.' and '-'"))
      .min(1, 'must name a level')
      .max(8, 'must be 8 levels at most')
      .refine((levels) => new Set(levels).size === levels.length, 'must name each level once')
      .describe('Labels that say where an instance is, from near to far, such as [zone, region].'),
    minimum: integer(1, 65_535)
      .default(2)
      .describe('Servers of a level that must be up; with fewer, the next wider level is used.'),
  })
  .describe('Prefer instances near this host, whose `location` is in agent.yaml.');

/** The `haproxy` block of a service, as written. */
export const haproxyServiceKeys = z.strictObject({
  disabled: flag.default(false).describe('Leave the service out of haproxy.cfg.'),
  port: port
    .nullable()
    .optional()
    .describe('Port of the frontend. null: bind_address has it or needs none. Absent: no frontend.'),
  bind_address: text.nullable().optional().describe('Where the frontend listens.'),
  bind_options: text.nullable().optional().describe('Further words of the bind line.'),
  server_options: z
    .string()
    .nullable()
    .default('')
    .superRefine((value, context) => {
      const problem = value === null ? undefined : templateProblem(value);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .describe('Words of every server line; %{host}, %{port} and %{name} stand for the instance, %% for %.'),
  frontend: lines.default([]).describe('Lines of the frontend.'),
  backend: lines.default([]).describe('Lines of the backend.'),
  listen: lines
    .default([])
    .describe('Lines for the frontend, the backend or both: wherever each is allowed.'),
  backend_name: z
    .string()
    .regex(sectionName, "must be a section name: letters, digits, '_', '.', ':' and '-'")
    .nullable()
    .optional()
    .describe("Name of the backend section; default: the service's."),
  backend_order: z
    .string()
    .nullable()
    .optional()
    .describe('asc, desc (by server name), no_shuffle (as discovered); else shuffled by server_order_seed.'),
  shared_frontend: lines.optional().describe('Lines added to the shared frontend.'),
  cookie_value_method: z
    .string()
    .nullable()
    .optional()
    .describe('hash: the SHA-1 of the server name is its cookie; else the name itself.'),
  server_port_override: integer(1, 65_535)
    .nullable()
    .optional()
    .describe("Port of every instance. Deprecated: use the service's backend_port_override."),
  callers: callersSchema.nullable().optional().meta({ description: callersSchema.description }),
  latencies: flag
    .default(true)
    .describe('Have HAProxy count how long its servers take to answer, where agent.yaml asks for that.'),
  tap: flag
    .default(true)
    .describe('Let its requests be looked at while they pass (`synapse tap`), where agent.yaml does.'),
  balance: z
    .literal('latency', 'must be `latency`; any other balancing is a `balance` line of `backend` or `listen`')
    .nullable()
    .optional()
    .describe(
      'latency: roundrobin with weights that follow from how fast and how well servers answer (mode http, `traffic.latencies`).',
    ),
  policy: policySchema.nullable().optional().meta({ description: policySchema.description }),
  locality: locality.nullable().optional().meta({ description: locality.description }),
});

/** The `haproxy` block of a service after defaults. */
export interface HaproxyServiceConfig {
  readonly disabled: boolean;
  /** A port, null for a bind address alone, undefined for no frontend at all. */
  readonly port: string | null | undefined;
  readonly bindAddress: string | undefined;
  readonly bindOptions: string | undefined;
  readonly serverOptions: string;
  readonly frontend: readonly string[];
  readonly backend: readonly string[];
  readonly listen: readonly string[];
  readonly backendName: string | undefined;
  readonly backendOrder: 'asc' | 'desc' | 'no_shuffle' | 'shuffle';
  readonly sharedFrontend: readonly string[] | undefined;
  readonly cookieValue: 'hash' | 'name';
  /** Applied by the catalog, like `backend_port_override`. */
  readonly serverPortOverride: number | undefined;
  /** Callers with an address of their own. */
  readonly callers: readonly OwnCaller[];
  /** Whether HAProxy may count latencies of it. */
  readonly latencies: boolean;
  /** Whether its requests may be looked at. */
  readonly tap: boolean;
  /** Weights follow from latencies. */
  readonly byLatency: boolean;
  /** Timeouts, retries and circuit breaking. */
  readonly policy: Policy | undefined;
  /** Levels from near to far, and how many servers of one must be up for it to be used. */
  readonly locality: { readonly levels: readonly string[]; readonly minimum: number } | undefined;
}

function order(value: string | null | undefined): HaproxyServiceConfig['backendOrder'] {
  return value === 'asc' || value === 'desc' || value === 'no_shuffle' ? value : 'shuffle';
}

/** Two listeners on one address HAProxy accepts, and the kernel deals connections to either. */
function checkCallers(
  { port: own, callers }: Pick<z.output<typeof haproxyServiceKeys>, 'port' | 'callers'>,
  context: z.RefinementCtx,
): void {
  callers?.forEach(({ port: taken }, index) => {
    if (taken !== undefined && String(taken) === own)
      context.addIssue({
        code: 'custom',
        path: ['callers', index, 'port'],
        message: 'is that of the service itself',
      });
  });
}

/** The `haproxy` block of a service: what it may hold, and what it means. */
export const haproxyServiceSchema = haproxyServiceKeys
  .superRefine(checkCallers)
  .transform((keys): HaproxyServiceConfig => ({
    disabled: keys.disabled,
    port: keys.port,
    bindAddress: keys.bind_address ?? undefined,
    bindOptions: keys.bind_options ?? undefined,
    serverOptions: keys.server_options ?? '',
    frontend: keys.frontend,
    backend: keys.backend,
    listen: keys.listen,
    backendName: keys.backend_name ?? undefined,
    backendOrder: order(keys.backend_order),
    sharedFrontend: keys.shared_frontend,
    cookieValue: keys.cookie_value_method === 'hash' ? 'hash' : 'name',
    serverPortOverride: keys.server_port_override ?? undefined,
    callers: keys.callers ?? [],
    latencies: keys.latencies,
    tap: keys.tap,
    byLatency: keys.balance === 'latency',
    policy: keys.policy ?? undefined,
    locality: keys.locality ?? undefined,
  }));
