import { isOneLine } from '../fields.js';

interface Scanned {
  readonly problem?: string;
  /** Its last character closes a block. */
  readonly endsBlock: boolean;
}

/**
 * Why `line` cannot be one directive of nginx.conf, or undefined. What it opens it must close: a line of a service must
 * not reach out of the service's block.
 */
export function directiveProblem(line: string): string | undefined {
  if (!isOneLine(line)) return 'must be a single line without control characters';
  if (line.trim() === '') return 'must not be empty';
  return scan(line).problem;
}

/** The line as it stands in the file: only a block is no matter of a `;`. */
export function directive(line: string): string {
  return scan(line).endsBlock ? line : `${line};`;
}

/** Why `words` cannot be arguments of a directive, or undefined. */
export function argumentsProblem(words: string): string | undefined {
  if (words === '') return undefined;
  return /[{};#"'\\$]/.test(words) ? 'must be plain words' : directiveProblem(words);
}

/** Reads a line as nginx does: quotes and comments begin at the beginning of a word. */
function scan(line: string): Scanned {
  const wrong = (problem: string): Scanned => ({ problem, endsBlock: false });
  let depth = 0;
  let quote: string | undefined;
  let startsWord = true;
  let closedAt = -1;
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (char === '\\') {
      at += 1;
      startsWord = false;
      if (at >= line.length) return wrong('must not end in a backslash');
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined;
    } else if (startsWord && (char === '"' || char === "'")) {
      quote = char;
      startsWord = false;
    } else if (startsWord && char === '#') {
      return wrong('must have no comment: it would hide the end of the line');
    } else if (char === '$' && line.charAt(at + 1) === '{') {
      // A variable: nginx reads the brace after it as part of the word, and so its counterpart.
      const end = line.indexOf('}', at);
      if (end < 0) return wrong('has a variable without an end');
      at = end;
      startsWord = false;
    } else if (char === '{') {
      depth += 1;
      startsWord = true;
    } else if (char === '}') {
      depth -= 1;
      closedAt = at;
      if (depth < 0) return wrong('closes a block that it did not open');
      startsWord = true;
    } else {
      startsWord = char === ' ' || char === '\t' || char === ';';
    }
  }
  if (quote !== undefined) return wrong(`has a ${quote} without its counterpart`);
  if (depth > 0) return wrong('opens a block that it does not close');
  return { endsBlock: closedAt === line.length - 1 };
}
