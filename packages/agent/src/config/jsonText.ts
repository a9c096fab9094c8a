/** Strings, and what is between them. */
const stringOrSpace = /"(?:[^"\\]|\\.)*"|[ \t\r\n]+/g;
/** Well below what `compose` refuses. */
const maxDepth = 50;

/**
 * The value of a text that is JSON and means the same in YAML as Ruby reads it: a large configuration is mostly that,
 * and the parser that also knows where everything stands takes a hundred times as long. Undefined for any other text,
 * also for JSON with duplicate keys, with numbers in an unusual form or with keys that are special.
 */
export function plainJson(text: string): object | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    const value = JSON.parse(text) as object;
    return meansTheSame(text, value) ? value : undefined;
  } catch {
    // No JSON, or so deep or with strings so long that there is no room to look at it.
    return undefined;
  }
}

function meansTheSame(text: string, value: unknown): boolean {
  let structure = '';
  let end = 0;
  const compact = text.replaceAll(stringOrSpace, (match, offset: number) => {
    structure += text.slice(end, offset);
    end = offset + match.length;
    return match.startsWith('"') ? match : '';
  });
  structure += text.slice(end);
  // What JavaScript would write itself has no duplicate keys, and numbers and escapes that mean one thing only.
  if (isDeeper(structure) || /[.eE]\d|\d[eE]/.test(structure)) return false;
  return JSON.stringify(value) === compact && !/"(?:<<|__proto__)"/.test(compact);
}

function isDeeper(structure: string): boolean {
  let depth = 0;
  for (const character of structure) {
    if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > maxDepth) return true;
  }
  return false;
}
