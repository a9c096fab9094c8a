import { readFile } from 'node:fs/promises';
import { type Clock, describeError } from '@smartstack/agent';
import type { CatalogView, GeneratorPlan, PlannedCommand } from '../../catalog/types.js';
import type { HaproxyConfig } from './block/schema.js';
import { type Desire, desire, type DesireContext } from './desire.js';
import { hostPort } from '../names.js';
import { render } from './desired/render.js';
import { isTier, ownerOf } from './desired/tierNames.js';
import { compareSections } from './live/compare.js';
import { inheritance, ownTitle } from './desired/sharedRules.js';
import { type LiveSection, parseSections } from './live/sections.js';
import { capabilitiesOf } from './plan/capabilities.js';
import { observedState, parseInfo } from './plan/observed.js';
import { planChanges } from './plan/plan.js';
import { loadedFromDisk } from './runtime/runtimePass.js';
import type { RuntimeTarget } from './runtime/runtimeTarget.js';
import type { DesiredState, Plan, RuntimeCommand } from './types.js';
import type { Wiring } from './wiring.js';

/** What planning works with. */
export interface PlanContext {
  readonly config: HaproxyConfig;
  readonly wiring: Wiring;
  /** Nothing of it may remember: the look is not a pass. */
  readonly look: Omit<DesireContext, 'cache'>;
  readonly clock: Clock;
}

/** In words. */
function described(command: RuntimeCommand, owners: ReadonlyMap<string, string>): PlannedCommand {
  const { kind, backend, server } = command;
  const owner = owners.get(backend);
  const words = wordsOf(command);
  return {
    kind,
    target: `${backend}/${server}`,
    detail: words,
    ...(owner !== undefined && { service: owner }),
  };
}

/** By backend, of services that have tiers: whose it is. */
function ownersOf({ services }: DesiredState): ReadonlyMap<string, string> {
  const tiered = new Set(services.flatMap(({ service }) => (isTier(service) ? [ownerOf(service)] : [])));
  return new Map(
    services.flatMap(({ service, backend }) => {
      const owner = ownerOf(service);
      return tiered.has(owner) ? [[backend.name, owner] as const] : [];
    }),
  );
}

function wordsOf(command: RuntimeCommand): string {
  switch (command.kind) {
    case 'add-server': {
      const { address, port, id, weight, options } = command;
      const words = [hostPort(address, port), `id ${id}`, `weight ${weight}`, ...options];
      return words.join(' ');
    }
    case 'remove-server':
      return 'taken out of rotation, then deleted';
    case 'set-state':
      return command.state;
    case 'set-address':
      return hostPort(command.address, command.port);
    case 'set-weight':
      return String(command.weight);
  }
}

/** The plan for one process, from what it says now; on a connection of its own, and without remembering it. */
async function planFor(
  target: RuntimeTarget,
  desired: DesiredState,
  { wiring: { beliefs, keeper, process, steering }, clock }: PlanContext,
  signal: AbortSignal,
): Promise<Plan> {
  const { session, reply: info } = await target.connect(signal);
  try {
    const [serversState, backends] = await Promise.all([
      session.ask('show servers state'),
      session.ask('show backend'),
    ]);
    const state = observedState({ info, serversState, backends });
    if (state === undefined) throw new Error('no HAProxy answers');
    const identity = { pid: state.process.pid, startedAt: Number(parseInfo(info).get('Start_time_sec')) };
    const start = {
      ...{ startedAt: identity.startedAt, uptimeSeconds: state.process.uptimeSeconds },
      now: clock.now(),
    };
    const loaded =
      beliefs.running(target.socketPath, identity) ??
      (await loadedFromDisk(target, identity, start, { beliefs, keeper, process, signal }));
    const steered = loaded && steering.weights(loaded, state);
    return planChanges(desired, loaded, state, capabilitiesOf(state.process.version), steered);
  } finally {
    session.close();
  }
}

/** Under the titles that operators know: what a section inherits from us counts as one of its lines. */
function plainSections(text: string): readonly LiveSection[] {
  return parseSections(text).map(({ title, line, lines }) => {
    const from = inheritance(title);
    return { title: ownTitle(title), line, lines: [...(from ? [{ text: from, line }] : []), ...lines] };
  });
}

async function fileChanges(
  { config: { doWrites, configFilePath: path } }: PlanContext,
  desired: DesiredState,
): Promise<GeneratorPlan['files']> {
  if (!doWrites) return [];
  const text = render(desired);
  const disk = await readFile(path, 'utf8').catch(() => undefined);
  if (disk === text) return [];
  if (disk === undefined) return [{ path, changes: ['it does not exist yet'] }];
  const changes = compareSections(plainSections(disk), plainSections(text)).flatMap((section) => [
    ...section.changes.map(({ op, text: line }) => `${op} ${section.title}: ${line}`),
    ...section.notes.map((note) => (section.title === '' ? note : `${section.title}: ${note}`)),
  ]);
  return [{ path, changes: changes.length > 0 ? changes : ['only comments or white space'] }];
}

function notesOf({ issues }: Desire, { wiring, config }: PlanContext): readonly string[] {
  const held = wiring.keeper.quarantine.entries.map(({ culprit, reason, kept }) => {
    const whose = 'service' in culprit ? culprit.service : culprit.kind;
    return `held back (${kept}): ${whose}${culprit.kind === 'server' ? `/${culprit.server}` : ''}: ${reason}`;
  });
  const told = issues.map(({ service, instance, reason }) =>
    [service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  return [
    ...told,
    ...held,
    ...(config.doWrites ? [] : ['do_writes is false: nothing is written']),
    ...(config.doSocket ? [] : ['do_socket is false: what runs is not looked at']),
    ...(config.doReloads ? [] : ['do_reloads is false: nobody reloads']),
  ];
}

/** What a pass for `view` would do now. Asks HAProxy, and changes nothing. */
export async function planPass(
  view: CatalogView,
  context: PlanContext,
  signal: AbortSignal,
): Promise<GeneratorPlan> {
  const { wiring } = context;
  const wanted = await desire(view, context.look);
  const desired = wiring.keeper.quarantine.without(
    wanted.desired,
    wiring.keeper.written?.desired,
    wanted.shared,
  );
  const notes = [...notesOf(wanted, context)];
  const owners = ownersOf(desired);
  const plans = await Promise.all(
    wiring.targets.map((target) =>
      planFor(target, desired, context, signal).catch((error: unknown): Plan => {
        const detail = `nobody answers on ${target.socketPath}: ${describeError(error)}`;
        return { commands: [], reload: [{ kind: 'process-not-ours', detail }] };
      }),
    ),
  );
  const reload = new Map(
    plans.flatMap((plan) => plan.reload).map(({ kind, detail }) => [`${kind} ${detail}`, { kind, detail }]),
  );
  return {
    commands: plans.flatMap(({ commands }) => commands.map((command) => described(command, owners))),
    reload: [...reload.values()],
    files: await fileChanges(context, desired),
    notes,
  };
}
