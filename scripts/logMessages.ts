import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const packages = resolve(import.meta.dirname, '../packages');
const levels = new Set(['info', 'warn', 'error']);

function literals(node: ts.Expression): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isConditionalExpression(node)) return [...literals(node.whenTrue), ...literals(node.whenFalse)];
  return [];
}

/** Messages that a source file logs at info and above, as they stand there. */
export function loggedIn(text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    ts.forEachChild(node, visit);
    if (!ts.isCallExpression(node)) return;
    const { expression: callee } = node;
    const [message] = node.arguments;
    if (!ts.isPropertyAccessExpression(callee) && !ts.isElementAccessExpression(callee)) return;
    if (!/log(ger)?\)?$/i.test(callee.expression.getText()) || message === undefined) return;
    // `logger[level](…)`: the level is not known here, and it is not always debug.
    if (ts.isPropertyAccessExpression(callee) && !levels.has(callee.name.text)) return;
    found.push(...literals(message));
  };
  visit(ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true));
  return found;
}

/** Every message that the product logs at info and above. */
export function logMessages(): ReadonlySet<string> {
  const files = readdirSync(packages, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /^\w+\/src\/.*\.ts$/.test(file) && !/\.test\.ts$|\/testing\//.test(file),
  );
  return new Set(files.flatMap((file) => loggedIn(readFileSync(join(packages, file), 'utf8'))));
}
