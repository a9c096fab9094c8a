import { Composer, type CST, type Document, LineCounter, Parser } from 'yaml';

/** Nesting beyond this is an attack or an accident; the composer recurses, and must not meet it. */
const maxDepth = 100;

/** A problem at an offset of the text. */
export interface TextIssue {
  readonly offset: number;
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

export interface Composed {
  /** Undefined when the text nests too deeply to be composed at all. */
  readonly document: Document.Parsed | undefined;
  readonly issues: readonly TextIssue[];
  readonly lines: LineCounter;
}

/**
 * Composes the first document of `text`, every scalar still text. Ruby silently drops further
 * documents; here they are a warning.
 */
export function compose(text: string): Composed {
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const deep = tokens.map(tooDeep).find((offset) => offset !== undefined);
  if (deep !== undefined) {
    const message = `Nested more than ${maxDepth} levels deep`;
    return { document: undefined, issues: [{ offset: deep, message, severity: 'error' }], lines };
  }
  const composer = new Composer({
    schema: 'failsafe',
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const [document, next] = [...composer.compose(tokens, true, text.length)];
  const issues: TextIssue[] = (document?.errors ?? []).map(({ pos, message }) => ({
    offset: pos[0],
    message,
    severity: 'error',
  }));
  if (next) {
    const message = 'Only the first document of a file is read';
    issues.push({ offset: next.range[0], message, severity: 'warning' });
  }
  return { document, issues, lines };
}

/** Where `token` nests deeper than allowed. Iterative: the depth is the attacker's. */
function tooDeep(token: CST.Token): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [{ token, depth: 0 }];
  for (let top = open.pop(); top; top = open.pop()) {
    if (top.depth > maxDepth) return top.token.offset;
    for (const child of childTokens(top.token)) open.push({ token: child, depth: top.depth + 1 });
  }
  return undefined;
}

function childTokens(token: CST.Token): readonly CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : [];
  if (!('items' in token)) return [];
  return token.items.flatMap((item) => [item.key, item.value].filter((child) => child != null));
}
