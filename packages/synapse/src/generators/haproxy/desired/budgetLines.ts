import { budgetTable, budgetWindowSeconds, isBudgetTable } from './budgetNames.js';
import { mayRepeat, onceUnlessDeclared } from './policyLines.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf, type ServiceOutline } from './outline.js';
import { RowMemo } from './rowMemo.js';
import { counterUse, isNameTaken, type Structure } from './stickCounters.js';
import { ownerOf } from './tierNames.js';
import type { DesiredState, Section, ServiceSections } from '../types.js';

/** Ends each of our lines: nobody else's line is taken for one. */
const mark = '# budget of retries';

/** Lines of a policy with a budget (`policyLines`). */
const budgetNote = /^retries (\d+) # budget (\d+)% and (\d+)\/s$/;
const afterResponseRules = /^\s*http-after-response\s/;

/** Those of operators are mostly the first; the last is the one that counts latencies unless told otherwise. */
const candidates = [1, 0, 2] as const;

/** An entry that nobody uses is forgotten after this: HAProxy keeps its window for as long anyway. */
const expire = `${budgetWindowSeconds * 6}s`;
/** A limit, not a size: there is an entry for each service with a budget. */
const tableSize = '100k';

/** What a policy allows: for each request so many attempts and retries in percent, and so many retries a second. */
interface Budget {
  readonly attempts: number;
  readonly percent: number;
  readonly perSecond: number;
}

/** True for a line that was added here. */
export function isBudgetLine(line: string): boolean {
  return line.endsWith(mark);
}

/** The text of a haproxy.cfg with empty lines in place of ours. */
export function withoutBudgetText(text: string): string {
  return text
    .split('\n')
    .map((line) => (isBudgetLine(line) || isBudgetTable({ title: line }) ? '' : line))
    .join('\n');
}

function marked(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `${line} ${mark}`);
}

const budgets = new Memo<readonly string[], { readonly budget: Budget | undefined }>();

function budgetOf({ backend: { lines } }: Pick<ServiceOutline, 'backend'>): Budget | undefined {
  return budgets.of(lines, [], () => ({ budget: readBudget(lines) })).budget;
}

function readBudget(lines: readonly string[]): Budget | undefined {
  const [found] = lines.flatMap((line) => {
    const [, attempts, percent, perSecond] = (budgetNote.exec(line) ?? []).map(Number);
    if (attempts === undefined || percent === undefined || perSecond === undefined) return [];
    return [{ attempts, percent, perSecond }];
  });
  // One who took the policy's own line away has no use for the variable that it reads.
  return lines.includes(onceUnlessDeclared) ? found : undefined;
}

/** True for a backend whose policy has a budget of retries. */
export function wantsBudget(sections: Pick<ServiceOutline, 'backend'>): boolean {
  return budgetOf(sections) !== undefined;
}

const anyWanted = new Memo<Outline, boolean>();

/** True when any is. */
export function wantsBudgets({ services }: DesiredState): boolean {
  const outline = outlineOf(services);
  return anyWanted.of(outline, [], () => outline.some(wantsBudget));
}

/** How many retries a budget allows in a window in which there were so many requests; none is known for a backend without its lines. */
export function allowedRetries(sections: ServiceSections, requests: number): number | undefined {
  const budget = budgetLinesOf(sections).length === 0 ? undefined : budgetOf(sections);
  return budget && Math.floor((requests * budget.percent) / 100) + budget.perSecond * budgetWindowSeconds;
}

/**
 * HAProxy itself compares what was tried again with what was asked, over its sliding window, before each request; what
 * it was is known when the request ends (`%rc`), whoever answered. So it needs nobody who tells it when to stop.
 */
function linesFor({ attempts, percent, perSecond }: Budget, key: string, counter: number) {
  const [allowed, spent] = ['txn.synapse_budget', 'txn.synapse_spent'];
  const [retries, counted] = ['txn.synapse_retries', 'txn.synapse_counted'];
  return {
    request: marked([
      `http-request track-sc${counter} str(${key}) table ${budgetTable}`,
      `http-request set-var(${allowed}) sc_http_req_rate(${counter}),mul(${percent}),div(100),add(${perSecond * budgetWindowSeconds})`,
      `http-request set-var(${spent}) bool(true) if { var(${mayRepeat}) -m bool } { sc_gpc0_rate(${counter}),sub(${allowed}) ge 0 }`,
      `http-request disable-l7-retry if { var(${spent}) -m bool }`,
    ]),
    response: marked([
      `http-after-response set-var-fmt(${retries}) %rc`,
      // Each adds one.
      ...Array.from(
        { length: attempts },
        (_, index) =>
          `http-after-response set-var(${counted}) sc_inc_gpc0(${counter}) if { var(${retries}) -m int ge ${index + 1} }`,
      ),
      `http-after-response set-var(${counted}) sc_inc_gpc1(${counter}) if { var(${spent}) -m bool } { status ge 500 }`,
    ]),
  };
}

/** Behind the policy's own rule, and before what ends the operator's rules about responses. */
function insertInto(
  lines: readonly string[],
  { request, response }: ReturnType<typeof linesFor>,
): readonly string[] {
  const requestAt = lines.indexOf(onceUnlessDeclared);
  const found = lines.findIndex((line) => afterResponseRules.test(line));
  const responseAt = found < 0 ? requestAt + 1 : found;
  return [...lines.keys(), lines.length].flatMap((at) => [
    ...(at === requestAt + 1 ? request : []),
    ...(at === responseAt ? response : []),
    ...(at < lines.length ? [lines[at] ?? ''] : []),
  ]);
}

const ours = new Memo<readonly string[], readonly string[]>();

/** The lines of a service's backend that were added here: always the same list for the same lines. */
export function budgetLinesOf({ backend: { lines } }: Pick<ServiceOutline, 'backend'>): readonly string[] {
  return ours.of(lines, [], () => lines.filter(isBudgetLine));
}

/** Sections are values by which later steps know what did not change: the same ones come out the same. */
const bare = new WeakMap<ServiceSections, ServiceSections>();
const budgeted = new WeakMap<ServiceSections, { readonly counter: number; readonly made: ServiceSections }>();
const withTableOf = new WeakMap<readonly Section[], readonly Section[]>();

/** The same for lines, which many sections of a service have one after the other. */
const inserted = new Memo<readonly string[], readonly string[]>();
const taken = new Memo<readonly string[], readonly string[]>();

function withoutLines(sections: ServiceSections): ServiceSections {
  const { backend } = sections;
  if (budgetLinesOf(sections).length === 0) return sections;
  const known = bare.get(sections);
  if (known !== undefined) return known;
  const lines = taken.of(backend.lines, [], () => backend.lines.filter((line) => !isBudgetLine(line)));
  const made = { ...sections, backend: { ...backend, lines } };
  bare.set(sections, made);
  return made;
}

/** Levels of one service share its budget. */
function withLines(plain: ServiceSections, counter: number): ServiceSections {
  const known = budgeted.get(plain);
  if (known?.counter === counter) return known.made;
  const { service, backend } = plain;
  const budget = budgetOf(plain);
  if (budget === undefined) return plain;
  const key = ownerOf(service);
  const lines = inserted.of(backend.lines, [key, counter], () =>
    insertInto(backend.lines, linesFor(budget, key, counter)),
  );
  const made = { ...plain, backend: { ...backend, lines } };
  budgeted.set(plain, { counter, made });
  bare.set(made, plain);
  return made;
}

function withTable(base: readonly Section[]): readonly Section[] {
  const known = withTableOf.get(base);
  if (known !== undefined) return known;
  const stored = ['http_req_rate', 'gpc0_rate'].map((rate) => `${rate}(${budgetWindowSeconds}s)`);
  const line = `stick-table type string len 255 size ${tableSize} expire ${expire} store ${stored.join()},gpc1`;
  const made = [...base, { title: `backend ${budgetTable}`, lines: marked([line]) }];
  withTableOf.set(base, made);
  return made;
}

const plainOnes = new Memo<Outline, boolean>();

/** The state without lines of budgets; retries are then bounded by the attempts of each request alone. */
export function withoutBudgets(state: DesiredState): DesiredState {
  const { budgets: isBound, base, services, ...rest } = state;
  const outline = outlineOf(services);
  const isPlain = plainOnes.of(outline, [], () => outline.every((each) => budgetLinesOf(each).length === 0));
  const hasTable = base.some(isBudgetTable);
  if (isPlain && !hasTable && isBound === undefined) return state;
  return {
    ...rest,
    base: hasTable ? base.filter((section) => !isBudgetTable(section)) : base,
    services: isPlain ? services : services.map(withoutLines),
  };
}

function structureOf({ base, services, sharedFrontend }: DesiredState): Structure {
  return { base, services: outlineOf(services), sharedFrontend };
}

/** Why a backend whose policy has a budget goes without, in a state that has no lines of budgets; undefined where it need not. */
export function budgetObstacles(
  state: DesiredState,
): (sections: Pick<ServiceOutline, 'backend'>) => string | undefined {
  const structure = structureOf(state);
  if (isNameTaken(structure, budgetTable)) return () => `there is already a section ${budgetTable}`;
  const counterFor = freeCounters(structure);
  return (sections) =>
    counterFor(sections) === undefined
      ? 'it needs a stick counter of HAProxy, and lines on the way to its backend use all three'
      : undefined;
}

function freeCounters(
  structure: Structure,
): (sections: Pick<ServiceOutline, 'backend'>) => number | undefined {
  const uses = candidates.map((counter) => [counter, counterUse(structure, counter)] as const);
  return ({ backend }) => uses.find(([, whyNot]) => whyNot(backend) === undefined)?.[0];
}

const chosen = new Memo<Outline, readonly (number | undefined)[]>();

/** The stick counter for the budget of each service that has one and can keep it, by their places. */
function countersIn(state: DesiredState): readonly (number | undefined)[] {
  const structure = structureOf(state);
  const { base, services, sharedFrontend } = structure;
  return chosen.of(services, [base, sharedFrontend?.title, sharedFrontend?.lines], () => {
    const counterFor = freeCounters(structure);
    const isFree = !isNameTaken(structure, budgetTable);
    return services.map((each) => (isFree && wantsBudget(each) ? counterFor(each) : undefined));
  });
}

/**
 * The state with the lines that bound the retries of each service whose policy has a budget, where they can be had
 * (`budgetObstacles` tells of the others). To be called on a state that has its lines for latencies: they come first
 * where a stick counter is wanted twice.
 */
export function withBudgets(state: DesiredState, memo = new RowMemo<ServiceSections>()): DesiredState {
  const plain = withoutBudgets(state);
  if (!wantsBudgets(plain)) return plain;
  const counters = countersIn(plain);
  if (counters.every((counter) => counter === undefined)) return plain;
  const services = memo.of([], [plain.services, counters], (sections, index) => {
    const counter = counters[index];
    return counter === undefined ? sections : withLines(sections, counter);
  });
  return { ...plain, base: withTable(plain.base), services, budgets: true };
}
