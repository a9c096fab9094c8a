import { byText } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import { assignIds } from './ids.js';
import type { ServiceMemory } from './memory.js';
import {
  describeInstance,
  type Draft,
  type Placed,
  type Refusal,
  type ServerContext,
  ServerDrafts,
} from './serverLine.js';
import { rubyShuffle } from './shuffle.js';
import { withRoom } from '../balance/weights.js';
import type { Server } from '../types.js';

/** The servers of one backend, in file order, and what became of the instances that have none. */
export interface BackendServers {
  readonly servers: readonly Server[];
  /** The instances behind the servers that are not `disabled`, by server name. */
  readonly live: ReadonlyMap<string, Placed['entry']>;
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly Refusal[];
  /** Where it is simple, what the servers of a list that differs little can be made from. */
  readonly roster?: Roster;
  /** Names that are in `live` and were not the time before, or for another instance, and the other way round. */
  readonly change?: ServerChange;
}

/** Instances of which each has a server, and nothing is to be said of any. */
interface Roster {
  readonly instances: readonly Instance[];
  /** The server of each, by its place. */
  readonly servers: readonly Server[];
}

/** Who came and went since the servers before, by name. One whose instance is another now did both. */
interface ServerChange {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

function inOrder(servers: readonly Server[], { service, config }: ServerContext): readonly Server[] {
  const sorted = (): Server[] => [...servers].sort((a, b) => byText(a.name, b.name));
  switch (service.backendOrder) {
    case 'asc':
      return sorted();
    case 'desc':
      return sorted().reverse();
    case 'no_shuffle':
      return servers;
    case 'shuffle':
      return rubyShuffle(servers, config.serverOrderSeed);
  }
}

/** The servers as the file is to have them. */
export function asInFile(servers: readonly Server[], context: ServerContext): readonly Server[] {
  const { service, backend } = context;
  const ordered = inOrder(servers, context);
  return service.byLatency && backend.http ? withRoom(ordered, backend) : ordered;
}

/** Those that were there once, disabled, and the living ones, in the order of their first appearance. */
function withVanished(
  living: readonly Server[],
  drafts: ReadonlyMap<string, Draft>,
  remembered: ServiceMemory,
  draftOf: (instance: Instance) => Draft | Refusal,
): readonly Server[] {
  const used = new Set(living.map(({ id }) => id));
  const servers = new Map<string, Server | undefined>();
  for (const [name, { instance, serverId }] of remembered.servers) {
    if (drafts.has(name)) {
      // Its place, even if it is not known yet who takes it.
      servers.set(name, undefined);
      continue;
    }
    const draft = draftOf(instance);
    if ('reason' in draft) continue;
    const id = draft.server.id ?? serverId;
    // An id that a living server needed is no longer theirs.
    if (id === undefined || used.has(id)) continue;
    used.add(id);
    servers.set(name, { ...draft.server, id, disabled: true });
  }
  for (const server of living) servers.set(server.name, server);
  return [...servers.values()].filter((server) => server !== undefined);
}

/**
 * Makes all server lines of a backend: instances as given, vanished ones after the operator's wish. `made` are
 * lines of the same context but for its `foreignIds`.
 */
export function backendServers(
  instances: readonly Instance[],
  remembered: ServiceMemory,
  context: ServerContext,
  made = new ServerDrafts(),
): BackendServers {
  const refusals: Refusal[] = [];
  const warnings: Refusal[] = [];
  const drafts = new Map<string, Draft>();
  for (const instance of instances) {
    const draft = made.of(instance, context);
    // Whether one that its registry lost still lives is for HAProxy to find out: where it does not look, it is gone.
    if ('isChecked' in draft && instance.held && !draft.isChecked) continue;
    if ('reason' in draft) refusals.push(draft);
    else if (!drafts.has(draft.server.name)) drafts.set(draft.server.name, draft);
    if ('warning' in draft && draft.warning !== undefined) {
      warnings.push({ instance: describeInstance(instance), reason: draft.warning });
    }
  }
  const requests = [...drafts.values()].map(({ server }) => server);
  const { maxServerId, keepVanished } = context.config;
  const { ids, conflicting } = assignIds(requests, remembered, maxServerId, context.foreignIds);
  const servers: Server[] = [];
  const live = new Map<string, Placed['entry']>();
  for (const [name, draft] of drafts) {
    const { server, instance } = draft;
    const id = ids.get(name);
    if (id === undefined) {
      const reason = conflicting.includes(name)
        ? `another instance has the same id ${String(server.id)} in its options`
        : 'no server id is left (max_server_id)';
      refusals.push({ instance: describeInstance(instance), reason });
      continue;
    }
    const { server: placed, entry } = draft.withId(id);
    servers.push(placed);
    live.set(name, entry);
  }
  const vanished = (instance: Instance): Draft | Refusal => made.of(instance, context);
  const all = keepVanished ? withVanished(servers, drafts, remembered, vanished) : servers;
  const isSimple =
    !keepVanished &&
    servers.length === instances.length &&
    warnings.length === 0 &&
    context.foreignIds === undefined;
  const roster = isSimple ? { roster: { instances, servers } } : {};
  return { servers: asInFile(all, context), live, refusals, warnings, ...roster };
}
