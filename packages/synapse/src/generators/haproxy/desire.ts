import type { CatalogView, ServiceView } from '../../catalog/types.js';
import { readServiceBlock } from './block/blocks.js';
import { desiredState } from './desired/desired.js';
import type { HaproxyIssue } from './desired/issue.js';
import { Memo } from './desired/memo.js';
import { isUnknown, type ViewOutline, viewOutlines } from './desired/viewOutline.js';
import { withSeparateNames } from './desired/frontendNames.js';
import type { HostResolver } from '../hosts.js';
import { hostNamesOf } from '../hostNames.js';
import { isAddress, serverName } from '../names.js';
import type { SectionCache } from './desired/sectionCache.js';
import { type Memory, serviceMemory } from './desired/memory.js';
import { withPrepared } from './desired/prepared.js';
import { withOwnLines } from './desired/ownLines.js';
import { ownerOf } from './desired/tierNames.js';
import { withoutLostTiers } from './desired/tiers.js';
import type { SharedLines } from './file/quarantineStore.js';
import type { HaproxyConfig } from './block/schema.js';
import type { DesiredState, ForeignIds, Server, ServiceSections } from './types.js';

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
  /** Of the look before. */
  readonly cache?: SectionCache;
  /**
   * What was accepted last, also by an earlier run of the agent: services whose definition or block cannot be
   * read, or of which nothing is known yet, keep their sections of it.
   */
  readonly lastGood: DesiredState | undefined;
  /** Servers of a service that HAProxy was told of last: the file follows later. */
  readonly toldLast?: (service: string) => readonly Server[] | undefined;
  readonly foreignIds?: ForeignIds;
  /** HAProxy refuses a frontend and a backend of one name: see Capabilities. */
  readonly separateNames?: boolean;
  /** HAProxy can count latencies: see Capabilities. */
  readonly counterArrays?: boolean;
  /** Wall clock in milliseconds. */
  readonly now: number;
}

function* hostsOf(view: CatalogView, memory: Memory): Iterable<string> {
  for (const service of view.services) {
    yield* hostNamesOf(service);
    if (!isUnknown(service)) continue;
    for (const { instance } of serviceMemory(memory, service.name).servers.values()) yield instance.host;
  }
}

/** Where the servers of the last accepted configuration went for these host names: a restart must not depend on the DNS. */
function addressesBefore(
  names: ReadonlySet<string>,
  view: CatalogView,
  lastGood: DesiredState | undefined,
): ReadonlyMap<string, string> {
  const servers = new Map(
    (lastGood?.services ?? []).flatMap(({ service, backend }) =>
      backend.servers.map(({ name, address }) => [`${service}/${name}`, address] as const),
    ),
  );
  const found = new Map<string, string>();
  for (const { name: service, instances } of view.services) {
    for (const instance of instances) {
      if (!names.has(instance.host)) continue;
      const name = serverName(instance);
      const address = 'value' in name ? servers.get(`${service}/${name.value}`) : undefined;
      if (address !== undefined && isAddress(address)) found.set(instance.host, address);
    }
  }
  return found;
}

const sharedLines = new Memo<readonly ViewOutline[], SharedLines>();

function sharedLinesOf(view: CatalogView): SharedLines {
  const outline = viewOutlines(view.services);
  return sharedLines.of(outline, [], () => {
    const shared = outline.flatMap(({ name, block }): [string, readonly string[]][] => {
      const lines = readServiceBlock(block).config?.sharedFrontend;
      return lines === undefined ? [] : [[name, lines.map((line) => line.trim())]];
    });
    return new Map(shared);
  });
}

function withServers(sections: ServiceSections, servers: readonly Server[] | undefined): ServiceSections {
  const { backend } = sections;
  const isSame = (each: Server, index: number): boolean => each === backend.servers[index];
  if (servers === undefined || (servers.length === backend.servers.length && servers.every(isSame)))
    return sections;
  return { ...sections, backend: { ...backend, servers } };
}

/** `desired` with the last good sections of the services in `keep`, each in its place, where there are any. */
function keepLastGood(
  desired: DesiredState,
  keep: ReadonlySet<string>,
  { lastGood, toldLast }: DesireContext,
  view: CatalogView,
): DesiredState {
  if (keep.size === 0) return desired;
  // A service and its tiers stay together: its last good frontend leads to those of its time.
  const kept = (lastGood?.services ?? [])
    .filter(({ service }) => keep.has(ownerOf(service)))
    .map((sections) => withServers(sections, toldLast?.(sections.service)));
  if (kept.length === 0) return desired;
  const replaced = new Set(kept.map(({ service }) => ownerOf(service)));
  const order = new Map(view.services.map(({ name }, index) => [name, index]));
  const rank = (service: string): number => order.get(ownerOf(service)) ?? view.services.length;
  const others = desired.services.filter(({ service }) => !replaced.has(ownerOf(service)));
  const services = [...others, ...kept].sort((a, b) => rank(a.service) - rank(b.service));
  return { ...desired, services };
}

function isDisabled({ blocks }: ServiceView): boolean {
  return readServiceBlock(blocks.haproxy).config?.disabled === true;
}

/** Computes what haproxy.cfg should hold from scratch; host names are resolved on the way. */
export async function desire(discovered: CatalogView, context: DesireContext): Promise<Desire> {
  const { config, memory, hosts, lastGood, now, foreignIds, cache } = context;
  const { separateNames = false, counterArrays = true } = context;
  const view = withPrepared(discovered, config);
  const addresses = await hosts.resolve(hostsOf(view, memory), (names) =>
    addressesBefore(names, view, lastGood),
  );
  const result = desiredState(config, view, memory, addresses, now, {
    lastGood,
    ...(cache && { cache }),
    ...(foreignIds && { foreignIds }),
  });
  // Sections of an unknown service may come from a block that only its source carries, so that the file
  // of the last run says more about it than any memory of its servers.
  const unknown = view.services.filter((service) => isUnknown(service) && !isDisabled(service));
  const keep = new Set([...result.refused, ...unknown.map(({ name }) => name), ...(view.unreadable ?? [])]);
  const kept = withoutLostTiers(keepLastGood(result.desired, keep, context, view));
  const whole = { desired: kept, issues: result.issues };
  const { desired, issues } = withOwnLines(whole, config, view, counterArrays, cache);
  return {
    desired: separateNames ? withSeparateNames(desired) : desired,
    shared: sharedLinesOf(view),
    memory: result.memory,
    issues,
  };
}
