import { isDefaults } from './backendContext.js';
import { isLatencyLine, latencyLinesOf } from './latencyLines.js';
import { Memo } from './memo.js';
import { isTapLine, tapLinesOf } from './tapLines.js';
import type { DesiredState, Section, ServiceSections } from '../types.js';

/** Named `defaults` of haproxy.cfg: those of backends that count latencies, and those of frontends with a tap. */
const countedDefaults = 'synapse-counted';
const tappedDefaults = 'synapse-tapped';
const names: readonly string[] = [countedDefaults, tappedDefaults];

/**
 * Lines of ours that services have in common; undefined where none are to be shared. HAProxy reads and keeps the rules
 * of a named `defaults` once, whoever inherits them, and carries them out before the section's own; from 2.6 on, as the
 * lines themselves (`Capabilities.counterArrays`).
 */
export interface SharedRules {
  readonly counting?: readonly string[];
  readonly tapping?: readonly string[];
}

/** A service as it is written: the lines that are shared left out, and where the others come from in its titles. */
export interface WrittenService {
  readonly frontend: Section | undefined;
  readonly backend: Section;
}

/** Lists with the same content are one, by which whoever has written a service knows that nothing changed. */
const canonical = new Map<string, readonly string[]>();
const theOne = new Memo<readonly string[], readonly string[]>();

function canonicalOf(lines: readonly string[]): readonly string[] {
  return theOne.of(lines, [], () => {
    const text = lines.join('\n');
    const known = canonical.get(text) ?? lines;
    canonical.set(text, known);
    return known;
  });
}

/** The lines that most services have, of those that have some: an option of one service's own makes its lines others. */
function mostCommon(
  services: readonly ServiceSections[],
  linesOf: (sections: ServiceSections) => readonly string[],
): readonly string[] | undefined {
  const counts = new Map<readonly string[], number>();
  let most: readonly string[] | undefined;
  for (const each of services) {
    const lines = linesOf(each);
    if (lines.length === 0) continue;
    const one = canonicalOf(lines);
    const count = (counts.get(one) ?? 0) + 1;
    counts.set(one, count);
    if (count > (most === undefined ? 0 : (counts.get(most) ?? 0))) most = one;
  }
  return most;
}

/** Where the `defaults` stand that services inherit, when it is known what those are: they have no name and no parent. */
const placeOf = new Memo<readonly Section[], { readonly at: number | undefined }>();

function defaultsAt(base: readonly Section[]): number | undefined {
  return placeOf.of(base, [], () => {
    const at = base.findLastIndex(isDefaults);
    const isTaken = base.some(({ title }) => names.includes(title.trim().split(/\s+/)[1] ?? ''));
    return { at: base[at]?.title === 'defaults' && !isTaken ? at : undefined };
  }).at;
}

/** Which lines the services of a state share; none where it is not known what they inherit otherwise. */
export function sharedRulesOf({ base, services }: DesiredState): SharedRules {
  if (defaultsAt(base) === undefined) return {};
  const [counting, tapping] = [mostCommon(services, latencyLinesOf), mostCommon(services, tapLinesOf)];
  return { ...(counting && { counting }), ...(tapping && { tapping }) };
}

const withRules = new Memo<readonly Section[], readonly Section[]>();

/** The sections before services, with the shared lines ahead of the `defaults` that hold for everything else. */
export function withSharedRules(
  base: readonly Section[],
  { counting, tapping }: SharedRules,
): readonly Section[] {
  const at = defaultsAt(base);
  const defaults = at === undefined ? undefined : base[at];
  if (at === undefined || defaults === undefined) return base;
  return withRules.of(base, [counting, tapping], () => [
    ...base.slice(0, at),
    ...Object.entries({ [countedDefaults]: counting, [tappedDefaults]: tapping }).flatMap(([name, rules]) =>
      rules === undefined ? [] : [{ title: `defaults ${name}`, lines: [...defaults.lines, ...rules] }],
    ),
    ...base.slice(at),
  ]);
}

/** What a service looks like where `shared` is taken from elsewhere. Lines of ours that differ stay where they are. */
export function writtenService(sections: ServiceSections, shared: SharedRules): WrittenService {
  const { frontend, backend } = sections;
  const isCounted = canonicalOf(latencyLinesOf(sections)) === shared.counting;
  const isTapped = canonicalOf(tapLinesOf(sections)) === shared.tapping;
  const title = `backend ${backend.name}`;
  return {
    frontend:
      frontend === undefined || !isTapped
        ? frontend
        : inheriting(frontend.title, frontend.lines, tappedDefaults, isTapLine),
    backend: isCounted
      ? inheriting(title, backend.lines, countedDefaults, isLatencyLine)
      : { title, lines: backend.lines },
  };
}

function inheriting(
  title: string,
  lines: readonly string[],
  from: string,
  isShared: (line: string) => boolean,
): Section {
  return { title: `${title} from ${from}`, lines: lines.filter((line) => !isShared(line)) };
}

const inherits = new RegExp(` from (?:${names.join('|')})$`);

/** The title of a written section without what it inherits from us. */
export function ownTitle(title: string): string {
  return title.replace(inherits, '');
}

/** What a written section inherits from us, as its title says (`from synapse-counted`); undefined for nothing. */
export function inheritance(title: string): string | undefined {
  return inherits.exec(title)?.[0].trim();
}

/** The text of a haproxy.cfg with empty lines in place of the shared lines, and titles as they would be without. */
export function withoutSharedText(text: string): string {
  let isOurs = false;
  return text
    .split('\n')
    .map((line) => {
      if (!/^[^\s#]/.test(line)) return isOurs ? '' : line;
      isOurs = names.some((name) => line === `defaults ${name}`);
      return isOurs ? '' : ownTitle(line);
    })
    .join('\n');
}
