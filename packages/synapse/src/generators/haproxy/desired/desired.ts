import type { CatalogView, ServiceView } from '../../../catalog/types.js';
import { verifiesNoServers } from './backendContext.js';
import { readServiceBlock } from '../block/blocks.js';
import { baseFor } from './certificates.js';
import { bindAddresses, Claims } from './claims.js';
import { selectLines } from './keywords.js';
import {
  expireMemory,
  lastDiscovered,
  type Memory,
  rememberedBlock,
  serviceMemory,
  type ServiceMemory,
} from './memory.js';
import type { HaproxyConfig } from '../block/schema.js';
import { sectionName } from '../block/schemaFields.js';
import { hostNamesOf } from '../../hostNames.js';
import { remember } from './remember.js';
import { SectionCache, type ServiceParts } from './sectionCache.js';
import { backendServers, type BackendServers } from './servers.js';
import { serviceLines } from './serviceLines.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { isTier, ownerOf } from './tierNames.js';
import { ownFrontend } from './ownFrontend.js';
import { type Tier, withinReach, withoutLostTiers } from './tiers.js';
import { heldIn, isUnknown } from './wishes.js';
import type { DesiredState, ForeignIds, Section, ServiceSections } from '../types.js';

/** Something that was left out of the configuration, or taken with a doubt. One sentence for people. */
export interface HaproxyIssue {
  readonly severity: 'error' | 'warning';
  readonly reason: string;
  readonly service?: string;
  /** The instance concerned, as `name host:port`; absent when it is the service as a whole. */
  readonly instance?: string;
}

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

type Report = (severity: HaproxyIssue['severity'], reason: string, instance?: string) => void;

/** Vanished servers whose ids stay reserved. More than that in one TTL is churn, whose early ids are long free. */
const maxVanished = 1000;

class DesiredBuilder {
  readonly #services: ServiceSections[] = [];
  /** Sections of tiers by their service, nearest first. */
  readonly #tiers = new Map<string, ServiceSections[]>();
  readonly #issues: HaproxyIssue[] = [];
  readonly #refused: string[] = [];
  readonly #shared: string[] = [];
  readonly #memory: Map<string, ServiceMemory>;
  readonly #claims: Claims;
  readonly #serverVerifyNone: boolean;

  constructor(
    private readonly config: HaproxyConfig,
    memory: Memory,
    private readonly addresses: ReadonlyMap<string, string>,
    private readonly nowSeconds: number,
    private readonly foreignIds: ForeignIds,
    private readonly cache: SectionCache,
    held: ReadonlyMap<string, string>,
  ) {
    this.#memory = new Map(memory);
    this.#serverVerifyNone = verifiesNoServers(config.base);
    this.#claims = new Claims(config.base, held);
    if (config.sharedFrontend !== undefined) this.#startSharedFrontend(config.sharedFrontend);
  }

  #startSharedFrontend(lines: readonly string[]): void {
    const kept = selectLines('frontend', lines, this.config.sectionKeywords, 'shared frontend');
    for (const reason of kept.warnings) this.#issues.push({ severity: 'warning', reason });
    this.#shared.push(...kept.lines);
    this.#claims.section('frontend', 'shared-frontend', "section 'frontend shared-frontend'");
    for (const address of bindAddresses(kept.lines)) this.#claims.address(address, 'the shared frontend');
  }

  add(view: ServiceView): void {
    const block = view.blocks.haproxy;
    if (block === undefined || block === null) return;
    const report: Report = (severity, reason, instance) => {
      const about = instance === undefined ? {} : { instance };
      this.#issues.push({ severity, reason, service: view.name, ...about });
    };
    const { config: stated, issues } = readServiceBlock(block);
    for (const { path, message, severity } of issues) {
      report(severity, `${['haproxy', ...path].join('.')}: ${message}`);
    }
    // What a block with errors meant before it had them, with the instances of now.
    const known = stated === undefined ? serviceMemory(this.#memory, view.name).block : undefined;
    const service = stated ?? (known === undefined ? undefined : readServiceBlock(known).config);
    if (known !== undefined && service !== undefined) report('warning', 'its last good block stays in use');
    if (service?.disabled) return;
    const problem = service === undefined ? 'its block has errors' : this.#nameProblem(view.name, service);
    if (service === undefined || problem !== undefined) {
      if (service !== undefined && problem !== undefined) report('error', problem);
      this.#refused.push(view.name);
      return;
    }
    if (service.locality !== undefined && service.port === undefined)
      report('warning', 'locality: without a `port` there is no frontend of its own that could choose');
    if (service.callers.length > 0 && service.port === undefined)
      report('warning', 'callers: without a `port` there is no frontend of its own where they could connect');
    this.#services.push(this.#sections(view, service, report));
    if (service.sharedFrontend !== undefined) this.#share(service.sharedFrontend, report);
  }

  /** Says what is wrong with a tier; what is wrong with its lines or instances is said of its service already. */
  addTier({ owner, level, view }: Tier): void {
    if (this.#refused.includes(owner)) return;
    const { config: service } = readServiceBlock(view.blocks.haproxy);
    const problem =
      service === undefined ? 'its backend has no valid name' : this.#nameProblem(owner, service, view.name);
    if (service === undefined || problem !== undefined) {
      const reason = `locality: there is no tier ${level}: ${problem}`;
      this.#issues.push({ severity: 'error', reason, service: owner });
      return;
    }
    const tiers = this.#tiers.get(owner) ?? [];
    tiers.push(this.#sections(view, service, () => undefined));
    this.#tiers.set(owner, tiers);
  }

  /** Says that nothing can be near to this host at these levels. */
  lackLevels(levels: readonly string[]): void {
    if (levels.length === 0) return;
    const list = levels.map((level) => `\`${level}\``).join(', ');
    const reason = `locality: the location of this host (agent.yaml) has no ${list}: these levels, and those within them, are left out`;
    this.#issues.push({ severity: 'warning', reason });
  }

  #nameProblem(name: string, service: HaproxyServiceConfig, holder = name): string | undefined {
    if (!sectionName.test(name)) {
      return "its name cannot be a section's: only letters, digits, '_', '.', ':' and '-' can";
    }
    const kinds = [
      ['backend', service.backendName ?? name],
      ...(service.port === undefined ? [] : [['frontend', name] as const]),
    ] as const;
    for (const [kind, section] of kinds) {
      const owner = this.#claims.owner(kind, section, holder);
      if (owner?.startsWith('section')) return `there is already a ${owner}`;
      if (owner !== undefined) return `its ${kind} ${section} is already that of ${owner}: it is left out`;
    }
    for (const [kind, section] of kinds) this.#claims.section(kind, section, `service ${holder}`);
    return undefined;
  }

  #sections(view: ServiceView, service: HaproxyServiceConfig, report: Report): ServiceSections {
    const name = service.backendName ?? view.name;
    const { sorted, made } = this.#parts(view, service);
    for (const warning of sorted.warnings) report('warning', warning);
    const frontend = this.#frontend(view.name, name, service, sorted.frontend, report);
    for (const { reason, instance } of made.refusals) report('error', reason, instance);
    for (const { reason, instance } of made.warnings) report('warning', reason, instance);
    if (!isUnknown(view)) this.#remember(view, made);
    return this.cache.sections(view.name, name, frontend);
  }

  #frontend(
    title: string,
    backend: string,
    service: HaproxyServiceConfig,
    lines: readonly string[],
    report: Report,
  ): Section | undefined {
    if (service.port === undefined) return undefined;
    const { section, addresses, problems } = ownFrontend(title, backend, service, lines, this.config);
    for (const problem of problems) report('error', problem);
    for (const address of addresses) {
      const owner = this.#claims.address(address, `service ${title}`);
      if (owner === undefined) continue;
      report('error', `${address} already belongs to ${owner}: the service gets no frontend`);
      return undefined;
    }
    return section;
  }

  #parts(view: ServiceView, service: HaproxyServiceConfig): ServiceParts {
    const { config, addresses } = this;
    const remembered = serviceMemory(this.#memory, view.name);
    const last = isUnknown(view) ? lastDiscovered(remembered) : [];
    const instances = last.length > 0 ? last : view.instances;
    // Remembered instances may have any host name; the others depend on the addresses of their own names.
    const all = config.keepVanished || last.length > 0 ? addresses : undefined;
    const foreignIds = this.foreignIds.get(service.backendName ?? view.name);
    const own = hostNamesOf(view).map((host) => addresses.get(host));
    const inputs = [config, view, service, remembered.servers, foreignIds, all, ...own];
    return this.cache.parts(view.name, inputs, () => {
      const { sorted, backend, drafts } = serviceLines(service, config, addresses);
      const serverVerifyNone = this.#serverVerifyNone;
      const context = { config, service, backend, serverVerifyNone, addresses, foreignIds };
      return { sorted, made: backendServers(instances, remembered, context, drafts) };
    });
  }

  /** What is only remembered does not become fresh by being used. */
  #remember(view: ServiceView, { live }: BackendServers): void {
    const { keepVanished, maxServerId } = this.config;
    const remembered = serviceMemory(this.#memory, view.name);
    const limit = keepVanished ? maxServerId : maxVanished;
    const isStated = readServiceBlock(view.blocks.haproxy).config !== undefined;
    const stated = isStated ? view.blocks.haproxy : remembered.block;
    // That of a tier follows from its service's.
    const block = isTier(view.name) ? undefined : rememberedBlock(stated);
    this.#memory.set(view.name, { ...remember(remembered, live, limit, this.nowSeconds), block });
  }

  #share(lines: readonly string[], report: Report): void {
    if (this.config.sharedFrontend === undefined) {
      report('warning', 'shared_frontend is left out: the top level has no `shared_frontend`');
      return;
    }
    const kept = selectLines('frontend', lines, this.config.sectionKeywords, 'shared_frontend');
    for (const warning of kept.warnings) report('warning', warning);
    this.#shared.push(...kept.lines);
  }

  finish(): DesiredResult {
    const shared = { title: 'frontend shared-frontend', lines: this.#shared };
    const services = this.#services.flatMap((own) => [own, ...(this.#tiers.get(own.service) ?? [])]);
    return {
      desired: withoutLostTiers({
        base: baseFor(this.config.base, services, this.#shared),
        services,
        ...(this.config.sharedFrontend === undefined ? {} : { sharedFrontend: shared }),
      }),
      memory: this.#memory,
      issues: this.#issues,
      refused: this.#refused,
    };
  }
}

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
  { lastGood, foreignIds = new Map(), cache = new SectionCache() }: Standing = {},
): DesiredResult {
  const nowSeconds = Math.floor(now / 1000);
  const pending = view.services.filter(isUnknown).map(({ name }) => name);
  const unknown = new Set([...pending, ...(view.unreadable ?? [])]);
  if (unknown.size > 0) for (const name of memory.keys()) if (unknown.has(ownerOf(name))) unknown.add(name);
  const fresh = expireMemory(memory, nowSeconds, config.stateFileTtlSeconds, unknown);
  const { tiers, missing } = withinReach(view, fresh, config);
  const all = { ...view, services: [...view.services, ...tiers.map((tier) => tier.view)] };
  const builder = new DesiredBuilder(
    config,
    fresh,
    addresses,
    nowSeconds,
    foreignIds,
    cache,
    heldIn(all, config, lastGood),
  );
  for (const service of view.services) builder.add(service);
  // After all services: no tier takes a name from one.
  for (const tier of tiers) builder.addTier(tier);
  builder.lackLevels(missing);
  cache.turn();
  return builder.finish();
}
