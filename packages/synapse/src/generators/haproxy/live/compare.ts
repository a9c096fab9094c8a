import { type LineChange, lineChanges } from '../../lineChanges.js';
import type { LiveLine, LiveSection } from './sections.js';

/** How one section differs. */
export interface SectionChange {
  readonly title: string;
  readonly kind: 'added' | 'removed' | 'changed' | 'moved';
  readonly changes: readonly LineChange[];
  /** What differs beside single lines. */
  readonly notes: readonly string[];
}

const serverName = /^server (\S+)/;
const isServer = ({ text }: LiveLine): boolean => serverName.test(text);

/** Servers by name: their order decides only whom HAProxy asks first. */
function serverChanges(
  before: readonly LiveLine[],
  after: readonly LiveLine[],
): Pick<SectionChange, 'changes' | 'notes'> {
  const byName = (lines: readonly LiveLine[]): Map<string, LiveLine> =>
    new Map(lines.map((line) => [serverName.exec(line.text)?.[1] ?? '', line]));
  const [old, next] = [byName(before), byName(after)];
  const changes: LineChange[] = [];
  for (const [name, line] of old) {
    const now = next.get(name);
    if (now?.text === line.text) continue;
    changes.push({ op: '-', ...line });
    if (now !== undefined) changes.push({ op: '+', ...now });
  }
  for (const [name, line] of next) if (!old.has(name)) changes.push({ op: '+', ...line });
  const common = [...old.keys()].filter((name) => next.has(name));
  const order = [...next.keys()].filter((name) => old.has(name));
  const isMoved = common.some((name, index) => order[index] !== name);
  return { changes, notes: isMoved ? ['its servers come in another order'] : [] };
}

function compareLines(
  before: readonly LiveLine[],
  after: readonly LiveLine[],
): Pick<SectionChange, 'changes' | 'notes'> {
  const own = (lines: readonly LiveLine[]): readonly LiveLine[] => lines.filter((line) => !isServer(line));
  const servers = serverChanges(before.filter(isServer), after.filter(isServer));
  return { changes: [...lineChanges(own(before), own(after)), ...servers.changes], notes: servers.notes };
}

/** Sections of the same title are told apart by their order. */
function keyed(sections: readonly LiveSection[]): ReadonlyMap<string, LiveSection> {
  const counts = new Map<string, number>();
  return new Map(
    sections.map((section) => {
      const count = (counts.get(section.title) ?? 0) + 1;
      counts.set(section.title, count);
      return [count === 1 ? section.title : `${section.title} (${count})`, section];
    }),
  );
}

/** What differs between two haproxy.cfg, section by section; empty when they mean the same. Comments do not count. */
export function compareSections(
  before: readonly LiveSection[],
  after: readonly LiveSection[],
): readonly SectionChange[] {
  const [old, next] = [keyed(before), keyed(after)];
  const found: SectionChange[] = [];
  const whole = (op: LineChange['op'], { lines }: LiveSection): readonly LineChange[] =>
    lines.map((line) => ({ op, ...line }));
  for (const [title, section] of old) {
    const now = next.get(title);
    if (now === undefined) found.push({ title, kind: 'removed', changes: whole('-', section), notes: [] });
    else {
      const { changes, notes } = compareLines(section.lines, now.lines);
      if (changes.length + notes.length > 0) found.push({ title, kind: 'changed', changes, notes });
    }
  }
  for (const [title, section] of next)
    if (!old.has(title)) found.push({ title, kind: 'added', changes: whole('+', section), notes: [] });
  const [first, second] = [[...old.keys()].filter((title) => next.has(title)), [...next.keys()]];
  const common = second.filter((title) => old.has(title));
  if (first.some((title, index) => common[index] !== title))
    found.push({ title: '', kind: 'moved', changes: [], notes: ['the sections come in another order'] });
  return found;
}
