import { LineCounter } from 'yaml';
import type { ConfigIssue } from './types.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ExpandedText {
  readonly text: string;
  readonly issues: readonly ConfigIssue[];
}

/** A literal `<%%`, or a tag: its expression may be anything, its end is the next `%>`. */
const erbTag = /<%%|<%([\s\S]*?)(?:%>|$(?![\s\S]))/g;
const quoted = `(?:'([^'\\\\]*)'|"([^"\\\\#]*)")`;
const lookup = new RegExp(
  `^=\\s*ENV\\s*(?:\\[\\s*${quoted}\\s*\\]|\\.fetch\\s*\\(\\s*${quoted}\\s*(?:,\\s*(?:${quoted}|(-?\\d+))\\s*)?\\))` +
    `\\s*(?:(?:\\|\\||\\bor\\b)\\s*(?:${quoted}|(-?\\d+)))?\\s*-?$`,
);

/**
 * Expands the one part of ERB that configurations use: `<%= ENV['X'] %>`, `<%= ENV['X'] || 'default' %>`,
 * `<%= ENV.fetch('X') %>`, `<%= ENV.fetch('X', 'default') %>` and `<%# comments %>`. Any other Ruby is an
 * issue with its place: nothing is ever evaluated. Lines keep their numbers.
 */
export function expandErbEnv(file: string, text: string, env: Environment = process.env): ExpandedText {
  const issues: ConfigIssue[] = [];
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  const expanded = text.replaceAll(erbTag, (tag: string, body: string | undefined, offset: number) => {
    if (tag === '<%%') return '<%';
    const result = tag.endsWith('%>') ? expandTag(body ?? '', env) : { problem: '<% without %>' };
    if (result.problem === undefined) return result.value;
    const { line, col } = lines.linePos(offset);
    issues.push({ file, line, column: col, path: '', message: result.problem, severity: 'error' });
    // Keep later lines at their numbers.
    return tag.replaceAll(/[^\n]/g, '');
  });
  return { text: expanded, issues };
}

type TagResult = { readonly value: string; readonly problem?: undefined } | { readonly problem: string };

function expandTag(body: string, env: Environment): TagResult {
  if (body.startsWith('#')) return { value: body.replaceAll(/[^\n]/g, '') };
  const match = body.includes('\n') ? null : lookup.exec(body);
  if (!match) {
    const shown = body.length > 40 ? `${body.slice(0, 40)}…` : body;
    return {
      problem: `Only <%= ENV['X'] %> and <%= ENV.fetch('X', 'default') %> are supported, not <%${shown}%>`,
    };
  }
  const [, index1, index2, fetch1, fetch2, default1, default2, default3, or1, or2, or3] = match;
  const indexed = index1 ?? index2;
  const name = indexed ?? fetch1 ?? fetch2 ?? '';
  const found = Object.hasOwn(env, name) ? env[name] : undefined;
  const missing = default1 ?? default2 ?? default3;
  const value = found ?? missing ?? (indexed === undefined ? undefined : (or1 ?? or2 ?? or3 ?? ''));
  if (value === undefined) return { problem: `The environment variable ${name} is not set` };
  // A line break would move every later line, and could add keys that the file does not show.
  if (/[\r\n]/.test(value)) return { problem: `The environment variable ${name} has a line break` };
  return { value };
}
