import { type Clock, notFound, type Refusal } from '@smartstack/agent';
import type { InstanceList } from '@smartstack/registry';
import type { ServiceDefinition } from '../config/service.js';
import type { Control } from '../control.js';
import type { HeartbeatBoard } from '../heartbeats/board.js';
import type { Services } from '../services.js';

/** What the API stands on. */
export interface ApiDeps {
  readonly services: Services;
  readonly control: Control;
  readonly heartbeats: HeartbeatBoard;
  readonly clock: Clock;
  /** Reads who else offers a service, where its own registration stands. */
  readonly instances: (definition: ServiceDefinition) => Promise<InstanceList>;
}

/** The definition of a service; throws Refusal 404 that names one like it. */
export function definitionOf({ services }: Pick<ApiDeps, 'services'>, name: string): ServiceDefinition {
  const found = services.find(name);
  if (found) return found.definition;
  throw noService({ services }, name);
}

/** Says that there is no such service, and which was perhaps meant. */
export function noService({ services }: Pick<ApiDeps, 'services'>, name: string): Refusal {
  const known = services.definitions.map((one) => one.name);
  return notFound('service', name, known);
}
