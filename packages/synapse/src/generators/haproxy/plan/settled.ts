import type { BackendContext } from '../desired/backendContext.js';
import type { Capabilities, ObservedServer, Server, ServiceSections } from '../types.js';

/** A backend in which everything ran as wanted: a plan for others need only look at what differs. */
export interface Settled {
  /** Those that were wanted and loaded. */
  readonly servers: readonly Server[];
  /** How many of them served, and how many took requests. */
  readonly serving: number;
  readonly inRotation: number;
}

/** What that follows from, besides what runs and who is wanted. */
interface Ground {
  readonly desired: ServiceSections;
  readonly loaded: ServiceSections;
  readonly running: ReadonlyMap<string, ObservedServer>;
  readonly context: BackendContext;
  readonly capabilities: Capabilities;
  readonly weights?: ReadonlyMap<string, number> | undefined;
}

interface Note extends Settled {
  readonly context: BackendContext;
  readonly version: string;
}

/** What runs is a value: it is read anew where it may have changed. */
const notes = new WeakMap<Ground['running'], Note>();

/** Without an entry a server's weight is its own. */
function isSteered({ weights }: Ground): boolean {
  return weights !== undefined && weights.size > 0;
}

/** Notes that a plan found nothing to do where what is wanted is what was loaded. */
export function noteSettled(ground: Ground, counts: Pick<Settled, 'serving' | 'inRotation'>): void {
  const { desired, loaded, running, context, capabilities } = ground;
  const { servers } = desired.backend;
  if (isSteered(ground) || servers !== loaded.backend.servers) return;
  notes.set(running, { servers, ...counts, context, version: capabilities.version });
}

/** What was noted of these servers as they run and were loaded; undefined where nothing was. */
export function settledBefore(ground: Ground): Settled | undefined {
  const { loaded, running, context, capabilities } = ground;
  const note = isSteered(ground) ? undefined : notes.get(running);
  const isSame =
    note?.servers === loaded.backend.servers &&
    note.context === context &&
    note.version === capabilities.version;
  return isSame ? note : undefined;
}
