import type { HaproxyConfig } from '../block/schema.js';
import type { GeneratorPoint, HostSettings } from '../../types.js';
import { addresses } from './addresses.js';
import { adminSocket } from './adminSocket.js';
import { candidate } from './candidate.js';
import { exposeFd } from './exposeFd.js';
import { masterAnswers, masterConfigured } from './master.js';
import { oldWorkers } from './oldWorkers.js';
import type { HaproxyPoint } from './subject.js';
import { tapRing } from './tapRing.js';
import { version } from './version.js';

/** What `synapse check` looks at of HAProxy, in order. */
const points: readonly HaproxyPoint[] = [
  candidate,
  version,
  addresses,
  masterConfigured,
  masterAnswers,
  exposeFd,
  adminSocket,
  oldWorkers,
  tapRing,
];

/** The points of the haproxy generator; `read` understands a block that passed `check`. */
export function haproxyPoints(
  read: (block: unknown, host: HostSettings) => HaproxyConfig,
): readonly GeneratorPoint[] {
  return points.map((point) => ({
    ...point,
    examine: (subject, signal) =>
      point.examine({ ...subject, config: read(subject.block, subject.host) }, signal),
  }));
}
