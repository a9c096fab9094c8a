import type { CatalogView, ServiceView } from '../../../catalog/types.js';
import { backendContext, effectiveDefaults, verifiesNoServers } from './backendContext.js';
import { readServiceBlock } from '../block/blocks.js';
import { bindAddresses, Claims } from './claims.js';
import { selectLines, sortLines } from './keywords.js';
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
import { backendServers, type BackendServers } from './servers.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { bindLine, heldIn, isUnknown } from './wishes.js';
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
  /** What each service added to the shared frontend. */
  readonly sharedLines: ReadonlyMap<string, readonly string[]>;
}

/** What there is already, as far as it decides who gets what. */
export interface Standing {
  /** What was accepted last: whoever has an address or a name in it keeps it. */
  readonly lastGood?: DesiredState | undefined;
  readonly foreignIds?: ForeignIds;
}

type Report = (severity: HaproxyIssue['severity'], reason: string, instance?: string) => void;

/** Vanished servers whose ids stay reserved. More than that in one TTL is churn, whose early ids are long free. */
const maxVanished = 1000;

/** Adds what was discovered now; what was not stays with its older time, the newest `limit` of it. */
function remember(
  remembered: ServiceMemory,
  live: BackendServers['live'],
  limit: number,
  nowSeconds: number,
): ServiceMemory['servers'] {
  const servers = new Map(remembered.servers);
  for (const [name, { instance, id }] of live) {
    servers.set(name, { instance, serverId: id, seen: nowSeconds });
  }
  const vanished = [...servers].filter(([name]) => !live.has(name));
  const excess = vanished.sort(([, a], [, b]) => b.seen - a.seen).slice(limit);
  for (const [name] of excess) servers.delete(name);
  return servers;
}

class DesiredBuilder {
  readonly #services: ServiceSections[] = [];
  readonly #issues: HaproxyIssue[] = [];
  readonly #refused: string[] = [];
  readonly #shared: string[] = [];
  readonly #sharedLines = new Map<string, readonly string[]>();
  readonly #memory: Map<string, ServiceMemory>;
  readonly #claims: Claims;
  readonly #defaults: readonly string[];
  readonly #serverVerifyNone: boolean;

  constructor(
    private readonly config: HaproxyConfig,
    memory: Memory,
    private readonly addresses: ReadonlyMap<string, string>,
    private readonly nowSeconds: number,
    private readonly foreignIds: ForeignIds,
    held: ReadonlyMap<string, string>,
  ) {
    this.#memory = new Map(memory);
    this.#defaults = effectiveDefaults(config.base);
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
    this.#addSections(view, service, report);
  }

  #nameProblem(name: string, service: HaproxyServiceConfig): string | undefined {
    if (!sectionName.test(name)) {
      return "its name cannot be a section's: only letters, digits, '_', '.', ':' and '-' can";
    }
    const kinds = [
      ['backend', service.backendName ?? name],
      ...(service.port === undefined ? [] : [['frontend', name] as const]),
    ] as const;
    for (const [kind, section] of kinds) {
      const owner = this.#claims.owner(kind, section, name);
      if (owner?.startsWith('section')) return `there is already a ${owner}`;
      if (owner !== undefined) return `its ${kind} ${section} is already that of ${owner}: it is left out`;
    }
    for (const [kind, section] of kinds) this.#claims.section(kind, section, `service ${name}`);
    return undefined;
  }

  #addSections(view: ServiceView, service: HaproxyServiceConfig, report: Report): void {
    const sorted = sortLines(service, this.config.sectionKeywords);
    for (const warning of sorted.warnings) report('warning', warning);
    const name = service.backendName ?? view.name;
    const frontend = this.#frontend(view.name, name, service, sorted.frontend, report);
    const made = this.#servers(view, service, sorted.backend, report);
    this.#services.push({
      service: view.name,
      ...(frontend === undefined ? {} : { frontend }),
      backend: { name, lines: sorted.backend, servers: made.servers },
    });
    if (service.sharedFrontend !== undefined) this.#share(view.name, service.sharedFrontend, report);
  }

  #frontend(
    title: string,
    backend: string,
    service: HaproxyServiceConfig,
    lines: readonly string[],
    report: Report,
  ): Section | undefined {
    if (service.port === undefined) return undefined;
    const bind = bindLine(service, this.config);
    for (const address of bindAddresses([...lines, bind])) {
      const owner = this.#claims.address(address, `service ${title}`);
      if (owner === undefined) continue;
      report('error', `${address} already belongs to ${owner}: the service gets no frontend`);
      return undefined;
    }
    return { title: `frontend ${title}`, lines: [...lines, bind, `default_backend ${backend}`] };
  }

  #servers(
    view: ServiceView,
    service: HaproxyServiceConfig,
    lines: readonly string[],
    report: Report,
  ): BackendServers {
    const unknown = isUnknown(view);
    const remembered = serviceMemory(this.#memory, view.name);
    const last = unknown ? lastDiscovered(remembered) : [];
    const instances = last.length > 0 ? last : view.instances;
    const made = backendServers(instances, remembered, {
      config: this.config,
      service,
      backend: backendContext(this.#defaults, lines),
      serverVerifyNone: this.#serverVerifyNone,
      addresses: this.addresses,
      foreignIds: this.foreignIds.get(service.backendName ?? view.name),
    });
    for (const { reason, instance } of made.refusals) report('error', reason, instance);
    for (const { reason, instance } of made.warnings) report('warning', reason, instance);
    // What is only remembered does not become fresh by being used.
    if (!unknown) {
      const { keepVanished, maxServerId } = this.config;
      const limit = keepVanished ? maxServerId : maxVanished;
      const servers = remember(remembered, made.live, limit, this.nowSeconds);
      const { block } = readServiceBlock(view.blocks.haproxy).config
        ? { block: view.blocks.haproxy }
        : remembered;
      this.#memory.set(view.name, { servers, block: rememberedBlock(block) });
    }
    return made;
  }

  #share(service: string, lines: readonly string[], report: Report): void {
    if (this.config.sharedFrontend === undefined) {
      report('warning', 'shared_frontend is left out: the top level has no `shared_frontend`');
      return;
    }
    const kept = selectLines('frontend', lines, this.config.sectionKeywords, 'shared_frontend');
    for (const warning of kept.warnings) report('warning', warning);
    this.#shared.push(...kept.lines);
    this.#sharedLines.set(service, kept.lines);
  }

  finish(): DesiredResult {
    const shared = { title: 'frontend shared-frontend', lines: this.#shared };
    return {
      desired: {
        base: this.config.base,
        services: this.#services,
        ...(this.config.sharedFrontend === undefined ? {} : { sharedFrontend: shared }),
      },
      memory: this.#memory,
      issues: this.#issues,
      refused: this.#refused,
      sharedLines: this.#sharedLines,
    };
  }
}

/**
 * What haproxy.cfg should hold, computed from scratch: never fails, and what is wrong with one instance
 * or service leaves the others as they are. `addresses` maps host names to IP addresses; `now` is in
 * milliseconds since the epoch. A service of which nothing is known (`isUnknown`) gets the servers that
 * memory last saw in rotation, and failing these the view's own.
 */
export function desiredState(
  config: HaproxyConfig,
  view: CatalogView,
  memory: Memory,
  addresses: ReadonlyMap<string, string>,
  now: number,
  { lastGood, foreignIds = new Map() }: Standing = {},
): DesiredResult {
  const nowSeconds = Math.floor(now / 1000);
  const pending = view.services.filter(isUnknown).map(({ name }) => name);
  const unknown = new Set([...pending, ...(view.unreadable ?? [])]);
  const fresh = expireMemory(memory, nowSeconds, config.stateFileTtlSeconds, unknown);
  const builder = new DesiredBuilder(
    config,
    fresh,
    addresses,
    nowSeconds,
    foreignIds,
    heldIn(view, config, lastGood),
  );
  for (const service of view.services) builder.add(service);
  return builder.finish();
}
