import type { Connection } from './connections.js';
import type { Caller, HostedService } from './types.js';

/** What is known of a user of this host. */
export interface UserNames {
  readonly user: string;
  /** The systemd service that all of its processes belong to, where there is one such. */
  readonly unit?: string;
}

/** What tells who calls. */
export interface CallerFacts {
  readonly instanceId: string;
  /** By the service that is called. */
  readonly declared: ReadonlyMap<string, string>;
  readonly users: ReadonlyMap<number, UserNames>;
  readonly hosted: readonly HostedService[];
  /** Users by the port on which they listen. */
  readonly listeners: ReadonlyMap<number, number>;
}

/** Whose socket nobody here can see. */
const unknownCaller: Caller = { name: 'unknown', identity: 'unknown' };

/** Who is behind a socket of a user: never a guess, so that a user who serves several services is only a user. */
function callerOfUser(uid: number, { users, hosted, listeners }: CallerFacts): Caller {
  const served = new Set(hosted.filter(({ port }) => listeners.get(port) === uid).map(({ name }) => name));
  const [service] = served;
  if (service !== undefined && served.size === 1) return { name: service, identity: 'listener' };
  const names = users.get(uid);
  if (names?.unit !== undefined) return { name: names.unit, identity: 'unit' };
  return { name: names?.user ?? `uid:${uid}`, identity: 'user' };
}

/** Who calls through a connection. */
export function callerOf({ service, uid }: Pick<Connection, 'service' | 'uid'>, facts: CallerFacts): Caller {
  const declared = facts.declared.get(service);
  if (declared !== undefined) return { name: declared, identity: 'declared' };
  return uid === undefined ? unknownCaller : callerOfUser(uid, facts);
}

/** Who calls a service that has traffic, though no connection was seen. */
export function callerUnseen(service: string, facts: CallerFacts): Caller {
  const declared = facts.declared.get(service);
  if (declared !== undefined) return { name: declared, identity: 'declared' };
  const names = new Set(facts.hosted.map(({ name }) => name));
  const [only] = names;
  if (only !== undefined && names.size === 1) return { name: only, identity: 'only-service' };
  return { name: `host:${facts.instanceId}`, identity: 'host' };
}
