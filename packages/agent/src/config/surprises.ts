import { isScalar, visit } from 'yaml';
import { compose } from './compose.js';
import { readScalar } from './scalar.js';
import type { ConfigIssue } from './types.js';

/** What YAML 1.2, and people, take for a number. */
const plainNumber = /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
const hexadecimal = /^0x[0-9a-fA-F]+$/;
const boolean = /^(?:true|false)$/i;

/** What a plain scalar means to Ruby, where few would expect it. */
function surprise(text: string): string | undefined {
  const value = readScalar(text);
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (plainNumber.test(text) || hexadecimal.test(text)) return undefined;
    return Number.isFinite(Number(value)) ? `the number ${String(value)}` : undefined;
  }
  return typeof value === 'boolean' && !boolean.test(text) ? String(value) : undefined;
}

/**
 * Unquoted values that YAML 1.1 reads, and with it the Ruby pair and ours, as something else than they look:
 * `0777`, `12:30`, `1_000`; and `yes` where a list or labels take any text. A warning for each.
 */
export function yamlSurprises(file: string, text: string): readonly ConfigIssue[] {
  const { document, lines } = compose(text);
  if (document === undefined || document.errors.length > 0) return [];
  const issues: ConfigIssue[] = [];
  visit(document, {
    Scalar: (key, node, ancestors) => {
      if (key === 'key' || node.type !== 'PLAIN' || node.tag !== undefined || !isScalar(node)) return;
      const source = typeof node.value === 'string' ? node.value : (node.source ?? '');
      const meaning = surprise(source);
      if (meaning === undefined) return;
      const isFlag = meaning === 'true' || meaning === 'false';
      // Where a flag is wanted, `yes` is as good as true.
      if (isFlag && typeof key !== 'number' && !isUnderLabels(ancestors)) return;
      const { line, col } = lines.linePos(node.range?.[0] ?? 0);
      const message = `${source} is read as ${meaning} (YAML 1.1): put it in quotes if it is text, else write ${meaning.replace('the number ', '')}`;
      issues.push({ file, line, column: col, path: '', message, severity: 'warning' });
    },
  });
  return issues;
}

function isUnderLabels(ancestors: readonly unknown[]): boolean {
  return ancestors.some((one) => {
    const { key } = Object(one) as { readonly key?: unknown };
    return isScalar(key) && (key.value === 'labels' || key.value === 'value');
  });
}
