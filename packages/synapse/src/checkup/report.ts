import { cut, plainText } from '@smartstack/agent/cli';

import type { Finding } from './run.js';
import type { Outcome } from './types.js';

/** For whom it is written. */
export interface ReportPage {
  readonly isColoured: boolean;
  /** Characters in a line; undefined where it is no terminal. */
  readonly width: number | undefined;
}

const marks = { passed: '√', warning: '‼', failed: '×', unknown: '?' } as const;
/** Green, yellow, red, grey. */
const colours = { passed: 32, warning: 33, failed: 31, unknown: 90 } as const;

function mark(outcome: Outcome, { isColoured }: ReportPage): string {
  return isColoured ? `\x1b[${colours[outcome]}m${marks[outcome]}\x1b[0m` : marks[outcome];
}

/** Where the documentation says what a failure of this point means. */
function docsOf(id: string): string {
  return `docs/operations.md#${id}`;
}

/** A finding in lines: what it is, and of what is not as it should be why, the way out and where to read on. */
export function findingLines(finding: Finding, page: ReportPage): readonly string[] {
  const { id, title, outcome, summary, details = [], hint } = finding;
  const head = plainText(summary === undefined ? title : `${title}: ${summary}`);
  // The mark takes two columns, whatever it is made of.
  const width = page.width === undefined ? undefined : page.width - 2;
  const first = `${mark(outcome, page)} ${cut(head, width)}`;
  if (outcome === 'passed' || outcome === 'unknown') return [first];
  const below = [...details, ...(hint === undefined ? [] : [`hint: ${hint}`]), `see ${docsOf(id)}`];
  // Not cut: it is what somebody must read to its end.
  return [first, ...below.map((line) => `    ${plainText(line)}`)];
}

/** The heading of a group. */
export function groupLines(group: string, isFirst: boolean): readonly string[] {
  return [...(isFirst ? [] : ['']), group, '-'.repeat(group.length)];
}

/** How many of each, in a line. */
export function totalLine(findings: readonly Finding[]): string {
  const count = (outcome: Outcome): number => findings.filter((one) => one.outcome === outcome).length;
  const [bad, doubtful, open] = [count('failed'), count('warning'), count('unknown')];
  const parts = [
    `${count('passed')} passed`,
    ...(doubtful > 0 ? [`${doubtful} ${doubtful === 1 ? 'warning' : 'warnings'}`] : []),
    ...(bad > 0 ? [`${bad} failed`] : []),
    ...(open > 0 ? [`${open} not known`] : []),
  ];
  return `Status check results are ${bad > 0 ? '×' : '√'}: ${parts.join(', ')}`;
}

/** For programs. */
export function reportJson(findings: readonly Finding[]): string {
  const ok = isWell(findings);
  const points = findings.map(({ id, group, title, outcome, summary, details, hint }) => ({
    ...{ id, group, title, outcome },
    ...(summary !== undefined && { summary }),
    ...(details !== undefined && { details }),
    ...(hint !== undefined && { hint }),
    ...(outcome !== 'passed' && { docs: docsOf(id) }),
  }));
  return JSON.stringify({ ok, points }, null, 2);
}

/** Nothing failed. */
export function isWell(findings: readonly Finding[]): boolean {
  return findings.every(({ outcome }) => outcome !== 'failed');
}
