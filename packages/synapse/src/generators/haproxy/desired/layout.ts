import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import { sectionName } from '../block/schemaFields.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import type { Section } from '../types.js';
import { bindAddresses, Claims } from './claims.js';
import type { HaproxyIssue } from './issue.js';
import { selectLines } from './keywords.js';
import { Memo } from './memo.js';
import { rememberedBlock } from './memory.js';
import { ownFrontend } from './ownFrontend.js';
import { type ServiceLines, serviceLines } from './serviceLines.js';
import { ownerOf, tierLevel } from './tierNames.js';
import type { ViewOutline } from './viewOutline.js';

/** What a service or tier has of the configuration, whoever its instances are. */
export interface Place {
  readonly name: string;
  /** The block that is in force. */
  readonly service: HaproxyServiceConfig;
  /** Name of its backend. */
  readonly backend: string;
  readonly frontend: Section | undefined;
  readonly lines: ServiceLines;
  /** The block to remember; that of a tier follows from its service's. */
  readonly remembered: Readonly<Record<string, unknown>> | undefined;
}

/** One service or tier: its place, if it has one, and what is wrong with it. */
export interface Laid {
  readonly place: Place | undefined;
  /** To be told before what is wrong with its instances, and after that. */
  readonly before: readonly HaproxyIssue[];
  readonly after: readonly HaproxyIssue[];
}

/** Who has which sections, names and addresses. */
export interface Layout {
  /** As many as there are services and tiers, in their order. */
  readonly laid: readonly Laid[];
  /** Services whose block cannot be used at all. */
  readonly refused: readonly string[];
  /** Lines of the shared frontend. */
  readonly shared: readonly string[];
  /** What is wrong with no service. */
  readonly issues: readonly HaproxyIssue[];
}

/** What a layout follows from besides the services. */
export interface LayoutInputs {
  readonly config: HaproxyConfig;
  /** So many of the outline are services; the others are tiers of these. */
  readonly services: number;
  /** Who keeps what, by key of `Claims`. */
  readonly held: ReadonlyMap<string, string>;
  /** The last good block of a service whose block has errors. */
  readonly lastBlock: (service: string) => unknown;
}

type Report = (severity: HaproxyIssue['severity'], reason: string) => void;

const nowhere: Laid = { place: undefined, before: [], after: [] };

class Planner {
  readonly shared: string[] = [];
  readonly issues: HaproxyIssue[] = [];
  readonly refused: string[] = [];
  readonly #claims: Claims;

  constructor(private readonly inputs: LayoutInputs) {
    const { config, held } = inputs;
    this.#claims = new Claims(config.base, held);
    if (config.sharedFrontend !== undefined) this.#startSharedFrontend(config.sharedFrontend);
  }

  #startSharedFrontend(lines: readonly string[]): void {
    const kept = selectLines('frontend', lines, this.inputs.config.sectionKeywords, 'shared frontend');
    for (const reason of kept.warnings) this.issues.push({ severity: 'warning', reason });
    this.shared.push(...kept.lines);
    this.#claims.section('frontend', 'shared-frontend', "section 'frontend shared-frontend'");
    for (const address of bindAddresses(kept.lines)) this.#claims.address(address, 'the shared frontend');
  }

  service({ name, block }: ViewOutline): Laid {
    if (block === undefined || block === null) return nowhere;
    const before: HaproxyIssue[] = [];
    const report: Report = (severity, reason) => before.push({ severity, reason, service: name });
    const { config: stated, issues } = readServiceBlock(block);
    for (const { path, message, severity } of issues)
      report(severity, `${['haproxy', ...path].join('.')}: ${message}`);
    // What a block with errors meant before it had them, with the instances of now.
    const known = stated === undefined ? this.inputs.lastBlock(name) : undefined;
    const service = stated ?? (known === undefined ? undefined : readServiceBlock(known).config);
    if (known !== undefined && service !== undefined) report('warning', 'its last good block stays in use');
    if (service?.disabled) return { place: undefined, before, after: [] };
    const problem = service === undefined ? 'its block has errors' : this.#nameProblem(name, service);
    if (service === undefined || problem !== undefined) {
      if (service !== undefined && problem !== undefined) report('error', problem);
      this.refused.push(name);
      return { place: undefined, before, after: [] };
    }
    if (service.locality !== undefined && service.port === undefined)
      report('warning', 'locality: without a `port` there is no frontend of its own that could choose');
    if (service.callers.length > 0 && service.port === undefined)
      report('warning', 'callers: without a `port` there is no frontend of its own where they could connect');
    const place = this.#place(name, service, rememberedBlock(stated === undefined ? known : block), report);
    const after = service.sharedFrontend === undefined ? [] : this.#share(name, service.sharedFrontend);
    return { place, before, after };
  }

  /** Says what is wrong with a tier; what is wrong with its lines or instances is said of its service already. */
  tier({ name, block }: ViewOutline): Laid {
    const owner = ownerOf(name);
    if (this.refused.includes(owner)) return nowhere;
    const { config: service } = readServiceBlock(block);
    const problem =
      service === undefined ? 'its backend has no valid name' : this.#nameProblem(owner, service, name);
    if (service === undefined || problem !== undefined) {
      const reason = `locality: there is no tier ${tierLevel(name)}: ${problem}`;
      return { ...nowhere, before: [{ severity: 'error', reason, service: owner }] };
    }
    return { ...nowhere, place: this.#place(name, service, undefined, () => undefined) };
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

  #place(
    name: string,
    service: HaproxyServiceConfig,
    remembered: Place['remembered'],
    report: Report,
  ): Place {
    const backend = service.backendName ?? name;
    const lines = serviceLines(service, this.inputs.config);
    for (const warning of lines.sorted.warnings) report('warning', warning);
    const frontend = this.#frontend(name, backend, service, lines.sorted.frontend, report);
    return { name, service, backend, frontend, lines, remembered };
  }

  #frontend(
    title: string,
    backend: string,
    service: HaproxyServiceConfig,
    lines: readonly string[],
    report: Report,
  ): Section | undefined {
    if (service.port === undefined) return undefined;
    const { section, addresses, problems } = ownFrontend(title, backend, service, lines, this.inputs.config);
    for (const problem of problems) report('error', problem);
    for (const address of addresses) {
      const owner = this.#claims.address(address, `service ${title}`);
      if (owner === undefined) continue;
      report('error', `${address} already belongs to ${owner}: the service gets no frontend`);
      return undefined;
    }
    return section;
  }

  #share(service: string, lines: readonly string[]): readonly HaproxyIssue[] {
    const { config } = this.inputs;
    if (config.sharedFrontend === undefined) {
      const reason = 'shared_frontend is left out: the top level has no `shared_frontend`';
      return [{ severity: 'warning', reason, service }];
    }
    const kept = selectLines('frontend', lines, config.sectionKeywords, 'shared_frontend');
    this.shared.push(...kept.lines);
    return kept.warnings.map((reason) => ({ severity: 'warning', reason, service }));
  }
}

const layouts = new Memo<readonly ViewOutline[], Layout>();

/** Services whose block has errors: what they get follows from an older one. */
const broken = new Memo<readonly ViewOutline[], readonly string[]>();

function brokenIn(outline: readonly ViewOutline[]): readonly string[] {
  return broken.of(outline, [], () =>
    outline.flatMap(({ name, block }) =>
      block === undefined || block === null || readServiceBlock(block).config !== undefined ? [] : [name],
    ),
  );
}

/**
 * Gives services their sections, names and addresses; tiers come after all services, so that none takes a name from
 * one. Always the same values for the same services, whoever their instances are.
 */
export function layOut(outline: readonly ViewOutline[], inputs: LayoutInputs): Layout {
  const { config, services, held, lastBlock } = inputs;
  const blocks = brokenIn(outline).map(lastBlock);
  return layouts.of(outline, [config, services, held, ...blocks], () => {
    const planner = new Planner(inputs);
    const laid = outline.map((each, index) =>
      index < services ? planner.service(each) : planner.tier(each),
    );
    const { shared, issues, refused } = planner;
    return { laid, shared, issues, refused };
  });
}
