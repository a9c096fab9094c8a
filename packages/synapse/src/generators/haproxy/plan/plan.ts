import { type BackendContext, backendContext, effectiveDefaults } from '../desired/backendContext.js';
import { Counterparts } from './counterparts.js';
import { outlineOf } from '../desired/outline.js';
import { RowMemo } from '../desired/rowMemo.js';
import { planServers } from './planServers.js';
import { runningIn } from './running.js';
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

/** The loaded sections of each desired service, by its place; undefined where their backends have other names. */
function loadedOf(desired: DesiredState, loaded: DesiredState): readonly (ServiceSections | undefined)[] {
  if (outlineOf(desired.services) === outlineOf(loaded.services)) return loaded.services;
  const before = new Counterparts(loaded);
  return desired.services.map(({ service, backend }, index) => {
    const old = before.of(service, index);
    return old?.backend.name === backend.name ? old : undefined;
  });
}

const none: readonly undefined[] = [];

/** The plans of a process's backends at the last look: one where nothing changed since has the same. */
export class PlanMemo extends RowMemo<ReturnType<typeof planServers>> {}

const nothing: ReturnType<typeof planServers> = { commands: [], reasons: [] };

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
function reasonsWithoutRuntime(desired: DesiredState, loaded: DesiredState): readonly ReloadReason[] {
  const before = loadedOf(desired, loaded);
  const lines = (sections: ServiceSections): string =>
    sections.backend.servers.map(renderServer).sort().join('\n');
  return desired.services.flatMap((sections, index): ReloadReason[] => {
    const old = before[index];
    if (old === undefined || old === sections || lines(sections) === lines(old)) return [];
    const detail = `backend ${sections.backend.name}: its servers changed, and there is no Runtime API to say so`;
    return [{ kind: 'no-dynamic-servers', detail, service: sections.service }];
  });
}

/** Backends that HAProxy loaded from our file, but that the running process lacks. */
function missingBackends(loaded: DesiredState, { backends }: ObservedState): readonly ReloadReason[] {
  const running = runningIn(backends, outlineOf(loaded.services));
  if (!running.includes(undefined)) return [];
  const missing = loaded.services.filter((_, index) => running[index] === undefined);
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
 * for it; whatever they cannot do is a reason. `steered` weights stand in for the servers' own in what runs. With the
 * `memo` of the look before, backends of which nothing changed cost next to nothing.
 */
export function planChanges(
  desired: DesiredState,
  loaded: DesiredState | undefined,
  observed: ObservedState | undefined,
  capabilities: Capabilities,
  steered?: SteeredWeights,
  memo = new PlanMemo(),
): Plan {
  if (loaded === undefined) {
    const detail = 'it is not known what HAProxy runs';
    return { commands: [], reload: [{ kind: 'first-configuration', detail }] };
  }
  const structure = structureReasons(desired, loaded);
  if (observed === undefined)
    return { commands: [], reload: [...structure, ...reasonsWithoutRuntime(desired, loaded)] };
  const missing = missingBackends(loaded, observed);
  // Another process may have sections of the same name: nothing in it is ours to change.
  if (missing.length > 0) return { commands: [], reload: [...missing, ...structure] };

  const defaults = effectiveDefaults(loaded.base);
  const reloading = structure.length > 0;
  const before = loadedOf(desired, loaded);
  const running = runningIn(observed.backends, outlineOf(desired.services));
  const isSteered = steered !== undefined && steered.size > 0;
  const weights = isSteered ? desired.services.map(({ backend }) => steered.get(backend.name)) : none;
  const planned = memo.of(
    [defaults, capabilities.version, reloading],
    [desired.services, before, running, weights],
    (wanted, index) => {
      const [old, runs] = [before[index], running[index]];
      if (old === undefined || runs === undefined) return nothing;
      const context = contextOf(defaults, old.backend.lines);
      const given = { context, capabilities, reloading, weights: weights[index] };
      return planServers({ desired: wanted, loaded: old, running: runs, ...given });
    },
  );
  const commands: RuntimeCommand[] = [];
  const reload: ReloadReason[] = [...structure];
  for (const each of planned) {
    if (each.commands.length > 0) commands.push(...each.commands);
    if (each.reasons.length > 0) reload.push(...each.reasons);
  }
  return { commands, reload };
}
