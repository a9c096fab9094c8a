import { effectiveDefaults } from './backendContext.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf } from './outline.js';
import { tapObstacles } from './tapClashes.js';
import { RowMemo } from './rowMemo.js';
import { isTapSection, tapLeaseSeconds, tapLineMark, tapName, wholeTap } from './tapNames.js';
import { optionsAgainst } from './tapLogs.js';
import type { DesiredState, Section, ServiceSections, TapSettings } from '../types.js';

/** Ends each of our lines: nobody else's line is taken for one. */
const mark = '# tap';

/** Before which lines of a frontend HAProxy wants rules about requests; it warns of others behind them. */
const afterRequestRules = /^\s*(http-request|redirect|use_backend|req\w+|block)\s/;

/** As much of a path as a line holds, in bytes; escaped, each may take six characters. */
const pathBytes = 512;
/** Longest line, in bytes: an escaped path, and three names of 255. */
const lineBytes = 4096;
const ringBytes = 1_048_576;

/** True for a line that was added here. */
export function isTapLine(line: string): boolean {
  return line.endsWith(mark);
}

/** The text of a haproxy.cfg with empty lines in place of ours. */
export function withoutTapText(text: string): string {
  let isOurs = false;
  return text
    .split('\n')
    .map((line) => {
      if (/^[^\s#]/.test(line)) isOurs = isTapSection({ title: line });
      return isOurs || isTapLine(line) ? '' : line;
    })
    .join('\n');
}

function marked(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `${line} ${mark}`);
}

/**
 * Fields are words; what a client sends is in the last, as JSON escapes it, and in the method, of which HAProxy takes
 * no other characters than a word's. Variables, not `%HM`: that one would have HAProxy keep a copy of every request.
 */
const format = [
  ...[tapLineMark, '%pid', '%lc', '%[date(0,us)]', '%f', '%b', '%s', '%ci', '%cp', '%ST', '%B', '%rc', '%ts'],
  ...['%[var(txn.synapse_tap_answer)]', '%[var(txn.synapse_tap_request)]'],
].join(' ');

const request = `%[date(0,us)] %[method] %[path,bytes(0,${pathBytes}),json(utf8s)]`;

/** The lines of a frontend: silent about every request unless the table has a number for it. */
const tapping = marked([
  `log ring@${tapName} len ${lineBytes} format raw local0`,
  `log-format "${format}"`,
  `http-request set-var(txn.synapse_tap) fe_name,table_gpt0(${tapName})`,
  `http-request set-log-level silent unless { rand(${wholeTap}),sub(txn.synapse_tap) -m int lt 0 }`,
  `http-request set-var-fmt(txn.synapse_tap_request) "${request}" if { var(txn.synapse_tap) -m int gt 0 }`,
  'http-after-response set-var(txn.synapse_tap_answer) date(0,us) if { var(txn.synapse_tap_request) -m found }',
]);

const sections: readonly Section[] = [
  {
    title: `ring ${tapName}`,
    lines: marked(['format raw', `maxlen ${lineBytes}`, `size ${ringBytes}`]),
  },
  {
    title: `backend ${tapName}`,
    lines: marked([`stick-table type string len 255 size 10k expire ${tapLeaseSeconds}s store gpt0`]),
  },
];

/** First of the rules of their kind: what the operator's rules refuse is seen, too, and with the path that was asked for. */
function insertInto(lines: readonly string[], against: readonly string[]): readonly string[] {
  const found = lines.findIndex((line) => afterRequestRules.test(line));
  const at = found < 0 ? lines.length : found;
  return [...lines.slice(0, at), ...marked(against), ...tapping, ...lines.slice(at)];
}

/** The lines of a service's frontend that were added here: always the same list for the same lines. */
export function tapLinesOf({ frontend }: ServiceSections): readonly string[] {
  if (frontend === undefined) return [];
  const known = ours.get(frontend.lines);
  if (known !== undefined) return known;
  const found = frontend.lines.filter(isTapLine);
  ours.set(frontend.lines, found);
  return found;
}

const ours = new WeakMap<readonly string[], readonly string[]>();

/** Sections are values by which later steps know what did not change: the same ones come out the same. */
const bare = new WeakMap<ServiceSections, ServiceSections>();
const tapped = new WeakMap<
  ServiceSections,
  { readonly defaults: readonly string[]; readonly made: ServiceSections }
>();
const withSectionsOf = new WeakMap<readonly Section[], readonly Section[]>();

/** The same for frontends, which many sections of a service have one after the other. */
const inserted = new Memo<Section, Section>();
const taken = new Memo<Section, Section>();

function tappedFrontend(frontend: Section, defaults: readonly string[]): Section {
  const { lines } = frontend;
  return { ...frontend, lines: insertInto(lines, optionsAgainst(defaults, lines)) };
}

function plainFrontend(frontend: Section): Section {
  return { ...frontend, lines: frontend.lines.filter((line) => !isTapLine(line)) };
}

function withoutLines(service: ServiceSections): ServiceSections {
  const { frontend } = service;
  if (frontend?.lines.some(isTapLine) !== true) return service;
  const known = bare.get(service);
  if (known !== undefined) return known;
  const made = { ...service, frontend: taken.of(frontend, [], () => plainFrontend(frontend)) };
  bare.set(service, made);
  return made;
}

function withLines(plain: ServiceSections, defaults: readonly string[]): ServiceSections {
  const known = tapped.get(plain);
  if (known?.defaults === defaults) return known.made;
  const { frontend } = plain;
  if (frontend === undefined) return plain;
  const made = {
    ...plain,
    frontend: inserted.of(frontend, [defaults], () => tappedFrontend(frontend, defaults)),
  };
  tapped.set(plain, { defaults, made });
  bare.set(made, plain);
  return made;
}

function withSections(base: readonly Section[]): readonly Section[] {
  const known = withSectionsOf.get(base);
  if (known !== undefined) return known;
  const made = [...base, ...sections];
  withSectionsOf.set(base, made);
  return made;
}

const plainOnes = new Memo<Outline, boolean>();

/** The state without anything of the tap. */
export function withoutTap(state: DesiredState): DesiredState {
  const { tap, base, services, ...rest } = state;
  const outline = outlineOf(services);
  const isPlain = plainOnes.of(outline, [], () =>
    outline.every(({ frontend }) => frontend?.lines.some(isTapLine) !== true),
  );
  const hasSections = base.some(isTapSection);
  if (isPlain && !hasSections && tap === undefined) return state;
  return {
    ...rest,
    base: hasSections ? base.filter((section) => !isTapSection(section)) : base,
    services: isPlain ? services : services.map(withoutLines),
  };
}

const tappable = new Memo<Outline, readonly boolean[]>();

/** Which services can have the lines, by their places. */
function tappableIn(state: DesiredState, settings: TapSettings): readonly boolean[] {
  const outline = outlineOf(state.services);
  return tappable.of(outline, [state.base, settings], () => {
    const obstacles = tapObstacles(state, settings);
    return outline.map(({ service, frontend }) => frontend !== undefined && !obstacles.has(service));
  });
}

/** The state with the lines of the tap, in each frontend that can have them (`tapObstacles` tells of the others); without any where `settings` are undefined. */
export function withTap(
  state: DesiredState,
  settings: TapSettings | undefined,
  memo = new RowMemo<ServiceSections>(),
): DesiredState {
  const plain = withoutTap(state);
  if (settings === undefined) return plain;
  const isTapped = tappableIn(plain, settings);
  const defaults = effectiveDefaults(plain.base);
  const services = memo.of([defaults], [plain.services, isTapped], (each, index) =>
    isTapped[index] === true ? withLines(each, defaults) : each,
  );
  const base = isTapped.includes(true) ? withSections(plain.base) : plain.base;
  return { ...plain, base, services, tap: settings };
}
