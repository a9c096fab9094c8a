import type { CatalogView } from '../../catalog/types.js';
import { readServiceBlock } from './blocks.js';
import { desiredState, type HaproxyIssue } from './desired.js';
import type { HostResolver } from './hosts.js';
import { type Memory, serviceMemory } from './memory.js';
import type { SharedLines } from './quarantineStore.js';
import type { HaproxyConfig } from './schema.js';
import type { DesiredState } from './types.js';

/** What the catalog amounts to, before HAProxy had its say. */
export interface Desire {
  readonly desired: DesiredState;
  readonly shared: SharedLines;
  readonly memory: Memory;
  readonly issues: readonly HaproxyIssue[];
}

/** What `desire` needs besides the view. */
export interface DesireContext {
  readonly config: HaproxyConfig;
  readonly memory: Memory;
  readonly hosts: HostResolver;
  /** What was accepted last: services whose block cannot be read keep their sections of it. */
  readonly lastGood: DesiredState | undefined;
  /** Wall clock in milliseconds. */
  readonly now: number;
}

function* hostsOf(view: CatalogView, memory: Memory): Iterable<string> {
  for (const { name, source, instances } of view.services) {
    for (const { host } of instances) yield host;
    if (source !== 'pending') continue;
    for (const { instance } of serviceMemory(memory, name).servers.values()) yield instance.host;
  }
}

function sharedLinesOf(view: CatalogView): SharedLines {
  const shared = new Map<string, readonly string[]>();
  for (const { name, blocks } of view.services) {
    const lines = readServiceBlock(blocks.haproxy).config?.sharedFrontend;
    if (lines !== undefined)
      shared.set(
        name,
        lines.map((line) => line.trim()),
      );
  }
  return shared;
}

/** Services in the order of `desired`, with the last good sections of those that were refused where they were. */
function keepRefused(
  desired: DesiredState,
  refused: readonly string[],
  lastGood: DesiredState | undefined,
  view: CatalogView,
): DesiredState {
  const kept = lastGood?.services.filter(({ service }) => refused.includes(service)) ?? [];
  if (kept.length === 0) return desired;
  const order = new Map(view.services.map(({ name }, index) => [name, index]));
  const rank = (service: string): number => order.get(service) ?? view.services.length;
  const services = [...desired.services, ...kept].sort((a, b) => rank(a.service) - rank(b.service));
  return { ...desired, services };
}

/** Computes what haproxy.cfg should hold from scratch; host names are resolved on the way. */
export async function desire(view: CatalogView, context: DesireContext): Promise<Desire> {
  const { config, memory, hosts, lastGood, now } = context;
  const addresses = await hosts.resolve(hostsOf(view, memory));
  const result = desiredState(config, view, memory, addresses, now);
  return {
    desired: keepRefused(result.desired, result.refused, lastGood, view),
    shared: sharedLinesOf(view),
    memory: result.memory,
    issues: result.issues,
  };
}
