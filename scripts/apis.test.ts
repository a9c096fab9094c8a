import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { standardRoutes } from '../packages/agent/src/admin/routes.ts';
import type { AdminRoute } from '../packages/agent/src/index.ts';
import { apiRoutes as nerveRoutes } from '../packages/nerve/src/api/index.ts';
import { apiRoutes as synapseRoutes } from '../packages/synapse/src/api.ts';
import { apis } from './apis.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const none = { tap: { needsToken: false } } as never;
const standard = standardRoutes(none, () => Promise.resolve([]));
const routes: Readonly<Record<string, readonly AdminRoute[]>> = {
  'nerve-api.json': [...standard, ...nerveRoutes(none)],
  'synapse-api.json': [...standard, ...synapseRoutes(none)],
};

describe.each(Object.entries(apis) as [string, Document][])('%s', (file, document) => {
  it('is a valid OpenAPI 3.1 document', async () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    const { valid, errors } = await new Validator().validate({ ...structuredClone(document) });
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  it('has every route of the agent, and no other', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = (routes[file] ?? []).map(
      ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
    );
    expect(described.sort()).toEqual(served.sort());
  });

  it('names each operation differently, and every part of its path', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((operation) => ({ path, operation })),
    );
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { path, operation } of operations) {
      const named = (operation.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name);
      expect([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)).toEqual(named);
      expect(operation.summary).not.toBe('');
    }
  });

  it('refers to nothing that it does not have', () => {
    const text = JSON.stringify(document);
    for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g))
      expect(document).toHaveProperty(['components', 'schemas', name]);
    expect(text).not.toContain('$defs');
  });
});
