import { isOneLine } from '../fields.js';

/**
 * Why `line` cannot be one directive of nginx.conf, to which `;` is added, or undefined. What it opens it must close:
 * a line of a service must not reach out of the service's block.
 */
export function directiveProblem(line: string): string | undefined {
  if (!isOneLine(line)) return 'must be a single line without control characters';
  if (line.trim() === '') return 'must not be empty';
  let depth = 0;
  let quote: string | undefined;
  let startsWord = true;
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (char === '\\') {
      at += 1;
      startsWord = false;
      if (at >= line.length) return 'must not end in a backslash';
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined;
    } else if (startsWord && (char === '"' || char === "'")) {
      quote = char;
      startsWord = false;
    } else if (startsWord && char === '#') {
      return 'must have no comment: it would hide the end of the line';
    } else if (char === '$' && line.charAt(at + 1) === '{') {
      // A variable: nginx reads the brace after it as part of the word, and so its counterpart.
      const end = line.indexOf('}', at);
      if (end < 0) return 'has a variable without an end';
      at = end;
      startsWord = false;
    } else if (char === '{') {
      depth += 1;
      startsWord = true;
    } else if (char === '}') {
      depth -= 1;
      if (depth < 0) return 'closes a block that it did not open';
      startsWord = true;
    } else {
      startsWord = char === ' ' || char === '\t' || char === ';';
    }
  }
  if (quote !== undefined) return `has a ${quote} without its counterpart`;
  return depth > 0 ? 'opens a block that it does not close' : undefined;
}

/** Why `words` cannot be arguments of a directive, or undefined. */
export function argumentsProblem(words: string): string | undefined {
  if (words === '') return undefined;
  return /[{};#"'\\$]/.test(words) ? 'must be plain words' : directiveProblem(words);
}
