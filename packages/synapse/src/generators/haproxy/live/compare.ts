import type { LiveLine, LiveSection } from './sections.js';

/** A line that only one side has. */
interface LineChange {
  readonly op: '-' | '+';
  readonly text: string;
  /** Where it stands on its side, from 1. */
  readonly line: number;
}

/** How one section differs. */
export interface SectionChange {
  readonly title: string;
  readonly kind: 'added' | 'removed' | 'changed' | 'moved';
  readonly changes: readonly LineChange[];
  /** What differs beside single lines. */
  readonly notes: readonly string[];
}

/** Beyond this, lines are compared as sets: the exact way would take too long. */
const maxCells = 4_000_000;

/** The lines that only one of two lists has, in order; lines that moved are in both. */
function lineChanges(before: readonly LiveLine[], after: readonly LiveLine[]): readonly LineChange[] {
  const minus = (one: LiveLine): LineChange => ({ op: '-', ...one });
  const plus = (one: LiveLine): LineChange => ({ op: '+', ...one });
  let start = 0;
  while (start < before.length && start < after.length && before[start]?.text === after[start]?.text)
    start += 1;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end]?.text === after[after.length - 1 - end]?.text
  )
    end += 1;
  const a = before.slice(start, before.length - end);
  const b = after.slice(start, after.length - end);
  if (a.length * b.length > maxCells) {
    const [inA, inB] = [new Set(a.map(({ text }) => text)), new Set(b.map(({ text }) => text))];
    return [
      ...a.filter(({ text }) => !inB.has(text)).map(minus),
      ...b.filter(({ text }) => !inA.has(text)).map(plus),
    ];
  }
  // Lengths of the longest common rest, from each pair of places on.
  const width = b.length + 1;
  const rest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      rest[i * width + j] =
        a[i]?.text === b[j]?.text
          ? (rest[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(rest[(i + 1) * width + j] ?? 0, rest[i * width + j + 1] ?? 0);
  const changes: LineChange[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [old, next] = [a[i], b[j]];
    if (old !== undefined && old.text === next?.text) {
      i += 1;
      j += 1;
    } else if (
      old !== undefined &&
      (next === undefined || (rest[(i + 1) * width + j] ?? 0) >= (rest[i * width + j + 1] ?? 0))
    ) {
      changes.push(minus(old));
      i += 1;
    } else if (next !== undefined) {
      changes.push(plus(next));
      j += 1;
    }
  }
  return changes;
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
