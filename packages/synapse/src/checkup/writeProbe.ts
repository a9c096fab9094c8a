import { randomBytes } from 'node:crypto';

import type { Clock } from '@smartstack/agent';
import type { ZkPath } from '@smartstack/registry';

import type { EnsembleReading, PathReading } from './znodes.js';

/** What came of a znode that was to be created and deleted again. */
export interface WriteProbe {
  readonly hosts: readonly string[];
  /** Below which it was to be. */
  readonly path: ZkPath;
  readonly error?: unknown;
  /** How far the server's clock is ahead of ours, in milliseconds: half the round trip is the error. */
  readonly skewMs?: number;
}

/** For one operation, in milliseconds. */
const timeoutMs = 5_000;

function parentOf(path: ZkPath): ZkPath {
  return (path.slice(0, path.lastIndexOf('/')) || '/') as ZkPath;
}

/**
 * The nearest node above a service's path whose children nobody takes for instances: a znode there would be a bad
 * registration to every synapse of the fleet.
 */
export function placeToWrite(ensemble: readonly Pick<PathReading, 'path'>[]): ZkPath {
  const watched = new Set<string>(ensemble.map(({ path }) => path));
  let place = parentOf(ensemble[0]?.path ?? '/');
  while (watched.has(place) && place !== '/') place = parentOf(place);
  return place;
}

/** Creates an ephemeral znode beside the services, so that it goes even if we are killed, and deletes it. */
export async function probeEnsemble(
  { hosts, session }: EnsembleReading,
  all: readonly PathReading[],
  clock: Clock,
): Promise<WriteProbe | undefined> {
  if (session === undefined) return undefined;
  const path = placeToWrite(all.filter((one) => one.exists && one.hosts.join() === hosts.join()));
  const name = `synapse-check-${randomBytes(6).toString('hex')}`;
  const probe: ZkPath = path === '/' ? `/${name}` : `${path}/${name}`;
  try {
    const before = clock.now();
    await session.create(probe, Buffer.from('{}'), 'ephemeral', { timeoutMs });
    const after = clock.now();
    const { stat } = await session.getData(probe, { timeoutMs });
    await session.delete(probe, stat.version, { timeoutMs });
    return { hosts, path, skewMs: Math.round(stat.ctime - (before + after) / 2) };
  } catch (error) {
    return { hosts, path, error };
  }
}
