import { heartbeatName } from '../checks/ttl.js';
import type { ServiceDefinition } from '../config/service.js';

/** Which checks of these services wait for heartbeats, as a board keeps them. */
export function waitingChecks(
  definitions: Iterable<ServiceDefinition>,
): readonly (readonly [service: string, checks: readonly string[]])[] {
  return [...definitions].map(({ name, checks }) => [
    name,
    checks.flatMap((check) => (check.type === 'ttl' ? [heartbeatName(check)] : [])),
  ]);
}
