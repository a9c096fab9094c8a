import type { Section } from '../types.js';

/** Whether the lines are the same, in the same order. */
export function sameLines(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && a.length === b?.length && a.every((line, index) => line === b[index]);
}

/** Whether the sections have the same title and lines; undefined is like undefined alone. */
export function sameSection(a: Section | undefined, b: Section | undefined): boolean {
  return a === b || (a !== undefined && a.title === b?.title && sameLines(a.lines, b.lines));
}
