import { type ConfigIssue, formatPath, type ParsedFile, validateConfig } from '@smartstack/agent';
import type * as z from 'zod';

/**
 * Validates as `validateConfig` does, but an unknown key is a warning and is ignored: airbnb's nerve
 * ignores it too, and a file that it runs with must not stop ours.
 */
export function validateLeniently<T>(
  parsed: ParsedFile,
  schema: z.ZodType<T>,
  at: readonly PropertyKey[] = [],
): { readonly value: T | undefined; readonly issues: readonly ConfigIssue[] } {
  const strict = validateConfig(parsed, schema, at);
  const unknown = strict.value === undefined ? unknownKeys(parsed, schema, at) : [];
  if (unknown.length === 0) return strict;
  const known = { ...parsed, value: without(parsed.value, unknown) };
  const { value, issues } = validateConfig(known, schema, at);
  const ignored = new Set(unknown.map(formatPath));
  const warnings = strict.issues
    .filter((issue) => ignored.has(issue.path))
    .map((issue) => ({ ...issue, message: ignoredMessage(issue.message), severity: 'warning' as const }));
  return { value, issues: [...issues, ...warnings] };
}

/** Keeps the guess at what was meant. */
function ignoredMessage(message: string): string {
  return message.replace(/^Unknown key(, )?/, (_, comma) => `Unknown key is ignored${comma ? '; ' : ''}`);
}

type Path = readonly PropertyKey[];

function unknownKeys(parsed: ParsedFile, schema: z.ZodType, at: Path): readonly Path[] {
  const result = schema.safeParse(follow(parsed.value, at));
  return (result.error?.issues ?? []).flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...at, ...issue.path, key]) : [],
  );
}

function follow(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
}

/** A copy of a value without what is at these paths. */
export function without(value: unknown, paths: readonly Path[]): unknown {
  const copy = structuredClone(value);
  for (const path of paths) {
    const holder = follow(copy, path.slice(0, -1)) as Record<PropertyKey, unknown>;
    Reflect.deleteProperty(holder, path.at(-1) ?? '');
  }
  return copy;
}
