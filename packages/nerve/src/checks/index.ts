import * as z from 'zod';
import type { Asked } from '../config/asked.js';
import type { Check, CheckContext, OptionProblem } from './check.js';
import { execCheck } from './exec.js';
import { grpcCheck } from './grpc.js';
import { httpCheck } from './http.js';
import { mysqlCheck } from './mysql.js';
import { noopCheck } from './noop.js';
import { createPluginCheck, pluginSchema } from './plugin.js';
import { postgresCheck } from './postgres.js';
import { rabbitmqCheck } from './rabbitmq.js';
import { redisCheck } from './redis.js';
import { systemdCheck } from './systemd.js';
import { tcpCheck } from './tcp.js';
import { ttlCheck } from './ttl.js';

/** Every kind of check there is: the only list. */
const checks = {
  http: httpCheck,
  tcp: tcpCheck,
  exec: execCheck,
  systemd: systemdCheck,
  redis: redisCheck,
  rabbitmq: rabbitmqCheck,
  postgres: postgresCheck,
  mysql: mysqlCheck,
  grpc: grpcCheck,
  ttl: ttlCheck,
  noop: noopCheck,
} as const;

const types = Object.keys(checks);

const builtIn = z.discriminatedUnion(
  'type',
  [
    checks.http.schema,
    checks.tcp.schema,
    checks.exec.schema,
    checks.systemd.schema,
    checks.redis.schema,
    checks.rabbitmq.schema,
    checks.postgres.schema,
    checks.mysql.schema,
    checks.grpc.schema,
    checks.ttl.schema,
    checks.noop.schema,
  ],
  {
    error: ({ input }) =>
      typeof input === 'object' ? `Unknown type: expected ${types.join(', ')}, or a module` : undefined,
  },
);

/** One check as it stands in a service's `checks`; `type` says which options it has. */
export const checkSchema = z.union([builtIn, pluginSchema(new Set(types))]);

/** A check's options, in camelCase, with their defaults. */
export type CheckOptions = z.output<typeof checkSchema>;

/** A kind for whoever knows no more of the options than that they are the kind's own. */
interface AnyKind {
  readonly problems: (options: CheckOptions, asked: Asked) => Promise<readonly OptionProblem[]>;
  readonly create: (options: CheckOptions, context: CheckContext) => Check;
}

/** Its options were looked at when its module was loaded. */
const plugin = { problems: () => Promise.resolve([]), create: createPluginCheck };

function kindOf({ type }: CheckOptions): AnyKind {
  // Each kind takes its own options only; the schema has seen to it that `type` says whose they are.
  return (type === 'plug-in' ? plugin : checks[type]) as unknown as AnyKind;
}

/** What is wrong with the files that the options name. */
export function checkProblems(options: CheckOptions, asked: Asked): Promise<readonly OptionProblem[]> {
  return kindOf(options).problems(options, asked);
}

/** Makes the check that the options describe. */
export function createCheck(options: CheckOptions, context: CheckContext): Check {
  return kindOf(options).create(options, context);
}
