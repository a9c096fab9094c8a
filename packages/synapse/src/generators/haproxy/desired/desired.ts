import type { CatalogView, ServiceView } from '../../../catalog/types.js';
import { verifiesNoServers } from './backendContext.js';
import { baseFor } from './certificates.js';
import { expireMemory, noteRenewed } from './expire.js';
import { lastDiscovered, type Memory, serviceMemory, type ServiceMemory } from './memory.js';
import type { HaproxyConfig } from '../block/schema.js';
import { hostNamesOf } from '../../hostNames.js';
import type { HaproxyIssue } from './issue.js';
import { type Laid, type Layout, layOut, type Place } from './layout.js';
import { remember } from './remember.js';
import { type Basis, type Known, SectionCache, sectionsOf } from './sectionCache.js';
import { changedServers } from './serverChange.js';
import { backendServers, type BackendServers } from './servers.js';
import { serviceDrafts } from './serviceLines.js';
import { ownerOf } from './tierNames.js';
import { withinReach, withoutLostTiers } from './tiers.js';
import { heldIn } from './wishes.js';
import type { DesiredState, ForeignIds, ServiceSections } from '../types.js';
import { isUnknown, viewOutlines } from './viewOutline.js';

/** The outcome of one look at the catalog. */
export interface DesiredResult {
  readonly desired: DesiredState;
  readonly memory: Memory;
  readonly issues: readonly HaproxyIssue[];
  /** Services whose block cannot be used at all: they have no sections here. */
  readonly refused: readonly string[];
}

/** What there is already, as far as it decides who gets what. */
export interface Standing {
  /** What was accepted last: whoever has an address or a name in it keeps it. */
  readonly lastGood?: DesiredState | undefined;
  readonly foreignIds?: ForeignIds;
  /** Of the look before. */
  readonly cache?: SectionCache;
}

/** Vanished servers whose ids stay reserved. More than that in one TTL is churn, whose early ids are long free. */
const maxVanished = 1000;

/** Gives services their servers, each at its place. */
class DesiredBuilder {
  readonly #services: ServiceSections[] = [];
  /** Sections of tiers by their service, nearest first. */
  readonly #tiers = new Map<string, ServiceSections[]>();
  readonly #issues: HaproxyIssue[];
  readonly #memory: Map<string, ServiceMemory>;
  /** Services of which there is nothing to remember. */
  readonly #empty: string[] = [];
  readonly #serverVerifyNone: boolean;

  constructor(
    private readonly basis: Basis,
    private readonly nowSeconds: number,
    private readonly cache: SectionCache,
    private readonly layout: Layout,
  ) {
    this.#memory = new Map(basis.memory);
    this.#serverVerifyNone = verifiesNoServers(basis.config.base);
    this.#issues = [...layout.issues];
    cache.begin(basis);
  }

  add(view: ServiceView, laid: Laid): void {
    const { place, before, after } = laid;
    if (before.length > 0) this.#issues.push(...before);
    if (place !== undefined) {
      const known = this.#known(view, laid, place);
      this.#report(view.name, known.made);
      this.#services.push(this.#sections(known, place));
    }
    if (after.length > 0) this.#issues.push(...after);
  }

  addTier(view: ServiceView, laid: Laid): void {
    const { place, before } = laid;
    if (before.length > 0) this.#issues.push(...before);
    if (place === undefined) return;
    const owner = ownerOf(view.name);
    const tiers = this.#tiers.get(owner) ?? [];
    tiers.push(this.#sections(this.#known(view, laid, place), place));
    this.#tiers.set(owner, tiers);
  }

  #sections(known: Known, { backend, lines, frontend }: Place): ServiceSections {
    return sectionsOf(known, backend, lines.sorted.backend, frontend);
  }

  /** Says that nothing can be near to this host at these levels. */
  lackLevels(levels: readonly string[]): void {
    if (levels.length === 0) return;
    const list = levels.map((level) => `\`${level}\``).join(', ');
    const reason = `locality: the location of this host (agent.yaml) has no ${list}: these levels, and those within them, are left out`;
    this.#issues.push({ severity: 'warning', reason });
  }

  #report(service: string, { refusals, warnings }: BackendServers): void {
    for (const { reason, instance } of refusals)
      this.#issues.push({ severity: 'error', reason, service, instance });
    for (const { reason, instance } of warnings)
      this.#issues.push({ severity: 'warning', reason, service, instance });
  }

  #known(view: ServiceView, laid: Laid, place: Place): Known {
    const same = this.cache.same(view, laid);
    if (same === undefined) return this.#lookAt(view, laid, place);
    this.#renew(place, same.remembered);
    return same;
  }

  #lookAt(view: ServiceView, laid: Laid, place: Place): Known {
    const { config, addresses } = this.basis;
    const { service, lines } = place;
    const remembered = serviceMemory(this.#memory, view.name);
    const isNew = isUnknown(view);
    const last = isNew ? lastDiscovered(remembered) : [];
    const instances = last.length > 0 ? last : view.instances;
    // Remembered instances may have any host name; the others depend on the addresses of their own names.
    const all = config.keepVanished || last.length > 0 ? addresses : undefined;
    const foreignIds = this.basis.foreignIds.get(place.backend);
    const inputs: unknown[] = [config, service, foreignIds, all];
    if (addresses.size > 0) for (const host of hostNamesOf(view)) inputs.push(host, addresses.get(host));
    const known = this.cache.of(view, laid, inputs, remembered.servers, (before) => {
      const serverVerifyNone = this.#serverVerifyNone;
      const context = {
        ...{ config, service, backend: lines.backend, serverVerifyNone, addresses, foreignIds },
      };
      const drafts = serviceDrafts(service, config, addresses);
      const changed = before && changedServers(before, instances, remembered, context, drafts);
      return changed ?? backendServers(instances, remembered, context, drafts);
    });
    if (!isNew) this.#remember(place, remembered, known);
    return known;
  }

  /** What is only remembered does not become fresh by being used. */
  #remember(place: Place, before: ServiceMemory, known: Known): void {
    const { name, remembered: block } = place;
    const { live } = known.made;
    if (live.size === 0) {
      if (before.servers.size === 0) this.#empty.push(name);
      this.#memory.set(name, { ...before, block });
      return;
    }
    if (!known.isRemembered) {
      const { keepVanished, maxServerId } = this.basis.config;
      const limit = keepVanished ? maxServerId : maxVanished;
      const { servers, isWhole } = remember(before, known.made, limit);
      known.isRemembered = isWhole;
      // What was made with those before is what would be made with these.
      if (isWhole) known.remembered = servers;
      this.#renew(place, servers);
    } else this.#renew(place, before.servers);
  }

  #renew({ name, remembered: block }: Place, servers: ServiceMemory['servers']): void {
    this.#memory.set(name, { servers, seen: this.nowSeconds, block });
  }

  finish(): DesiredResult {
    noteRenewed(this.basis.memory, this.#memory, this.nowSeconds, this.#empty);
    const { refused, shared: lines } = this.layout;
    const { config } = this.basis;
    this.cache.end({ ...this.basis, memory: this.#memory });
    const shared = { title: 'frontend shared-frontend', lines };
    const services =
      this.#tiers.size === 0
        ? this.#services
        : this.#services.flatMap((own) => [own, ...(this.#tiers.get(own.service) ?? [])]);
    return {
      desired: withoutLostTiers({
        base: baseFor(config.base, services, lines),
        services,
        ...(config.sharedFrontend === undefined ? {} : { sharedFrontend: shared }),
      }),
      memory: this.#memory,
      issues: this.#issues,
      refused,
    };
  }
}

const noForeignIds: ForeignIds = new Map();

/**
 * What haproxy.cfg should hold, computed from scratch: never fails, and what is wrong with one instance
 * or service leaves the others as they are. `addresses` maps host names to IP addresses; `now` is in
 * milliseconds since the epoch. A service of which nothing is known (`isUnknown`) gets the servers that
 * memory last saw in rotation, and failing these the view's own. With the `cache` of the look before, services
 * that did not change cost next to nothing, and their sections are the same values.
 */
export function desiredState(
  config: HaproxyConfig,
  view: CatalogView,
  memory: Memory,
  addresses: ReadonlyMap<string, string>,
  now: number,
  { lastGood, foreignIds = noForeignIds, cache = new SectionCache() }: Standing = {},
): DesiredResult {
  const nowSeconds = Math.floor(now / 1000);
  const pending = view.services.filter(isUnknown).map(({ name }) => name);
  const unknown = new Set([...pending, ...(view.unreadable ?? [])]);
  if (unknown.size > 0) for (const name of memory.keys()) if (unknown.has(ownerOf(name))) unknown.add(name);
  const fresh = expireMemory(memory, nowSeconds, config.stateFileTtlSeconds, unknown);
  const { tiers, missing } = withinReach(view, fresh, config);
  const all = tiers.length === 0 ? view.services : [...view.services, ...tiers.map((tier) => tier.view)];
  const outline = viewOutlines(all);
  const layout = layOut(outline, {
    ...{ config, services: view.services.length },
    held: heldIn(outline, view.unreadable, config, lastGood),
    lastBlock: (service) => serviceMemory(fresh, service).block,
  });
  const builder = new DesiredBuilder(
    { config, memory: fresh, addresses, foreignIds },
    nowSeconds,
    cache,
    layout,
  );
  for (const [index, laid] of layout.laid.entries()) {
    const one = all[index];
    if (one === undefined) continue;
    if (index < view.services.length) builder.add(one, laid);
    else builder.addTier(one, laid);
  }
  builder.lackLevels(missing);
  return builder.finish();
}
