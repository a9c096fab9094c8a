import { capabilitiesOf } from '../plan/capabilities.js';
import { planChanges } from '../plan/plan.js';
import { afterReload, aServer, aService, aState } from './sections.js';
import type { DesiredState, ObservedServer, ObservedState, Plan, Server } from '../types.js';

/** What is loaded where a test says nothing else: `a` and `b` of the service `web`. */
export const twoServers = aState([aService([aServer('a'), aServer('b')])]);

/** `observed` with one server of `web` changed, or made by hand in the likeness of `a`. */
export function withServer(
  observed: ObservedState,
  name: string,
  change: Partial<ObservedServer>,
): ObservedState {
  const servers = new Map(observed.backends.get('web'));
  const known = servers.get(name) ?? servers.get('a');
  if (known !== undefined) servers.set(name, { ...known, name, ...change });
  return { ...observed, backends: new Map([...observed.backends, ['web', servers]]) };
}

/** A plan on one line per step, for tables. */
export function steps({ commands, reload }: Plan): readonly string[] {
  return [
    ...commands.map((command) => {
      const name = `${command.kind} ${command.backend}/${command.server}`;
      if (command.kind === 'set-state') return `${name} ${command.state}`;
      if (command.kind === 'set-weight') return `${name} ${command.weight}`;
      if (command.kind === 'set-address') return `${name} ${command.address}:${command.port}`;
      if (command.kind !== 'add-server') return name;
      const { address, port, id, weight, options, checked } = command;
      return `${name} ${address}:${port} id=${id} weight=${weight} checked=${checked} [${options.join(' ')}]`;
    }),
    ...reload.map(({ kind, detail }) => `RELOAD ${kind}: ${detail}`),
  ];
}

/** The steps from `loaded` and `observed` to `desired`. */
export function plan(
  desired: DesiredState,
  {
    loaded = twoServers,
    observed = afterReload(loaded),
    version = '2.6.12',
  }: {
    loaded?: DesiredState;
    observed?: ObservedState;
    version?: string;
  } = {},
): readonly string[] {
  return steps(planChanges(desired, loaded, observed, capabilitiesOf(version)));
}

/** A state with the service `web`. */
export const web = (
  servers: readonly Server[],
  lines?: readonly string[],
  defaults?: readonly string[],
): DesiredState => aState([aService(servers, lines && { lines })], defaults);
