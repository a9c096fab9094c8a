/** A line as it means, and where it stands. */
interface PlacedLine {
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/** A line that only one side has. */
export interface LineChange {
  readonly op: '-' | '+';
  readonly text: string;
  /** Where it stands on its side, from 1. */
  readonly line: number;
}

/** Beyond this, lines are compared as sets: the exact way would take too long. */
const maxCells = 4_000_000;

/** The lines that only one of two lists has, in order; lines that moved are in both. */
export function lineChanges(
  before: readonly PlacedLine[],
  after: readonly PlacedLine[],
): readonly LineChange[] {
  const minus = (one: PlacedLine): LineChange => ({ op: '-', ...one });
  const plus = (one: PlacedLine): LineChange => ({ op: '+', ...one });
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

/** What is told of a file that differs in comments and white space alone. */
export const onlyLayout = 'only comments or white space';

const lineStart: Readonly<Record<LineChange['op'], string>> = { '-': '- ', '+': '+ ' };

/**
 * How a text differs from the one on disk, in lines that begin with `+ ` or `- `; empty when it does not. `meaning` is
 * what of a text counts, line by line; absent: all of it.
 */
export function textChanges(
  disk: string | undefined,
  text: string,
  meaning: (text: string) => readonly string[] = (whole) => whole.split('\n'),
): readonly string[] {
  if (disk === text) return [];
  if (disk === undefined) return ['it does not exist yet'];
  const placed = (whole: string): readonly PlacedLine[] =>
    meaning(whole).map((line, index) => ({ text: line, line: index + 1 }));
  const changes = lineChanges(placed(disk), placed(text));
  return changes.length === 0 ? [onlyLayout] : changes.map(({ op, text: line }) => lineStart[op] + line);
}
