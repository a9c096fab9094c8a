import { isDeepStrictEqual } from 'node:util';
import type { Services } from './services.js';
import type { StatsdEvents } from './statsdEvents.js';

/** Tells which services came, changed and went while `apply` ran. */
export function noteServices(
  services: Pick<Services, 'definitions'>,
  events: Pick<StatsdEvents, 'serviceAdded' | 'serviceChanged' | 'serviceRemoved'>,
  apply: () => void,
): void {
  const before = new Map(services.definitions.map((one) => [one.name, one]));
  apply();
  for (const definition of services.definitions) {
    const old = before.get(definition.name);
    before.delete(definition.name);
    if (old === undefined) events.serviceAdded(definition.name);
    else if (!isDeepStrictEqual(old, definition)) events.serviceChanged(definition.name);
  }
  for (const name of before.keys()) events.serviceRemoved(name);
}
