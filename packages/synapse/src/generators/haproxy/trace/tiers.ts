import type { Instance } from '@smartstack/registry';
import { disagreement, type Location } from '../../../catalog/locality.js';
import type { TierTrace, TraceStep } from '../../../catalog/types.js';
import { tierName } from '../desired/tierNames.js';
import { choicesIn, type TierChoice } from '../desired/tiers.js';
import type { SeenServer } from '../runtime/look.js';
import type { DesiredState, ServiceSections } from '../types.js';

/** A server counts, and may be sent requests. */
export function isUp({ status, weight }: SeenServer): boolean {
  return /^(up|no check|open)/.test(status) && weight !== 0;
}

/** One tier of a service: who is in it, and how it fares. */
export interface Tier extends TierChoice {
  readonly members: ReadonlySet<string>;
  /** What the processes say of its servers. */
  readonly seen: readonly (readonly SeenServer[])[];
  /** Requests go there now. */
  readonly isActive: boolean;
  readonly trace: TierTrace;
}

/** What the tiers of a service are told from. */
interface TierSources {
  readonly service: string;
  /** The sections of the service, as its file has them. */
  readonly sections: ServiceSections | undefined;
  readonly desired: DesiredState | undefined;
  /** By process: the backends that it has. */
  readonly processes: readonly ReadonlyMap<string, readonly SeenServer[]>[];
}

/** The tiers of a service, nearest first; none where it has none. */
export function tiersOf({ service, sections, desired, processes }: TierSources): readonly Tier[] {
  const choices = sections?.frontend === undefined ? [] : choicesIn(sections.frontend);
  let isTaken = processes.length === 0;
  return choices.map((choice): Tier => {
    const { level, backend, minimum } = choice;
    const own = desired?.services.find((each) => each.service === tierName(service, level));
    const members = new Set(
      own?.backend.servers.flatMap(({ name, disabled }) => (disabled ? [] : [name])) ?? [],
    );
    const seen = processes.map((backends) => backends.get(backend) ?? []);
    // They all run the same file: the first that answers speaks for all.
    const up = (seen[0] ?? []).filter(isUp);
    const isFull = up.length > 0 && up.every(({ free }) => free !== undefined && free <= 0);
    const isActive = !isTaken && up.length >= minimum && up.length > 0 && !isFull;
    isTaken ||= isActive;
    const why = processes.length === 0 ? 'not asked' : reasonOf({ isActive, isFull, isTaken, up, minimum });
    const trace = {
      ...{ tier: level, backend, minimum, servers: members.size, serving: up.length },
      ...{ active: isActive, reason: why },
    };
    return { ...choice, members, seen, isActive, trace };
  });
}

function reasonOf(one: {
  readonly isActive: boolean;
  readonly isFull: boolean;
  readonly isTaken: boolean;
  readonly up: readonly SeenServer[];
  readonly minimum: number;
}): string {
  if (one.isActive) return 'requests go here';
  if (one.up.length < Math.max(one.minimum, 1)) return `too few: it takes ${Math.max(one.minimum, 1)}`;
  if (one.isFull) return 'full: no server takes another connection at once';
  return 'a nearer one serves';
}

/** The steps of a service: each of its tiers, and everybody, whom requests go to where no tier can have them. */
export function tierSteps(tiers: readonly Tier[], backend: string): readonly TraceStep[] {
  if (tiers.length === 0) return [];
  const isFar = tiers.every(({ isActive, seen }) => !isActive && seen.length > 0);
  return [
    ...tiers.map(({ trace: { tier, backend: name, servers, serving, reason } }): TraceStep => {
      const detail = `${tier}: backend ${name}, ${serving} of ${servers} servers take traffic; ${reason}`;
      return { step: 'tier', ok: true, detail };
    }),
    {
      ...{ step: 'tier', ok: true },
      detail: `all: backend ${backend}${isFar ? '; requests go here: no tier can have them' : ''}`,
    },
  ];
}

/** What one server is in the tiers of its service. */
interface Membership {
  readonly steps: readonly TraceStep[];
  /** The nearest that it is in. */
  readonly tier?: string;
  /** It would take requests, but they go to nearer ones. */
  readonly standsBy: boolean;
  /** In the tier that requests go to: what the processes say of it there. */
  readonly active: readonly SeenServer[];
}

/** In which tiers a server is, and why it is in no nearer one. */
export function membershipOf(
  name: string,
  instance: Instance | undefined,
  tiers: readonly Tier[],
  location: Location,
): Membership {
  const levels = tiers.map(({ level }) => level);
  const own = tiers.filter(({ members }) => members.has(name));
  const rowsIn = ({ seen }: Tier): readonly SeenServer[] =>
    seen.flatMap((rows) => rows.filter((row) => row.name === name));
  const steps = tiers.map((tier, index): TraceStep => {
    const { level, members, backend } = tier;
    if (!members.has(name)) {
      const why = instance && disagreement(instance, levels.slice(index), location);
      return { step: 'tier', ok: true, detail: `not in ${level}${why === undefined ? '' : `: ${why}`}` };
    }
    const rows = rowsIn(tier);
    const status = rows[0]?.status ?? (tier.seen.length === 0 ? 'not asked' : 'not there yet');
    const isOk = tier.seen.length === 0 || (rows.length > 0 && rows.every(isUp));
    return { step: 'tier', ok: isOk, detail: `in ${level}: backend ${backend}, ${status}` };
  });
  const active = tiers.find(({ isActive }) => isActive);
  const [nearest] = own;
  return {
    steps,
    ...(nearest && { tier: nearest.level }),
    standsBy: active !== undefined && !active.members.has(name),
    active: active?.members.has(name) === true ? rowsIn(active) : [],
  };
}
