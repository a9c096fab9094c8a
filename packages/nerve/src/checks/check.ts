import type { Clock } from '@smartstack/agent';
import * as z from 'zod';
import { type CamelKeys, camelKeys } from '../config/camel.js';
import type { Asked } from '../config/asked.js';
import { count, host, optional, port, withDefault } from '../config/values.js';
import type { CheckResult } from '../health/health.js';
import type { Heartbeats } from '../heartbeats/board.js';
import type { Trace } from './trace.js';

/** One test of a service, ready to be executed again and again. */
export interface Check {
  /** For people: unique enough to tell the checks of one service apart. */
  readonly name: string;
  /** The longest that one probe may take, in milliseconds. The caller enforces it through `signal`. */
  readonly deadlineMs: number;
  /** Executes the check once. Lets go of everything it opened when `signal` aborts. Tells `trace` what it is doing. */
  probe(signal: AbortSignal, trace?: Trace): Promise<CheckResult>;
}

/** What a check gets beside its own options. */
export interface CheckContext {
  readonly clock: Clock;
  /** The service's name, and its address, which a check without `host` or `port` of its own tests. */
  readonly service: string;
  readonly host: string;
  readonly port: number;
  /** What the services' applications say about themselves. */
  readonly heartbeats: Heartbeats;
}

/** A failure, with its reason. */
export function failed(reason: string): CheckResult {
  return { ok: false, reason };
}

/** The options that every check has. */
const common = {
  name: optional(z.coerce.string()).describe('What the check is called in the logs and the status.'),
  host: optional(host).describe("Where to test; the service's own host by default."),
  port: optional(port.transform(Number)).describe("Where to test; the service's own port by default."),
  rise: withDefault(count, 1).describe('Successes in a row that make a failing check pass.'),
  fall: withDefault(count, 1).describe('Failures in a row that make a passing check fail.'),
} as const;

type Shape = z.core.$ZodLooseShape;
type Options<Type extends string, Own extends Shape> = CamelKeys<
  z.output<z.ZodObject<{ type: z.ZodLiteral<Type> } & typeof common & Own>>
>;

/** What is wrong with one option, which is spelt as in the file. */
export interface OptionProblem {
  readonly key: string;
  readonly message: string;
}

/** A kind of check: its options as they stand in a file, and what makes a check of them. */
export interface CheckKind<Type extends string, Own extends Shape> {
  readonly type: Type;
  readonly options: Own;
  /** Options that are good one by one, and not together. */
  readonly conflicts?: (options: Options<Type, Own>) => readonly OptionProblem[];
  /** What is wrong with the files that the options name, when the configuration is read. */
  readonly problems?: (options: Options<Type, Own>, asked: Asked) => Promise<readonly OptionProblem[]>;
  readonly create: (options: Options<Type, Own>, context: CheckContext) => Check;
}

/** Declares a kind of check. `options` are spelt as in the file; `create` sees them in camelCase. */
export function defineCheck<const Type extends string, Own extends Shape>(kind: CheckKind<Type, Own>) {
  const keys = { type: z.literal(kind.type), ...common, ...kind.options };
  return {
    type: kind.type,
    schema: z.strictObject(keys).transform((value, refinement) => {
      const options = camelKeys(value) as Options<Type, Own>;
      for (const { key, message } of kind.conflicts?.(options) ?? []) {
        refinement.addIssue({ code: 'custom', path: [key], message });
      }
      return options;
    }),
    problems: kind.problems ?? (() => Promise.resolve([])),
    create: kind.create,
  };
}

/** The address that a check tests. */
export function target(
  options: { readonly host: string | undefined; readonly port: number | undefined },
  context: CheckContext,
): { readonly host: string; readonly port: number } {
  return { host: options.host ?? context.host, port: options.port ?? context.port };
}

/** airbnb's name of a check that has none: `web tcp-127.0.0.1:3000`. */
export function defaultName(
  type: string,
  options: { readonly host: string | undefined; readonly port: number | undefined },
  context: CheckContext,
): string {
  const { host, port } = target(options, context);
  return `${context.service} ${type}-${host}:${port}`;
}
