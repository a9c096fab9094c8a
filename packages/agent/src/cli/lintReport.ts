import { type ConfigIssue, formatIssue } from '../config/types.js';
import { exitCode } from '../errors.js';
import { byText } from '../textOrder.js';

/** How the issues of a configuration are told. */
export interface LintReport {
  readonly file: string;
  readonly issues: readonly ConfigIssue[];
  /** Warnings count, too. */
  readonly strict: boolean;
  readonly output: 'table' | 'json';
  readonly print: (stream: 'stdout' | 'stderr', line: string) => void;
}

/** Says each issue once, by file and place, and how many there are. Returns the exit code, 0 or 1. */
export function reportLint({ file, issues, strict, output, print }: LintReport): number {
  const lines = new Map(issues.map((issue) => [formatIssue(issue), issue]));
  const sorted = [...lines].sort(
    ([, a], [, b]) => byText(a.file, b.file) || a.line - b.line || a.column - b.column,
  );
  const errors = sorted.filter(([, { severity }]) => severity === 'error').length;
  const warnings = sorted.length - errors;
  if (output === 'json') {
    const all = sorted.map(([, issue]) => issue);
    print('stdout', JSON.stringify({ file, errors, warnings, issues: all }, null, 2));
  } else {
    for (const [line] of sorted) print('stdout', line);
    const count = `${errors} ${errors === 1 ? 'error' : 'errors'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
    print('stdout', sorted.length === 0 ? `${file}: nothing to say` : `${file}: ${count}`);
  }
  return errors > 0 || (strict && warnings > 0) ? exitCode.failure : exitCode.stopped;
}
