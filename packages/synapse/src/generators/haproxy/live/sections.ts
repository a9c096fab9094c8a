/** A line of a section: as it means, and where it stands. */
export interface LiveLine {
  /** Without indentation, comment, and with single spaces outside of quotes. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/** A section of a haproxy.cfg that anybody may have written. */
export interface LiveSection {
  /** `frontend web`, `defaults`. */
  readonly title: string;
  readonly line: number;
  readonly lines: readonly LiveLine[];
}

/** Words that begin a section, indented or not. */
const beginners = new Set(
  'global defaults frontend backend listen peers mailers resolvers userlist program cache ring http-errors fcgi-app log-forward crt-store traces acme'.split(
    ' ',
  ),
);

/** Cuts a comment off, and puts single spaces between words; quotes and backslashes keep what they hold. */
function normalLine(raw: string): string {
  let text = '';
  let quote: string | undefined;
  for (let at = 0; at < raw.length; at += 1) {
    const char = raw[at] ?? '';
    if (char === '\\' && quote !== "'") {
      text += char + (raw[at + 1] ?? '');
      at += 1;
    } else if (quote !== undefined) {
      text += char;
      if (char === quote) quote = undefined;
    } else if (char === '"' || char === "'") {
      quote = char;
      text += char;
    } else if (char === '#') break;
    else if (/\s/.test(char)) {
      if (text !== '' && !text.endsWith(' ')) text += ' ';
    } else text += char;
  }
  return text.trim();
}

/** The sections of a haproxy.cfg, in order. Lines before the first section make one without a title. */
export function parseSections(text: string): readonly LiveSection[] {
  const sections: { title: string; line: number; lines: LiveLine[] }[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = normalLine(raw);
    if (line === '') continue;
    const [first = ''] = line.split(' ');
    if (beginners.has(first)) sections.push({ title: line, line: index + 1, lines: [] });
    else {
      if (sections.length === 0) sections.push({ title: '', line: index + 1, lines: [] });
      sections.at(-1)?.lines.push({ text: line, line: index + 1 });
    }
  }
  return sections;
}
