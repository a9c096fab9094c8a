import { type BackendContext, backendContext, effectiveDefaults } from '../desired/backendContext.js';
import { Counterparts } from './counterparts.js';
import { PlanCache, type PlanInputs } from './planCache.js';
import { planServers } from './planServers.js';
import { structureReasons } from './planStructure.js';
import { renderServer } from '../desired/render.js';
import type {
  Capabilities,
  DesiredState,
  ObservedState,
  Plan,
  ReloadReason,
  RuntimeCommand,
  ServiceSections,
  SteeredWeights,
} from '../types.js';

/** A pair of sections of one service whose backend is the same section before and after. */
interface Pair {
  readonly desired: ServiceSections;
  readonly loaded: ServiceSections;
}

function pairs(desired: DesiredState, loaded: DesiredState): readonly Pair[] {
  const before = new Counterparts(loaded);
  const both: Pair[] = [];
  for (const [index, sections] of desired.services.entries()) {
    const old = before.of(sections.service, index);
    if (old?.backend.name === sections.backend.name) both.push({ desired: sections, loaded: old });
  }
  return both;
}

const plannedBefore = new PlanCache();

/** The lines of a section are values: each list is read once for the same defaults. */
const contexts = new WeakMap<readonly string[], { defaults: readonly string[]; context: BackendContext }>();

function contextOf(defaults: readonly string[], lines: readonly string[]): BackendContext {
  const known = contexts.get(lines);
  if (known?.defaults === defaults) return known.context;
  const context = backendContext(defaults, lines);
  contexts.set(lines, { defaults, context });
  return context;
}

/** Without a Runtime API the file is the only way to tell HAProxy about servers. */
function reasonsWithoutRuntime(both: readonly Pair[]): readonly ReloadReason[] {
  return both.flatMap(({ desired, loaded }): ReloadReason[] => {
    const lines = (sections: ServiceSections): string =>
      sections.backend.servers.map(renderServer).sort().join('\n');
    if (lines(desired) === lines(loaded)) return [];
    const detail = `backend ${desired.backend.name}: its servers changed, and there is no Runtime API to say so`;
    return [{ kind: 'no-dynamic-servers', detail, service: desired.service }];
  });
}

/** Backends that HAProxy loaded from our file, but that the running process lacks. */
function missingBackends(loaded: DesiredState, observed: ObservedState): readonly ReloadReason[] {
  const missing = loaded.services.filter(({ backend }) => !observed.backends.has(backend.name));
  return missing.map(({ service, backend }) => ({
    kind: 'process-not-ours',
    detail: `the running process has no backend ${backend.name}`,
    service,
  }));
}

/**
 * The difference between what is wanted, what HAProxy last loaded and what it runs, as a value.
 *
 * `loaded` holds the sections of the file that the process runs and the servers that synapse put there,
 * from the file or since (see `withApplied`): no other server is ever touched. `observed` is undefined
 * when there is no Runtime API to ask. Commands come with a reload too, so that servers need not wait
 * for it; whatever they cannot do is a reason. `steered` weights stand in for the servers' own in what runs.
 */
export function planChanges(
  desired: DesiredState,
  loaded: DesiredState | undefined,
  observed: ObservedState | undefined,
  capabilities: Capabilities,
  steered?: SteeredWeights,
): Plan {
  if (loaded === undefined) {
    const detail = 'it is not known what HAProxy runs';
    return { commands: [], reload: [{ kind: 'first-configuration', detail }] };
  }
  const structure = structureReasons(desired, loaded);
  const both = pairs(desired, loaded);
  if (observed === undefined) return { commands: [], reload: [...structure, ...reasonsWithoutRuntime(both)] };
  const missing = missingBackends(loaded, observed);
  // Another process may have sections of the same name: nothing in it is ours to change.
  if (missing.length > 0) return { commands: [], reload: [...missing, ...structure] };

  const defaults = effectiveDefaults(loaded.base);
  const commands: RuntimeCommand[] = [];
  const reload: ReloadReason[] = [...structure];
  const reloading = structure.length > 0;
  for (const { desired: wanted, loaded: old } of both) {
    const running = observed.backends.get(old.backend.name);
    if (running === undefined) continue;
    const weights = steered?.get(wanted.backend.name);
    const inputs = { desired: wanted, loaded: old, running, defaults, capabilities, reloading, weights };
    const planned = plannedBefore.get(inputs, planBackend);
    if (planned.commands.length > 0) commands.push(...planned.commands);
    if (planned.reasons.length > 0) reload.push(...planned.reasons);
  }
  return { commands, reload };
}

function planBackend({ defaults, ...inputs }: PlanInputs): ReturnType<typeof planServers> {
  return planServers({ ...inputs, context: contextOf(defaults, inputs.loaded.backend.lines) });
}
