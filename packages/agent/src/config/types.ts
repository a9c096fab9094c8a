import { AgentError } from '../errors.js';

/** One problem in one configuration file. */
export interface ConfigIssue {
  readonly file: string;
  /** From 1; 0 when the problem is the file as a whole (missing, unreadable). */
  readonly line: number;
  readonly column: number;
  /** `services.web.checks[0].uri`; empty for the document itself. */
  readonly path: string;
  readonly message: string;
  /** A warning is reported and the file is used all the same. */
  readonly severity: 'error' | 'warning';
}

/** A place in a file, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A file read into plain values, with the place of each. */
export interface ParsedFile {
  readonly file: string;
  /** Plain objects, arrays, strings, numbers, bigints (beyond 2^53), booleans, null. `undefined` when it could not be read. */
  readonly value: unknown;
  readonly issues: readonly ConfigIssue[];
  /** Where the value at `path` starts; for a path that does not exist, its nearest ancestor that does. */
  at(path: readonly PropertyKey[]): Position;
  /** As `at`, but the place of the key that leads to the value. */
  keyAt(path: readonly PropertyKey[]): Position;
}

const plainKey = /^[\p{L}_][\p{L}\p{N}_-]*$/u;

/** A path as people write it: `services.web.checks[0]`, `services["a b"].port`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (plainKey.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** One line for one issue: `nerve.yaml:5:11 services.web.port: Too big: expected number to be <=65535`. */
export function formatIssue(issue: ConfigIssue): string {
  const place = issue.line > 0 ? `${issue.file}:${issue.line}:${issue.column}` : issue.file;
  const path = issue.path === '' ? '' : ` ${issue.path}`;
  // `file:line:col path: message`, and `file: message` when there is neither line nor path.
  const colon = issue.path !== '' || issue.line === 0 ? ':' : '';
  const note = issue.severity === 'warning' ? ' (warning)' : '';
  return oneLine(`${place}${path}${colon} ${issue.message}${note}`);
}

/** Control characters of a hostile file must not reach a terminal or forge a line of a log. */
function oneLine(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The configuration cannot be used. Its message is every issue, one on a line. */
export class ConfigError extends AgentError {
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    super('config', issues.map(formatIssue).join('\n'));
    this.issues = issues;
  }
}
