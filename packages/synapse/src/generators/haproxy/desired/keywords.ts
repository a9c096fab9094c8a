import {
  modernFrontendOnlyWhenAsked,
  modernKeywords,
  laterRetiredKeywords,
  retiredKeywords,
  rubyKeywords,
  type SectionKind,
} from './keywordTable.js';

/** Which keywords are accepted: Ruby's list, or also what HAProxy 2.6 added. */
export type KeywordSet = 'ruby' | 'modern';

/** Where a block's lines come from: `listen` lines go wherever they are allowed. */
interface BlockLines {
  readonly frontend: readonly string[];
  readonly backend: readonly string[];
  readonly listen: readonly string[];
}

/** Lines sorted into sections, with what was noticed on the way (one sentence each). */
export interface SortedLines {
  readonly frontend: readonly string[];
  readonly backend: readonly string[];
  readonly warnings: readonly string[];
}

/** A line as Ruby compares it: trimmed, single spaces, lower case. */
function normal(line: string): string {
  return line.trim().replace(/\s+/g, ' ').toLowerCase();
}

function startsWithOne(line: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => line.startsWith(prefix));
}

function accepts(kind: SectionKind, line: string, set: KeywordSet): boolean {
  if (startsWithOne(line, rubyKeywords[kind])) return true;
  return set === 'modern' && startsWithOne(line, modernKeywords[kind]);
}

function acceptsOwn(kind: SectionKind, line: string, set: KeywordSet): boolean {
  if (accepts(kind, line, set)) return true;
  return set === 'modern' && kind === 'frontend' && startsWithOne(line, modernFrontendOnlyWhenAsked);
}

function dropped(kind: string, line: string, isModern: boolean): string {
  const advice = isModern
    ? "dropped as Ruby's synapse does; `section_keywords: modern` accepts it"
    : 'not a keyword of such a section, dropped';
  return `${kind}: '${line}': ${advice}`;
}

function retired(kind: string, line: string): string | undefined {
  const found = retiredKeywords.find(([prefix]) => normal(line).startsWith(prefix));
  return found === undefined
    ? undefined
    : `${kind}: '${line}': HAProxy 2.1 and later refuse it; write instead: ${found[1]}`;
}

/** Keeps the lines that a section of this kind may have; `place` names them in warnings. */
export function selectLines(
  kind: SectionKind,
  candidates: readonly string[],
  set: KeywordSet,
  place: string = kind,
): { readonly lines: readonly string[]; readonly warnings: readonly string[] } {
  const kept: string[] = [];
  const warnings: string[] = [];
  for (const line of candidates) {
    if (!acceptsOwn(kind, normal(line), set)) {
      warnings.push(dropped(place, line, acceptsOwn(kind, normal(line), 'modern')));
      continue;
    }
    kept.push(line);
    const advice = retired(place, line);
    if (advice !== undefined) warnings.push(advice);
  }
  return { lines: kept, warnings };
}

/** Sorts a service's lines into its two sections: its own lines first, then those of `listen` that fit, as Ruby. */
export function sortLines(block: BlockLines, set: KeywordSet): SortedLines {
  const frontend = selectLines('frontend', block.frontend, set);
  const backend = selectLines('backend', block.backend, set);
  const warnings = [...frontend.warnings, ...backend.warnings];
  const fromListen = { frontend: [] as string[], backend: [] as string[] };
  for (const line of block.listen) {
    const fits = (['frontend', 'backend'] as const).filter((kind) => accepts(kind, normal(line), set));
    if (fits.length === 0) {
      const isModern = (['frontend', 'backend'] as const).some((kind) =>
        accepts(kind, normal(line), 'modern'),
      );
      warnings.push(dropped('listen', line, isModern));
    }
    for (const kind of fits) fromListen[kind].push(line);
    const advice = fits.length === 0 ? undefined : retired('listen', line);
    if (advice !== undefined) warnings.push(advice);
  }
  return {
    frontend: [...frontend.lines, ...fromListen.frontend],
    backend: [...backend.lines, ...fromListen.backend],
    warnings,
  };
}

/** What some version of HAProxy, and later ones, refuse. */
export interface Refusal {
  /** The first such version: `2.1`. */
  readonly since: string;
  /** What to write instead, for people. */
  readonly advice: string;
}

/** From which version on HAProxy refuses a line of a proxy; undefined for any other line. */
export function refusalOf(line: string): Refusal | undefined {
  const text = normal(line);
  const early = retiredKeywords.find(([prefix]) => text.startsWith(prefix));
  if (early !== undefined) return { since: '2.1', advice: early[1] };
  // Whole words: `transparent` is not `transparently`.
  const late = laterRetiredKeywords.find(([prefix]) => `${text} `.startsWith(`${prefix} `));
  return late && { since: late[1], advice: late[2] };
}

/** Who takes a line of a service's block: Ruby's synapse, and ours with either set of keywords. */
export function whoTakes(
  place: SectionKind | 'listen',
  line: string,
): { readonly ruby: boolean; readonly modern: boolean } {
  const kinds = place === 'listen' ? (['frontend', 'backend'] as const) : [place];
  const takes = (set: KeywordSet): boolean =>
    kinds.some((kind) =>
      place === 'listen' ? accepts(kind, normal(line), set) : acceptsOwn(kind, normal(line), set),
    );
  return { ruby: takes('ruby'), modern: takes('modern') };
}
