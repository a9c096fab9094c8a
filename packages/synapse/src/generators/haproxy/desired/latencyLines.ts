import { latencyBounds } from '../../../traffic/latency.js';
import { backendContext, effectiveDefaults } from './backendContext.js';
import { clashesOf } from './latencyClashes.js';
import { isLatencyTable, keyLength, latencyTable } from './latencyTable.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf } from './outline.js';
import { RowMemo } from './rowMemo.js';
import { ownerOf } from './tierNames.js';
import type { DesiredState, LatencySettings, Section, ServiceSections } from '../types.js';

/** Where the count of a server's 5xx stands, behind the buckets. */
const failuresAt = latencyBounds.length + 1;

/** Ends each of our lines: nobody else's line is taken for one. */
const mark = '# latencies';

/**
 * A limit, not a size: HAProxy takes the memory of an entry when a server answers for the first time. So it need not
 * follow the number of servers, which would take a reload.
 */
const tableSize = '1m';

/** Before which lines of a backend HAProxy wants rules about requests; it warns of others behind them. */
const afterRequestRules = /^\s*(http-request|redirect|use_backend|use-server|req\w+|block)\s/;
const responseRules = /^\s*http-response\s/;

const inMicroseconds = latencyBounds.map((bound) => Math.round(bound * 1e6));

/** True for a line that was added here. */
export function isLatencyLine(line: string): boolean {
  return line.endsWith(mark);
}

/** The text of a haproxy.cfg with empty lines in place of ours. */
export function withoutLatencyText(text: string): string {
  return text
    .split('\n')
    .map((line) => (isLatencyLine(line) || isLatencyTable({ title: line }) ? '' : line))
    .join('\n');
}

function marked(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `${line} ${mark}`);
}

/** Each response is counted in exactly one bucket, also where the clock was set back meanwhile. */
function bucketTest(bucket: number): string {
  const [above, upTo] = [inMicroseconds[bucket - 1], inMicroseconds[bucket]];
  if (above === undefined) return `le ${upTo ?? ''}`;
  return upTo === undefined ? `gt ${above}` : `${above + 1}:${upTo}`;
}

function countingLines(counter: number): {
  readonly request: readonly string[];
  readonly response: readonly string[];
} {
  const increment = (index: number, condition: string): string =>
    `http-response sc-inc-gpc(${index},${counter}) if { ${condition} }`;
  return {
    request: marked(['http-request set-var(txn.synapse_t0) date(0,us)']),
    response: marked([
      'http-response set-var(txn.synapse_latency) date(0,us),sub(txn.synapse_t0)',
      'http-response set-var(txn.synapse_server) srv_id',
      `http-response track-sc${counter} be_name,concat(/,txn.synapse_server) table ${latencyTable}`,
      ...Array.from({ length: latencyBounds.length + 1 }, (_, bucket) =>
        increment(bucket, `var(txn.synapse_latency) -m int ${bucketTest(bucket)}`),
      ),
      increment(failuresAt, 'status ge 500'),
    ]),
  };
}

/** First of the rules of their kind: a rule of the operator's that ends a request's or response's rules is counted, too. */
function insertInto(lines: readonly string[], counter: number): readonly string[] {
  const { request, response } = countingLines(counter);
  const end = (at: number): number => (at < 0 ? lines.length : at);
  const requestAt = end(lines.findIndex((line) => afterRequestRules.test(line)));
  const responseAt = end(lines.findIndex((line) => responseRules.test(line)));
  return [...lines.keys(), lines.length].flatMap((at) => [
    ...(at === requestAt ? request : []),
    ...(at === responseAt ? response : []),
    ...(at < lines.length ? [lines[at] ?? ''] : []),
  ]);
}

/** The lines of a service's backend that were added here: always the same list for the same lines. */
export function latencyLinesOf({ backend: { lines } }: ServiceSections): readonly string[] {
  const known = ours.get(lines);
  if (known !== undefined) return known;
  const found = lines.filter(isLatencyLine);
  ours.set(lines, found);
  return found;
}

const ours = new WeakMap<readonly string[], readonly string[]>();

/** Sections are values by which later steps know what did not change: the same ones come out the same. */
const bare = new WeakMap<ServiceSections, ServiceSections>();
const counting = new WeakMap<ServiceSections, { readonly counter: number; readonly made: ServiceSections }>();

/** The same for lines, which many sections of a service have one after the other. */
const inserted = new Memo<readonly string[], readonly string[]>();
const taken = new Memo<readonly string[], readonly string[]>();

/** The sections of a service without our lines. */
function withoutLines(sections: ServiceSections): ServiceSections {
  const { backend } = sections;
  if (!backend.lines.some(isLatencyLine)) return sections;
  const known = bare.get(sections);
  if (known !== undefined) return known;
  const lines = taken.of(backend.lines, [], () => backend.lines.filter((line) => !isLatencyLine(line)));
  const made = { ...sections, backend: { ...backend, lines } };
  bare.set(sections, made);
  return made;
}

/** The sections that are nobody's, by those without the table. */
const withTableOf = new WeakMap<readonly Section[], readonly Section[]>();

function withTable(base: readonly Section[]): readonly Section[] {
  const known = withTableOf.get(base);
  if (known !== undefined) return known;
  const store = `gpc(${failuresAt + 1})`;
  const lines = marked([`stick-table type string len ${keyLength} size ${tableSize} store ${store}`]);
  const made = [...base, { title: `backend ${latencyTable}`, lines }];
  withTableOf.set(base, made);
  return made;
}

function withLines(plain: ServiceSections, counter: number): ServiceSections {
  const known = counting.get(plain);
  if (known?.counter === counter) return known.made;
  const { backend } = plain;
  const lines = inserted.of(backend.lines, [counter], () => insertInto(backend.lines, counter));
  const made = { ...plain, backend: { ...backend, lines } };
  counting.set(plain, { counter, made });
  bare.set(made, plain);
  return made;
}

const plainOnes = new Memo<Outline, boolean>();

/** The state without anything of ours that counts latencies. */
export function withoutLatencies(state: DesiredState): DesiredState {
  const { latencies, base, services, ...rest } = state;
  const outline = outlineOf(services);
  const isPlain = plainOnes.of(outline, [], () =>
    outline.every(({ backend }) => !backend.lines.some(isLatencyLine)),
  );
  const hasTable = base.some(isLatencyTable);
  if (isPlain && !hasTable && latencies === undefined) return state;
  return {
    ...rest,
    base: hasTable ? base.filter((section) => !isLatencyTable(section)) : base,
    services: isPlain ? services : services.map(withoutLines),
  };
}

const countable = new Memo<Outline, readonly boolean[]>();

/** Which services can have the lines, by their places. */
function countableIn(state: DesiredState, settings: LatencySettings): readonly boolean[] {
  const { base, services, sharedFrontend } = state;
  const outline = outlineOf(services);
  return countable.of(outline, [base, sharedFrontend?.title, sharedFrontend?.lines, settings], () => {
    const clashes = clashesOf(state, settings);
    const leftOut = new Set(settings.except);
    const defaults = effectiveDefaults(base);
    return outline.map(
      ({ service, backend }) =>
        !leftOut.has(ownerOf(service)) &&
        !clashes.has(service) &&
        backendContext(defaults, backend.lines).http,
    );
  });
}

/**
 * The state with the lines that count latencies as `settings` say, in each backend in `mode http` that can have them
 * (`clashesOf` tells of the others); without any where they are undefined. Whatever lines of ours were there go.
 */
export function withLatencies(
  state: DesiredState,
  settings: LatencySettings | undefined,
  memo = new RowMemo<ServiceSections>(),
): DesiredState {
  const plain = withoutLatencies(state);
  if (settings === undefined) return plain;
  const isCounted = countableIn(plain, settings);
  const services = memo.of([settings.stickCounter], [plain.services, isCounted], (sections, index) =>
    isCounted[index] === true ? withLines(sections, settings.stickCounter) : sections,
  );
  const base = isCounted.includes(true) ? withTable(plain.base) : plain.base;
  return { ...plain, base, services, latencies: settings };
}
