import { compose } from './compose.js';
import { Converter, type Located } from './convert.js';
import { plainJson } from './jsonText.js';
import type { ConfigIssue, ParsedFile, Position } from './types.js';

/**
 * Reads YAML (JSON is a part of it) into plain values, as Ruby's Psych reads it. Pure. Problems are
 * in `issues`; `value` is undefined when one of them is an error.
 */
export function parseConfigText(file: string, text: string): ParsedFile {
  const value = plainJson(text);
  if (value === undefined) return parseYaml(file, text);
  // Where something stands is asked only when something is wrong with it.
  let full: ParsedFile | undefined;
  const located = (): ParsedFile => (full ??= parseYaml(file, text));
  return {
    ...{ file, value, issues: [] },
    at: (path) => located().at(path),
    keyAt: (path) => located().keyAt(path),
  };
}

function parseYaml(file: string, text: string): ParsedFile {
  const { document, issues: textIssues, lines } = compose(text);
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const converter = new Converter();
  const contents = document?.contents;
  const failed = textIssues.some((issue) => issue.severity === 'error');
  const root = contents && !failed ? converter.convert(contents) : undefined;
  const issues: ConfigIssue[] = [...textIssues, ...converter.issues]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, message, severity }) => ({ file, ...position(offset), path: '', message, severity }));
  if (!contents && !failed) issues.push(fileIssue(file, 'The file is empty'));
  const usable = root !== undefined && !issues.some((issue) => issue.severity === 'error');
  return {
    file,
    value: usable ? root.value : undefined,
    issues,
    at: (path) => position(locate(root, path)?.node.offset ?? 0),
    keyAt: (path) => position(locate(root, path)?.keyOffset ?? 0),
  };
}

/** A file that could not be read at all, for one reason. */
export function unreadableFile(file: string, message: string): ParsedFile {
  const start = (): Position => ({ line: 1, column: 1 });
  return { file, value: undefined, issues: [fileIssue(file, message)], at: start, keyAt: start };
}

/** A problem with a file as a whole. */
export function fileIssue(file: string, message: string): ConfigIssue {
  return { file, line: 0, column: 0, path: '', message, severity: 'error' };
}

function locate(root: Located | undefined, path: readonly PropertyKey[]) {
  if (!root) return undefined;
  let found = { keyOffset: root.offset, node: root };
  for (const part of path) {
    const child = found.node.children.get(String(part));
    if (!child) break;
    found = child;
  }
  return found;
}
