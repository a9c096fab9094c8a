import type { Clock } from '@smartstack/agent';
import type { GeneratorTrace, TraceSubject } from '../../catalog/types.js';
import type { ConvergeReport } from './converge.js';
import type { Desire } from './desire.js';
import { lookAt } from './runtime/look.js';
import type { Timeline } from './trace/timeline.js';
import { type Seen, trace } from './trace/trace.js';
import type { Wiring } from './wiring.js';

/** What a generator knows of itself. */
export interface TraceContext {
  readonly wiring: Wiring | undefined;
  readonly desire: Desire | undefined;
  readonly report: ConvergeReport | undefined;
  readonly timeline: Timeline;
  readonly configPath: string;
  readonly clock: Clock;
}

/** What has become of services' instances: from memory, and what HAProxy says when it is asked. Never rejects. */
export async function traceServices(
  subjects: readonly TraceSubject[],
  { wiring, desire, report, timeline, configPath, clock }: TraceContext,
  signal: AbortSignal,
): Promise<readonly GeneratorTrace[]> {
  const names = new Map(
    [...(wiring?.keeper.written?.desired.services ?? []), ...(desire?.desired.services ?? [])].map(
      ({ service, backend }) => [service, backend.name],
    ),
  );
  const [only, ...others] = subjects;
  const backend = only && others.length === 0 ? names.get(only.service) : undefined;
  const looks = await Promise.all((wiring?.targets ?? []).map((target) => lookAt(target, backend, signal)));
  const common = {
    ...{ timeline, now: clock.now(), desired: desire?.desired, issues: desire?.issues ?? [] },
    held: wiring?.keeper.quarantine.entries ?? [],
    file: { path: configPath, written: wiring?.keeper.written, problem: report?.fileProblem },
    reasons: report?.reasons ?? [],
  };
  return subjects.map((subject) => {
    const own = names.get(subject.service) ?? subject.service;
    const seen = looks.map((look): Seen =>
      'problem' in look ? look : { socket: look.socket, pid: look.pid, servers: look.backends.get(own) },
    );
    const steered = (server: string) => wiring?.steering.explain(own, server);
    return trace({ ...common, ...subject, backend: own, seen, steered });
  });
}
