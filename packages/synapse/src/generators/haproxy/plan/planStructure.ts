import { sameLines, sameSection } from '../desired/sameSection.js';
import { budgetLinesOf, withoutBudgets } from '../desired/budgetLines.js';
import { isBudgetTable } from '../desired/budgetNames.js';
import { latencyLinesOf, withoutLatencies } from '../desired/latencyLines.js';
import { isLatencyTable } from '../desired/latencyTable.js';
import { tapLinesOf, withoutTap } from '../desired/tapLines.js';
import { Memo } from '../desired/memo.js';
import { type Outline, outlineOf } from '../desired/outline.js';
import { isTapSection } from '../desired/tapNames.js';
import { Counterparts } from './counterparts.js';
import type { DesiredState, ReloadReason, Section, ServiceSections } from '../types.js';

/** Titles of base sections that are new, gone or different. */
function changedBase(desired: readonly Section[], loaded: readonly Section[]): readonly string[] {
  if (desired === loaded) return [];
  const text = ({ title, lines }: Section): string => [title, ...lines].join('\n');
  const [after, before] = [new Set(desired.map(text)), new Set(loaded.map(text))];
  const changed = [
    ...desired.filter((section) => !before.has(text(section))),
    ...loaded.filter((section) => !after.has(text(section))),
  ].map(({ title }) => title);
  if (changed.length > 0) return [...new Set(changed)];
  // Which `defaults` applies to a section depends on the order.
  const titles = (sections: readonly Section[]): readonly string[] => sections.map(text);
  return sameLines(titles(desired), titles(loaded)) ? [] : ['the order of sections'];
}

function changedLines(desired: ServiceSections, loaded: ServiceSections): string | undefined {
  if (desired === loaded) return undefined;
  if (desired.backend.name !== loaded.backend.name) {
    return `backend ${loaded.backend.name} becomes ${desired.backend.name}`;
  }
  const parts = [
    ...(sameSection(desired.frontend, loaded.frontend) ? [] : ['frontend']),
    ...(sameLines(desired.backend.lines, loaded.backend.lines) ? [] : ['backend']),
  ];
  return parts.length === 0 ? undefined : `lines of its ${parts.join(' and ')} changed`;
}

/** By both outlines: with either as an input of the other's, each generation would keep the one before alive. */
const known = new WeakMap<Outline, Memo<Outline, readonly ReloadReason[]>>();

/** Differences that only a new file brings: sections and lines, servers aside. */
export function structureReasons(desired: DesiredState, loaded: DesiredState): readonly ReloadReason[] {
  const [shared, before] = [desired.sharedFrontend, loaded.sharedFrontend];
  const bases = [desired.base, loaded.base];
  const inputs = [...bases, shared?.title, shared?.lines, before?.title, before?.lines];
  const outline = outlineOf(desired.services);
  const memo = known.get(outline) ?? new Memo();
  known.set(outline, memo);
  return memo.of(outlineOf(loaded.services), inputs, () => findReasons(desired, loaded));
}

function withoutOwnLines(state: DesiredState): DesiredState {
  return withoutTap(withoutBudgets(withoutLatencies(state)));
}

function findReasons(desired: DesiredState, loaded: DesiredState): readonly ReloadReason[] {
  const [wanted, had] = [withoutOwnLines(desired), withoutOwnLines(loaded)];
  const reasons: ReloadReason[] = changedBase(wanted.base, had.base).map((detail) => ({
    kind: 'base-changed',
    detail,
  }));
  const before = new Counterparts(had);
  let kept = 0;
  for (const [index, sections] of wanted.services.entries()) {
    const { service } = sections;
    const old = before.of(service, index);
    if (old !== undefined) kept += 1;
    const detail = old === undefined ? undefined : changedLines(sections, old);
    if (old === undefined) {
      reasons.push({ kind: 'section-added', detail: `backend ${sections.backend.name}`, service });
    } else if (detail !== undefined) {
      reasons.push({ kind: 'lines-changed', detail, service });
    }
  }
  if (kept < had.services.length) {
    const names = new Set(wanted.services.map(({ service }) => service));
    for (const { service, backend } of had.services)
      if (!names.has(service))
        reasons.push({ kind: 'section-removed', detail: `backend ${backend.name}`, service });
  }
  if (!sameSection(desired.sharedFrontend, loaded.sharedFrontend)) {
    reasons.push({ kind: 'lines-changed', detail: 'the shared frontend changed' });
  }
  const ours = [
    ['the lines that count latencies changed', isLatencyTable, latencyLinesOf],
    ['the lines of budgets of retries changed', isBudgetTable, budgetLinesOf],
    ['the lines of the tap changed', isTapSection, tapLinesOf],
  ] as const;
  for (const [detail, isOurs, linesOf] of ours)
    if (differs(desired, loaded, isOurs, linesOf)) reasons.push({ kind: 'lines-changed', detail });
  return reasons;
}

/** Whether lines of ours differ, of sections that both have: one reason for all of them. */
function differs(
  desired: DesiredState,
  loaded: DesiredState,
  isOurs: (section: Section) => boolean,
  linesOf: (sections: ServiceSections) => readonly string[],
): boolean {
  if (changedBase(desired.base.filter(isOurs), loaded.base.filter(isOurs)).length > 0) return true;
  const before = new Counterparts(loaded);
  return desired.services.some((sections, index) => {
    const old = before.of(sections.service, index);
    return old !== undefined && old !== sections && !sameLines(linesOf(sections), linesOf(old));
  });
}

/** All that only a new file brings, as text: equal for two states between which commands suffice. */
export function structureOf({ base, services, sharedFrontend }: DesiredState): string {
  const sections = services.map(({ service, frontend, backend: { name, lines } }) => [
    ...[service, frontend?.title, frontend?.lines],
    ...[name, lines],
  ]);
  return JSON.stringify([base, sections, sharedFrontend]);
}
