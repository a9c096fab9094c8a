import { describeError } from '@smartstack/agent';
import * as z from 'zod';

/** Keeps a service, or the whole host, out of the registry. Times are wall clock milliseconds. */
export interface Drain {
  readonly reason?: string;
  /** Who asked for it. */
  readonly by?: string;
  readonly since: number;
  /** It ends by itself then. */
  readonly until?: number;
}

/** Takes the place of the configured weight. */
export interface WeightOrder {
  /** 0 to 256. */
  readonly value: number;
  readonly by?: string;
  /** Wall clock milliseconds. */
  readonly since: number;
}

/** What an operator wants of one service, or of the host (a drain only), until it is taken back. */
export interface Order {
  readonly drain?: Drain;
  readonly weight?: WeightOrder;
}

const text = z.string().max(1000).optional();
const time = z
  .string()
  .transform((value, refinement) => {
    const at = Date.parse(value);
    if (Number.isNaN(at))
      refinement.addIssue({ code: 'custom', message: 'expected a time such as 2030-01-31T12:00:00Z' });
    return at;
  })
  .optional();

const schema = z.object({
  drain: z.object({ reason: text, by: text, since: time, until: time }).optional(),
  weight: z.object({ value: z.number().int().min(0).max(256), by: text, since: time }).optional(),
});

/** An order as it stands in a file, or what is wrong with it. */
export type ParsedOrder =
  { readonly ok: true; readonly order: Order } | { readonly ok: false; readonly problem: string };

/**
 * Reads an order's file. `writtenAt` stands for a `since` that is missing. An empty file is a drain, so that
 * `touch` is enough.
 */
export function parseOrder(content: string, writtenAt: number): ParsedOrder {
  if (content.trim() === '') return { ok: true, order: { drain: { since: writtenAt } } };
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    return { ok: false, problem: describeError(error) };
  }
  const { data, error } = schema.safeParse(json);
  if (data === undefined) {
    const [issue] = error.issues;
    return {
      ok: false,
      problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`.replace(/^: /, ''),
    };
  }
  const { drain, weight } = data;
  return {
    ok: true,
    order: {
      ...(drain === undefined
        ? {}
        : {
            drain: {
              ...defined({ reason: drain.reason, by: drain.by }),
              since: drain.since ?? writtenAt,
              ...defined({ until: drain.until }),
            },
          }),
      ...(weight === undefined
        ? {}
        : {
            weight: { value: weight.value, ...defined({ by: weight.by }), since: weight.since ?? writtenAt },
          }),
    },
  };
}

/** The file's content; people read it, too. */
export function formatOrder(order: Order): string {
  const { drain, weight } = order;
  const times = (value: { since: number; until?: number }): object =>
    defined({ since: iso(value.since), until: value.until === undefined ? undefined : iso(value.until) });
  const shown = {
    ...(drain === undefined ? {} : { drain: { ...drain, ...times(drain) } }),
    ...(weight === undefined ? {} : { weight: { ...weight, ...times(weight) } }),
  };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}

/** Whether nothing is ordered. */
export function isEmpty(order: Order): boolean {
  return order.drain === undefined && order.weight === undefined;
}

/** Without what has expired. The same object when nothing has. */
export function pruned(order: Order, now: number): Order {
  if (order.drain?.until === undefined || order.drain.until > now) return order;
  return order.weight === undefined ? {} : { weight: order.weight };
}

/** The furthest that a Date goes. */
export const lastMoment = 8.64e15;

function iso(at: number): string {
  return new Date(at).toISOString();
}

function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
