import {
  type ConfigIssue,
  expandErbEnv,
  fileIssue,
  formatPath,
  type ParsedFile,
  parseConfigText,
  readConfigText,
  validateConfig,
} from '@smartstack/agent';
import * as z from 'zod';

import type { BlockIssue } from '../catalog/types.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const start = () => ({ line: 1, column: 1 });

/** Reads a file of synapse: ERB's environment look-ups are expanded before it is parsed. Never throws. */
export async function readSource(file: string, env: Environment): Promise<ParsedFile> {
  const read = await readConfigText(file);
  if (!read.ok)
    return { file, value: undefined, issues: [fileIssue(file, read.problem)], at: start, keyAt: start };
  const { text, issues } = expandErbEnv(file, read.text, env);
  const parsed = parseConfigText(file, text);
  if (issues.length === 0) return parsed;
  // What could not be expanded is missing from the text: its value means nothing.
  return { ...parsed, value: undefined, issues: [...issues, ...parsed.issues] };
}

/** A mapping of the configuration, not a list or a scalar. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Part of a file: what issues about it need to know. */
export interface Place {
  readonly parsed: ParsedFile;
  readonly path: readonly PropertyKey[];
}

/** An issue about the value at `place`, or about its key. */
export function issueAt(
  { parsed, path }: Place,
  severity: ConfigIssue['severity'],
  message: string,
  at: 'value' | 'key' = 'value',
): ConfigIssue {
  const position = at === 'key' ? parsed.keyAt(path) : parsed.at(path);
  return { file: parsed.file, ...position, path: formatPath(path), message, severity };
}

/** Turns what a generator or a watcher found in its block into issues of the file. */
export function blockIssues(place: Place, found: readonly BlockIssue[]): readonly ConfigIssue[] {
  return found.map(({ path, message, severity }) =>
    issueAt({ ...place, path: [...place.path, ...path] }, severity, message),
  );
}

/** A warning for each key of `mapping`, which is at `place`, that is not among `known`, with the likely intention. */
export function unknownKeys(
  place: Place,
  mapping: Readonly<Record<string, unknown>>,
  known: Iterable<string>,
): readonly ConfigIssue[] {
  const names = new Set(known);
  // A schema costs more than all else that is read of a file, and nearly no file needs this one.
  if (Object.keys(mapping).every((key) => names.has(key))) return [];
  const shape = Object.fromEntries([...names].map((key) => [key, z.unknown().optional()]));
  const { issues } = validateConfig(place.parsed, z.strictObject(shape), place.path);
  return issues.map((issue) => ({ ...issue, severity: 'warning' }));
}

/** True when one of the issues keeps its subject from being used. */
export function hasErrors(issues: readonly ConfigIssue[]): boolean {
  return issues.some(({ severity }) => severity === 'error');
}
