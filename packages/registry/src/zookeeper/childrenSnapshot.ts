import type { ChildResult, ChildrenSnapshot } from './types.js';

/** True when both say the same of one child. Versions and times do not count: only content does. */
function sameChild(a: ChildResult, b: ChildResult): boolean {
  // Of a child that was not read again there is but one reading.
  if (a === b) return true;
  switch (a.kind) {
    case 'data':
      return b.kind === 'data' && a.data.equals(b.data);
    case 'skipped':
      return b.kind === 'skipped';
    case 'error':
      return b.kind === 'error' && a.error.message === b.error.message;
  }
}

/** True when two readings have the same content, children in the same order included. */
export function sameSnapshot(a: ChildrenSnapshot, b: ChildrenSnapshot): boolean {
  if (a.exists !== b.exists || !a.data.equals(b.data) || a.children.size !== b.children.size) return false;
  const others = b.children.entries();
  for (const [name, child] of a.children) {
    const other = others.next().value;
    if (other?.[0] !== name || !sameChild(child, other[1])) return false;
  }
  return true;
}
