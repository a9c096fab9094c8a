import type { Clock } from '@smartstack/agent';
import type { Location } from '../../catalog/locality.js';
import type { GeneratorTrace, TraceSubject } from '../../catalog/types.js';
import type { Budgets } from './budget/budgets.js';
import type { ConvergeReport } from './converge.js';
import type { Desire } from './desire.js';
import { isTier, ownerOf } from './desired/tierNames.js';
import { lookAt } from './runtime/look.js';
import type { Timeline } from './trace/timeline.js';
import { seenOf, trace } from './trace/trace.js';
import type { Wiring } from './wiring.js';

/** What a generator knows of itself. */
export interface TraceContext {
  readonly wiring: Wiring | undefined;
  readonly desire: Desire | undefined;
  readonly report: ConvergeReport | undefined;
  readonly timeline: Timeline;
  readonly budgets: Pick<Budgets, 'issues'>;
  readonly configPath: string;
  /** Where this host is. */
  readonly location: Location;
  readonly clock: Clock;
}

/** What has become of services' instances: from memory, and what HAProxy says when it is asked. Never rejects. */
export async function traceServices(
  subjects: readonly TraceSubject[],
  { wiring, desire, report, timeline, budgets, configPath, location, clock }: TraceContext,
  signal: AbortSignal,
): Promise<readonly GeneratorTrace[]> {
  const names = new Map<string, Set<string>>();
  for (const { service, backend } of [
    ...(wiring?.keeper.written?.desired.services ?? []),
    ...(desire?.desired.services ?? []),
  ]) {
    const owner = ownerOf(service);
    const known = names.get(owner) ?? new Set();
    // Its own before those of its tiers.
    names.set(owner, isTier(service) ? known.add(backend.name) : new Set([backend.name, ...known]));
  }
  const [only, ...others] = subjects;
  const asked = only && others.length === 0 ? names.get(only.service) : undefined;
  const wanted = asked && [...asked];
  const looks = await Promise.all((wiring?.targets ?? []).map((target) => lookAt(target, wanted, signal)));
  const common = {
    ...{ timeline, now: clock.now(), desired: desire?.desired },
    issues: [...(desire?.issues ?? []), ...budgets.issues],
    held: wiring?.keeper.quarantine.entries ?? [],
    file: { path: configPath, written: wiring?.keeper.written, problem: report?.fileProblem },
    reasons: report?.reasons ?? [],
    location,
  };
  return subjects.map((subject) => {
    const [own = subject.service] = names.get(subject.service) ?? [];
    const seen = looks.map((look) => seenOf(look, own));
    const steered = (server: string) => wiring?.steering.explain(own, server);
    return trace({ ...common, ...subject, backend: own, seen, steered });
  });
}
