import type { Point } from '../../../checkup/types.js';
import type { GeneratorSubject } from '../../types.js';
import type { HaproxyConfig } from '../block/schema.js';

/** What HAProxy's points are examined on. */
interface HaproxySubject extends GeneratorSubject {
  readonly config: HaproxyConfig;
}

export type HaproxyPoint = Point<HaproxySubject>;

/** For one answer of a socket, in milliseconds. */
export const answerMs = 2_000;
