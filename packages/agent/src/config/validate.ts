import type * as z from 'zod';
import { knownKeys } from './knownKeys.js';
import { closest } from './suggest.js';
import { type ConfigIssue, formatPath, type ParsedFile } from './types.js';

/** A value that fits its schema, or every reason why it does not. */
export interface Validated<T> {
  readonly value: T | undefined;
  readonly issues: readonly ConfigIssue[];
}

/**
 * Checks the part of a file at `at` (default: all of it) against a schema. All issues at once, each at
 * the place of its value (an unknown key: of the key). Does not repeat the file's own issues; a file
 * that could not be parsed has no value and no further issues.
 */
export function validateConfig<T>(
  parsed: ParsedFile,
  schema: z.ZodType<T>,
  at: readonly PropertyKey[] = [],
): Validated<T> {
  if (parsed.value === undefined) return { value: undefined, issues: [] };
  const result = schema.safeParse(valueAt(parsed.value, at));
  if (result.success) return { value: result.data, issues: [] };
  const issues = explainIssues(result.error.issues, schema).map(({ path, message, atKey }): ConfigIssue => {
    const full = [...at, ...path];
    const place = atKey ? parsed.keyAt(full) : parsed.at(full);
    return { file: parsed.file, ...place, path: formatPath(full), message, severity: 'error' };
  });
  return { value: undefined, issues: issues.sort((a, b) => a.line - b.line || a.column - b.column) };
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, part) => (Object.hasOwn(Object(inner) as object, part) ? (inner as never)[part] : undefined),
    value,
  );
}

/** What is wrong with a value, for people: where in it, and how. An unknown key comes with the one that was meant. */
export function explainIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
): readonly { readonly path: readonly PropertyKey[]; readonly message: string; readonly atKey?: boolean }[] {
  return issues.flatMap((issue) => explain(issue, schema, []));
}

interface Explained {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly atKey?: boolean;
}

function explain(
  issue: z.core.$ZodIssue,
  schema: unknown,
  base: readonly PropertyKey[],
): readonly Explained[] {
  const path = [...base, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const guess = closest(key, knownKeys(schema, path));
        // Another alternative of a union may know the key.
        const hint = guess === undefined || guess === key ? '' : `, did you mean ${JSON.stringify(guess)}?`;
        return { path: [...path, key], message: `Unknown key${hint}`, atKey: true };
      });
    case 'invalid_key':
      return [{ path, message: issue.issues[0]?.message ?? issue.message, atKey: true }];
    case 'invalid_union':
      return explainUnion(issue, schema, path);
    case 'invalid_type': {
      // Zod calls a missing key a wrong type; the place is then the key of what lacks it.
      const missing = /^Invalid input: expected (.*), received undefined$/.exec(issue.message);
      if (!missing) return [{ path, message: issue.message }];
      return [{ path, message: `Required: expected ${missing[1] ?? 'a value'}`, atKey: true }];
    }
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_value':
    case 'not_multiple_of':
    case 'too_big':
    case 'too_small':
      return [{ path, message: issue.message }];
  }
}

/** The branch that was probably meant is the one that got furthest; if none got anywhere, name them all. */
function explainUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  schema: unknown,
  path: readonly PropertyKey[],
): readonly Explained[] {
  const branches = issue.errors.filter((branch) => branch.length > 0);
  const deep = branches.filter((branch) => !branch.some(isRootMismatch));
  const best = deep.sort((a, b) => a.length - b.length)[0];
  if (best) return best.flatMap((inner) => explain(inner, schema, path));
  const firsts = branches.flatMap((branch) => branch.slice(0, 1));
  const kinds = firsts.map((inner) => explain(inner, schema, path)[0]);
  if (kinds.length > 0 && kinds.every((inner) => inner?.message.startsWith('Required'))) {
    return [{ path, message: 'Required', atKey: true }];
  }
  const messages = new Set(firsts.map((inner) => inner.message));
  if (messages.size === 0) return [{ path, message: issue.message }];
  return [{ path, message: [...messages].join(', or ') }];
}

function isRootMismatch(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}
