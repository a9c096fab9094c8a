import type { Entrance } from '../../topology/types.js';
import { type Bind, readBinds } from './desired/bindLines.js';
import { callerIn } from './desired/callerLines.js';
import { ownerOf } from './desired/tierNames.js';
import type { DesiredState, Section } from './types.js';

/** What the lines of a frontend say of who comes in there. */
interface Door {
  readonly frontend: string;
  /** Where anybody may connect to; not those of callers alone. */
  readonly binds: readonly Bind[];
  /** Callers that have a bind of their own there. */
  readonly callers: readonly string[];
  /** Backends that requests may be led to; undefined where a rule finds out. */
  readonly backends: ReadonlySet<string> | undefined;
}

/** Frontends that did not change are the same values. */
const read = new WeakMap<Section, Door>();

function doorOf(frontend: Section): Door {
  const known = read.get(frontend);
  if (known !== undefined) return known;
  const open = frontend.lines.filter((line) => callerIn(line) === undefined);
  const targets = open.flatMap((line) => /^\s*(?:use|default)_backend\s+(\S+)/.exec(line)?.[1] ?? []);
  const door = {
    frontend: frontend.title.split(/\s+/)[1] ?? '',
    binds: readBinds([frontend.title, ...open.map((line) => `\t${line}`)].join('\n')),
    callers: [...new Set(frontend.lines.flatMap((line) => callerIn(line) ?? []))],
    backends: targets.some((name) => /[%"'\\]/.test(name)) ? undefined : new Set(targets),
  };
  read.set(frontend, door);
  return door;
}

/** Services by their backends, those of tiers included. */
export function servicesByBackend({ services }: DesiredState): ReadonlyMap<string, string> {
  return new Map(services.map(({ service, backend }) => [backend.name, ownerOf(service)]));
}

/** A frontend, and what its requests are for. */
export interface Frontend extends Door {
  /** Undefined: for one of several, or for what is no service. */
  readonly service: string | undefined;
  /** All that they can be for. */
  readonly services: readonly string[];
}

/** The frontends through which clients reach services. */
export function frontendsOf(desired: DesiredState): readonly Frontend[] {
  const { services, sharedFrontend } = desired;
  const byBackend = servicesByBackend(desired);
  const all = [...new Set(byBackend.values())];
  return [...services.map(({ frontend }) => frontend), sharedFrontend].flatMap((section): Frontend[] => {
    if (section === undefined) return [];
    const door = doorOf(section);
    if (door.backends === undefined) return [{ ...door, service: undefined, services: all }];
    const owners = [...door.backends].map((backend) => byBackend.get(backend));
    const [service, ...others] = new Set(owners);
    return [
      {
        ...door,
        service: others.length === 0 ? service : undefined,
        services: [...new Set(owners.flatMap((owner) => owner ?? []))],
      },
    ];
  });
}

/** Where clients of each service connect to. */
export function entrancesOf(desired: DesiredState | undefined): readonly Entrance[] {
  return (desired === undefined ? [] : frontendsOf(desired)).flatMap(
    ({ frontend, service, services, binds }) =>
      binds.map(({ host, port, bothFamilies }) => ({
        ...{ frontend, service, services, host, port, bothFamilies },
      })),
  );
}
