import * as z from 'zod';
import { explainIssues } from '../config/validate.js';
import { formatPath } from '../config/types.js';
import { Refusal } from './refusal.js';
import { jsonResponse } from './routes.js';
import type { AdminRequest, AdminResponse, AdminRoute, RouteDoc } from './types.js';

/** A route of which schemas say what goes in and what comes out. */
export interface RouteDefinition<
  P extends z.ZodRawShape,
  Q extends z.ZodRawShape,
  B extends z.ZodType,
  R extends z.ZodType,
> {
  readonly method: AdminRoute['method'];
  /** As in AdminRoute. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** The parts of the path that begin with a colon; each is text. */
  readonly params?: P;
  /** Each gets a list of the texts that were given. */
  readonly query?: Q;
  /** Gets undefined when nothing was sent. */
  readonly body?: B;
  /** Of the answer, where it is no JSON. */
  readonly contentType?: string;
  readonly isPrivate?: AdminRoute['isPrivate'];
  readonly hasEffect?: AdminRoute['hasEffect'];
  /** Of the answer; of each line, where it is a stream. */
  readonly response: R;
  readonly unready?: string;
  readonly statuses?: RouteDoc['statuses'];
  /** Refuses by throwing a Refusal. */
  readonly handle: (input: {
    readonly params: z.output<z.ZodObject<P>>;
    readonly query: z.output<z.ZodObject<Q>>;
    readonly body: z.output<B>;
  }) => Reply<z.output<R>> | Promise<Reply<z.output<R>>>;
}

/** The answer of a route; its status is 200 unless given. */
export type Reply<T> =
  | { readonly status?: number; readonly value: T }
  /** One JSON text a line, for as long as it takes. */
  | { readonly stream: NonNullable<AdminResponse['stream']> };

type NoKeys = Readonly<Record<string, never>>;

/** One JSON text a line. */
const ndjson = 'application/x-ndjson; charset=utf-8';

/** Makes a route that takes only what fits its schemas: anything else is answered with 400, which names the field. */
export function defineRoute<
  P extends z.ZodRawShape = NoKeys,
  Q extends z.ZodRawShape = NoKeys,
  B extends z.ZodType = z.ZodUndefined,
  R extends z.ZodType = z.ZodType,
>(definition: RouteDefinition<P, Q, B, R>): AdminRoute {
  const { method, path, handle, isPrivate, hasEffect, ...rest } = definition;
  const params = z.object((definition.params ?? {}) as P);
  const query = z.strictObject((definition.query ?? {}) as Q);
  const body = (definition.body ?? z.undefined()) as B;
  return {
    method,
    path,
    ...(isPrivate !== undefined && { isPrivate }),
    ...(hasEffect !== undefined && { hasEffect }),
    doc: {
      ...rest,
      params,
      query: query,
      ...(definition.body && { body: definition.body }),
    } as RouteDoc,
    handle: async (request) => {
      const input = {
        params: check('path', params, request.params),
        query: check('query', query, lists(request.query)) as z.output<z.ZodObject<Q>>,
        body: check('body', body, jsonOf(request)),
      };
      const reply = await handle(input);
      if ('stream' in reply)
        return { status: 200, contentType: rest.contentType ?? ndjson, body: '', stream: reply.stream };
      return jsonResponse(reply.value, reply.status);
    },
  };
}

function lists(query: URLSearchParams): Readonly<Record<string, readonly string[]>> {
  // A name such as __proto__ is one like any other.
  return Object.fromEntries([...new Set(query.keys())].map((key) => [key, query.getAll(key)]));
}

/** The body as JSON; undefined when there is none. */
function jsonOf({ body, contentType }: AdminRequest): unknown {
  if (body.length === 0) return undefined;
  if (contentType !== undefined && !/^application\/json *(; *charset="?utf-8"? *)?$/.test(contentType)) {
    throw new Refusal(415, `content-type: expected application/json (with curl: --json '{…}')`);
  }
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Refusal(400, 'body: not UTF-8');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Refusal(400, 'body: not JSON');
  }
}

function check<S extends z.ZodType>(where: string, schema: S, value: unknown): z.output<S> {
  const { data, error } = schema.safeParse(value);
  if (error === undefined) return data;
  const problems = explainIssues(error.issues, schema).map(
    ({ path, message }) => `${path.length === 0 ? where : formatPath(path)}: ${message}`,
  );
  throw new Refusal(400, problems.slice(0, 5).join('; ').slice(0, 1000));
}
