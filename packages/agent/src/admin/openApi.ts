import * as z from 'zod';
import { isReading } from './authorise.js';
import type { AdminRoute, RouteDoc } from './types.js';

type Json = Record<string, unknown>;

const errorShape = z
  .object({ error: z.string().describe('What is wrong, and where known what to do about it.') })
  .meta({ id: 'Error' });

/** What any route, or any that changes something, may answer beside its own. */
const readErrors = {
  401: 'The token is missing or wrong.',
  403: 'Not allowed; the body says how it would be.',
};
const inputErrors = { 400: 'Something in the request is wrong; the body names the field.' };
const bodyErrors = { 413: 'The body is too large.', 415: 'The body is not JSON.' };

/** The OpenAPI 3.1 document of those routes that have a `doc`. */
export function openApi(
  { name, version }: { readonly name: string; readonly version: string },
  routes: readonly AdminRoute[],
): Json {
  const schemas = new Schemas();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    if (route.doc === undefined) continue;
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, route.doc, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: `${name}'s HTTP API`,
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Over a unix socket, the permissions of its file decide. Over TCP, whatever changes something needs the token of admin.token_file; on an address other than loopback, reading does, too.',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: schemas.named,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation({ method, path, isOpen, isPrivate }: AdminRoute, doc: RouteDoc, schemas: Schemas): Json {
  const content = (schema: z.ZodType, type = 'application/json'): Json => ({
    content: { [type]: { schema: schemas.of(schema, 'output') } },
  });
  const changes = !isReading(method);
  const parameters = [
    ...parametersOf('path', doc.params, schemas),
    ...parametersOf('query', doc.query, schemas),
  ];
  const errors = {
    ...(isOpen ? {} : readErrors),
    ...(parameters.length > 0 || doc.body !== undefined ? inputErrors : {}),
    ...(doc.body === undefined ? {} : bodyErrors),
  };
  const refusals = Object.entries({ ...errors, ...doc.statuses }).map(
    ([status, description]) => [status, { description, ...content(errorShape) }] as const,
  );
  const answer = doc.response && content(doc.response, doc.contentType);
  return {
    operationId: operationId(method, path),
    summary: doc.summary,
    ...(doc.description !== undefined && { description: doc.description }),
    ...(parameters.length > 0 && { parameters }),
    ...(doc.body && {
      requestBody: {
        required: !doc.body.safeParse(undefined).success,
        content: { 'application/json': { schema: schemas.of(doc.body, 'input') } },
      },
    }),
    responses: {
      200: { description: 'Done.', ...answer },
      ...(doc.unready !== undefined && { 503: { description: doc.unready, ...answer } }),
      ...Object.fromEntries(refusals),
    },
    security: isOpen ? [] : changes || isPrivate ? [{ token: [] }, {}] : [{}, { token: [] }],
  };
}

/** `putV1ServicesNameWeight`. */
function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return [method.toLowerCase(), ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join(
    '',
  );
}

function parametersOf(where: 'path' | 'query', shape: z.ZodObject | undefined, schemas: Schemas): Json[] {
  return Object.entries(shape?.shape ?? {}).map(([name, type]) => {
    const { description, ...schema } = schemas.of(type as z.ZodType, 'input');
    return {
      name,
      in: where,
      required: where === 'path',
      ...(description !== undefined && { description }),
      schema,
    };
  });
}

/** JSON Schemas of a document; those with an `id` stand in its components. */
class Schemas {
  readonly named: Record<string, unknown> = {};

  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const json = z.toJSONSchema(z.object({ root: schema }), {
      io,
      target: 'draft-2020-12',
      unrepresentable: 'any',
      override: ({ jsonSchema }) => {
        // Answers may get more fields in time.
        if (io === 'output' && jsonSchema.additionalProperties === false)
          delete jsonSchema.additionalProperties;
      },
    });
    for (const [id, definition] of Object.entries(json.$defs ?? {})) {
      const entries = Object.entries(referring(definition) as Json);
      this.named[id] = Object.fromEntries(entries.filter(([key]) => key !== 'id'));
    }
    return referring(json.properties?.root ?? {}) as Json;
  }
}

/** With references to where the document has its schemas. */
function referring(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
