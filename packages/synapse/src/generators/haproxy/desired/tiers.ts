import type { CatalogView, ServiceView } from '../../../catalog/types.js';
import { instancesWithin, knownLevels, type Location } from '../../../catalog/locality.js';
import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { backendContext, effectiveDefaults } from './backendContext.js';
import { sortLines } from './keywords.js';
import { type Memory, serviceMemory } from './memory.js';
import { parseOptions, splitWords } from './options.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf } from './outline.js';
import { isUnknown, type ViewOutline, viewOutlines } from './viewOutline.js';
import { ownerOf, tierName } from './tierNames.js';
import type { DesiredState, Section, ServiceSections } from '../types.js';

/** The instances of a service that are near: a service of their own to whoever makes, plans and counts sections. */
interface Tier {
  /** The service that it is a part of. */
  readonly owner: string;
  readonly level: string;
  readonly view: ServiceView;
}

/** The tiers of a view, and the levels that services name but this host has no label for. */
export interface Tiers {
  readonly tiers: readonly Tier[];
  readonly missing: readonly string[];
}

type Block = Readonly<Record<string, unknown>>;

/** What only the service itself has: where it listens, and how its frontend chooses. */
const ownKeys = new Set([
  ...['port', 'bind_address', 'bind_options', 'frontend', 'shared_frontend', 'locality'],
]);

/**
 * Lets requests themselves notice that a near server is dead: a request that was sent to a tier stays there, so that
 * one whose servers died all at once would fail requests until the checks notice, while others have servers that serve.
 * Without `check` HAProxy makes nothing of it.
 */
const noticeDeath = 'default-server observe layer4 error-limit 3 on-error mark-down';

/** True where the operator says himself what errors of requests mean for a server. */
function isObserved(service: HaproxyServiceConfig, config: HaproxyConfig): boolean {
  if (service.policy?.circuit_breaker !== undefined) return true;
  const { backend } = sortLines(service, config.sectionKeywords);
  const { defaultServer } = backendContext(effectiveDefaults(config.base), backend);
  const options = [...defaultServer, ...parseOptions(splitWords(service.serverOptions))];
  return options.some(({ keyword }) => keyword === 'observe');
}

/** Blocks are values by which later steps know what did not change: the same block and name make the same one. */
const blocks = new WeakMap<object, { readonly config: HaproxyConfig; readonly made: Map<string, Block> }>();

function blockOf(block: Block, service: HaproxyServiceConfig, name: string, config: HaproxyConfig): Block {
  const before = blocks.get(block);
  const { made } = before?.config === config ? before : { made: new Map<string, Block>() };
  if (before?.config !== config) blocks.set(block, { config, made });
  const known = made.get(name);
  if (known !== undefined) return known;
  const rest = Object.entries(block).filter(([key]) => !ownKeys.has(key));
  const backend = isObserved(service, config) ? service.backend : [noticeDeath, ...service.backend];
  const fresh = { ...Object.fromEntries(rest), backend, backend_name: name };
  made.set(name, fresh);
  return fresh;
}

/** The name of the backend section of a tier. */
function backendName(backend: string, level: string): string {
  return `${backend}.${level}`;
}

/** The same for views: what they were made of, and what came of it. */
const views = new WeakMap<
  ServiceView,
  { readonly block: Block; readonly config: HaproxyConfig; readonly tiers: readonly Tier[] }
>();

function tiersOf(
  view: ServiceView,
  block: Block,
  service: HaproxyServiceConfig,
  config: HaproxyConfig,
): readonly Tier[] {
  const known = views.get(view);
  if (known?.block === block && known.config === config) return known.tiers;
  const { location } = config;
  const levels = knownLevels(service.locality?.levels ?? [], location);
  const tiers = levels.map((level, index): Tier => {
    const name = tierName(view.name, level);
    const haproxy = blockOf(block, service, backendName(service.backendName ?? view.name, level), config);
    const instances = instancesWithin(view.instances, levels.slice(index), location);
    // A tier that is empty is not unknown, as long as the service is not.
    const source = isUnknown(view) ? view.source : 'live';
    return { owner: view.name, level, view: { name, source, instances, blocks: { haproxy } } };
  });
  views.set(view, { block, config, tiers });
  return tiers;
}

const candidates = new Memo<readonly ViewOutline[], readonly number[]>();

/** At which places services stand that may have tiers: few have, and of a block with errors only memory can tell. */
function mayHaveTiers(outline: readonly ViewOutline[]): readonly number[] {
  return candidates.of(outline, [], () =>
    outline.flatMap(({ block }, index) => {
      if (block === undefined || block === null) return [];
      const { config } = readServiceBlock(block);
      return config === undefined || config.locality !== undefined ? [index] : [];
    }),
  );
}

/** The tiers of all services. One whose block has errors has those of its last good block, which `memory` holds. */
export function withinReach(view: CatalogView, memory: Memory, config: HaproxyConfig): Tiers {
  const missing = new Set<string>();
  const tiers = mayHaveTiers(viewOutlines(view.services)).flatMap((index) => {
    const service = view.services[index];
    const stated = service?.blocks.haproxy;
    if (service === undefined || stated === undefined) return [];
    const isUsable = readServiceBlock(stated).config !== undefined;
    const block = isUsable ? stated : serviceMemory(memory, service.name).block;
    const { config: read } = readServiceBlock(block);
    if (read?.locality === undefined || read.disabled) return [];
    for (const level of read.locality.levels) if (!config.location.has(level)) missing.add(level);
    return tiersOf(service, block as Block, read, config);
  });
  return { tiers, missing: [...missing] };
}

/** Ends the lines by which a frontend chooses a tier: nobody else's line is taken for one. */
const mark = '# locality:';

/**
 * The lines that choose, nearest first: a tier is used while enough of its servers are up and one of them, at least,
 * takes a connection at once. `be_conn_free` is -1 where a server has no `maxconn`.
 */
export function tierLines(
  service: HaproxyServiceConfig,
  backend: string,
  location: Location,
): readonly string[] {
  const { levels = [], minimum = 0 } = service.locality ?? {};
  return knownLevels(levels, location).map((level) => {
    const name = backendName(backend, level);
    return `use_backend ${name} if { nbsrv(${name}) ge ${minimum} } !{ be_conn_free(${name}) eq 0 } ${mark} ${level}`;
  });
}

function tierIn(line: string): string | undefined {
  const [keyword, name] = line.split(' ', 2);
  return keyword === 'use_backend' && line.includes(` ${mark} `) ? name : undefined;
}

/** One line by which a frontend chooses a tier. */
export interface TierChoice {
  readonly level: string;
  readonly backend: string;
  /** So many servers must be up. */
  readonly minimum: number;
}

/** How the lines of a frontend choose, nearest first. */
export function choicesIn({ lines }: Section): readonly TierChoice[] {
  return lines.flatMap((line) => {
    const backend = tierIn(line);
    if (backend === undefined) return [];
    const level = line.slice(line.lastIndexOf(mark) + mark.length).trim();
    return [{ level, backend, minimum: Number(/ ge (\d+) /.exec(line)?.[1] ?? 0) }];
  });
}

/** Sections are values: each is read once, and comes out the same for the same tiers. */
const named = new WeakMap<Section, readonly string[]>();
const cut = new WeakMap<ServiceSections, ServiceSections>();

/** True where no frontend leads to a tier. */
const withoutTiers = new Memo<Outline, boolean>();

function tiersIn(section: Section): readonly string[] {
  const known = named.get(section);
  if (known !== undefined) return known;
  const names = section.lines.flatMap((line) => tierIn(line) ?? []);
  named.set(section, names);
  return names;
}

function cutTo(sections: ServiceSections, frontend: Section, lines: readonly string[]): ServiceSections {
  const known = cut.get(sections);
  if (known?.frontend?.lines.length === lines.length && known.frontend.lines.every((l, i) => l === lines[i]))
    return known;
  const fresh = { ...sections, frontend: { ...frontend, lines } };
  cut.set(sections, fresh);
  return fresh;
}

/**
 * The state without lines that lead to tiers which are not there, because their name was another's, or HAProxy rejected
 * them, or the frontend is an older one: without them the service's own backend has the requests.
 */
export function withoutLostTiers(state: DesiredState): DesiredState {
  const outline = outlineOf(state.services);
  const isSimple = withoutTiers.of(outline, [], () =>
    outline.every(({ frontend }) => frontend === undefined || tiersIn(frontend).length === 0),
  );
  if (isSimple) return state;
  const there = new Set(state.services.map(({ service, backend }) => `${ownerOf(service)} ${backend.name}`));
  const services = state.services.map((sections) => {
    const { service, frontend } = sections;
    if (frontend === undefined) return sections;
    const isLost = (name: string): boolean => !there.has(`${service} ${name}`);
    if (!tiersIn(frontend).some(isLost)) return sections;
    const lines = frontend.lines.filter((line) => {
      const name = tierIn(line);
      return name === undefined || !isLost(name);
    });
    return cutTo(sections, frontend, lines);
  });
  const isWhole = services.every((sections, index) => sections === state.services[index]);
  return isWhole ? state : { ...state, services };
}
