import type { SectionChange } from './compare.js';

/** Changes that mean the same to HAProxy are taken out, and said once. */
export function withoutHarmless(changes: readonly SectionChange[]): {
  readonly changes: readonly SectionChange[];
  readonly harmless: readonly string[];
} {
  let cookies = 0;
  const left = changes.flatMap((section): readonly SectionChange[] => {
    if (section.kind !== 'changed') return [section];
    const added = new Map(
      section.changes.flatMap(({ op, text }) => (op === '+' ? [[nameOf(text), text] as const] : [])),
    );
    const hasCookie = section.changes.some(({ text }) => text.startsWith('cookie '));
    const gone = new Set<string>();
    for (const { op, text } of section.changes) {
      const now = added.get(nameOf(text));
      if (op !== '-' || hasCookie || now === undefined || !text.startsWith('server ')) continue;
      // The value is the server's name, or its SHA-1.
      if (text.replace(/ cookie \S+/, '') !== now) continue;
      gone.add(text).add(now);
      cookies += 1;
    }
    const rest = section.changes.filter(({ text }) => !gone.has(text));
    return rest.length + section.notes.length === 0 ? [] : [{ ...section, changes: rest }];
  });
  const lines = cookies === 1 ? 'server line loses its' : 'server lines lose their';
  const harmless =
    cookies === 0
      ? []
      : [`${cookies} ${lines} \`cookie\`, which means nothing where the backend has no \`cookie\` directive`];
  return { changes: left, harmless };
}

function nameOf(line: string): string {
  return /^server (\S+)/.exec(line)?.[1] ?? '';
}
