import type { Instance } from '@smartstack/registry';
import { difference } from '../../../catalog/difference.js';
import type { UsedIds } from './ids.js';
import type { ServiceMemory } from './memory.js';
import type { Placed, ServerContext, ServerDrafts } from './serverLine.js';
import { asInFile, type BackendServers } from './servers.js';
import type { Server } from '../types.js';

/** What a change starts from: what came of another list in the same context, all of which is remembered since. */
export interface Standing {
  readonly made: BackendServers;
  /** Of all that is remembered; it is of no more use where nothing is returned. */
  readonly ids: UsedIds;
}

/**
 * What `backendServers` returns for `instances`, from those that differ: of hundreds mostly one does. Undefined where
 * a doubt is left that only a look at all of them settles.
 */
export function changedServers(
  { made: before, ids }: Standing,
  instances: readonly Instance[],
  remembered: ServiceMemory,
  context: ServerContext,
  drafts: ServerDrafts,
): BackendServers | undefined {
  const { roster } = before;
  if (roster === undefined) return undefined;
  const { gone, come, alikeAtStart, alikeAtEnd } = difference(roster.instances, instances);
  const live = new Map(before.live);
  const middle = new Map<Instance, Server>();
  const until = roster.instances.length - alikeAtEnd;
  for (let at = alikeAtStart; at < until; at += 1) {
    const [instance, server] = [roster.instances[at], roster.servers[at]];
    if (instance !== undefined && server !== undefined) middle.set(instance, server);
  }
  const left = gone.flatMap((instance) => middle.get(instance)?.name ?? []);
  for (const name of left) live.delete(name);
  const joined: string[] = [];
  for (const instance of come) {
    const placed = place(instance);
    if (placed === undefined || live.has(placed.server.name)) return undefined;
    joined.push(placed.server.name);
    live.set(placed.server.name, placed.entry);
    middle.set(instance, placed.server);
  }
  const between = instances.slice(alikeAtStart, instances.length - alikeAtEnd);
  const servers = [
    ...roster.servers.slice(0, alikeAtStart),
    ...between.flatMap((instance) => middle.get(instance) ?? []),
    ...roster.servers.slice(until),
  ];
  // Where an instance stands in the list twice.
  if (servers.length !== live.size) return undefined;
  return {
    ...{ servers: asInFile(servers, context), live, refusals: [], warnings: [] },
    ...{ roster: { instances, servers }, change: { joined, left } },
  };

  /** The id that it had, else the lowest that is free. */
  function place(instance: Instance): Placed | undefined {
    const draft = drafts.of(instance, context);
    if ('reason' in draft || draft.warning !== undefined || draft.server.id !== undefined) return undefined;
    if (instance.held && !draft.isChecked) return undefined;
    const { maxServerId } = context.config;
    const known = remembered.servers.get(draft.server.name)?.serverId;
    const id = known ?? ids.take(maxServerId);
    return id === undefined || id > maxServerId ? undefined : draft.withId(id);
  }
}
