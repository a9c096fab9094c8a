import { rowKey, type StatRow } from '../counters/statTable.js';
import type { ObservedState } from '../types.js';

/** Keys of servers that are out of rotation because HAProxy's checks of them fail. */
export const downIn = (rows: readonly StatRow[]): ReadonlySet<string> =>
  new Set(rows.filter(({ kind, isDown }) => kind === 'server' && isDown).map(({ key }) => key));

/** The same of an earlier look. */
export const downAt = ({ backends }: ObservedState): ReadonlySet<string> =>
  new Set(
    [...backends].flatMap(([backend, servers]) =>
      [...servers]
        .filter(([, { admin, operational }]) => admin !== 'maint' && operational === 'down')
        .map(([name]) => rowKey('server', backend, name)),
    ),
  );

/** Whether two sets hold the same keys. */
export const isSameSet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((each) => b.has(each));
