import type { ConfigIssue } from './types.js';

const looksFalse = /^(|0|no|false|off)$/i;

/** A warning for each of the variables that counts as set whatever its value, and has one that looks as if it did not. */
export function environmentSurprises(
  env: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): readonly ConfigIssue[] {
  return names.flatMap((name): ConfigIssue[] => {
    const value = env[name];
    if (value === undefined || !looksFalse.test(value)) return [];
    const message = `${name}=${value} counts as set, as any value does: unset it`;
    return [{ file: 'environment', line: 0, column: 0, path: '', message, severity: 'warning' }];
  });
}
