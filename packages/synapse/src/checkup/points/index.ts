import type { Facts } from '../facts.js';
import { groups, type Point } from '../types.js';
import { configPoints } from './config.js';
import { convergencePoints } from './convergence.js';
import { numbersPoint } from './numbers.js';
import { observabilityPoints } from './observability.js';
import { registrationPoints } from './registrations.js';
import { zookeeperPoints } from './zookeeper.js';

/** All points but those of generators. */
export const ownPoints: readonly Point<Facts>[] = [
  ...configPoints,
  ...zookeeperPoints,
  ...registrationPoints,
  ...convergencePoints,
  ...observabilityPoints,
  numbersPoint,
];

/** `points` by group; those of a group in their order. */
export function inOrder<S>(points: readonly Point<S>[]): readonly Point<S>[] {
  return groups.flatMap((group) => points.filter((point) => point.group === group));
}

/** Whether a point is looked at, with --pre or without. */
export function isAsked({ when }: Pick<Point<Facts>, 'when'>, beforeStart: boolean): boolean {
  return when === 'always' || (when === 'before') === beforeStart;
}
