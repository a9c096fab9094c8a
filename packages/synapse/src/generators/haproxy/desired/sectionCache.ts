import { UsedIds } from './ids.js';
import { sameInputs } from './memo.js';
import type { Laid } from './layout.js';
import type { Memory, ServiceMemory } from './memory.js';
import { RowMemo } from './rowMemo.js';
import { sameLines, sameSection } from './sameSection.js';
import type { Standing } from './serverChange.js';
import type { BackendServers } from './servers.js';
import type { ServiceView } from '../../../catalog/types.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { ForeignIds, Section, ServiceSections } from '../types.js';

/** What all services come from, besides what each has of its own. */
export interface Basis {
  readonly config: HaproxyConfig;
  readonly addresses: ReadonlyMap<string, string>;
  readonly foreignIds: ForeignIds;
  readonly memory: Memory;
}

/** What one service came to. */
export interface Known {
  readonly service: string;
  readonly view: ServiceView;
  laid: Laid;
  readonly inputs: readonly unknown[];
  readonly made: BackendServers;
  /** The remembered servers that it came from, or that give the same. */
  remembered: ServiceMemory['servers'];
  /** It has instances, and these add nothing to what is remembered. */
  isRemembered: boolean;
  /** The ids of all that is remembered after it, once somebody asked. */
  ids: UsedIds | undefined;
  sections: ServiceSections | undefined;
}

/**
 * Keeps what each service came to last, for as long as all that it came from is the very same: of thousands of
 * services only those that changed are computed, and the others stay the same values, which whoever compares or
 * renders them can tell at a glance. Saves work only: without it everything comes out equal.
 */
export class SectionCache {
  /** The same for sections with lines of ours: those that count latencies, those of budgets, and those of the tap. */
  readonly counting = new RowMemo<ServiceSections>();
  readonly bounding = new RowMemo<ServiceSections>();
  readonly tapping = new RowMemo<ServiceSections>();
  #before: readonly Known[] = [];
  /** By service; mostly each stands where it stood the time before. */
  #byName: ReadonlyMap<string, Known> | undefined;
  #now: Known[] = [];
  #basis: Basis | undefined;
  #isSameBasis = false;

  /** Begins a look. */
  begin({ config, addresses, foreignIds, memory }: Basis): void {
    const before = this.#basis;
    this.#isSameBasis =
      before?.config === config &&
      before.addresses === addresses &&
      before.memory === memory &&
      before.foreignIds.size + foreignIds.size === 0;
  }

  /** At a glance: what is known of the service that comes next, if nothing at all changed. */
  same(view: ServiceView, laid: Laid): Known | undefined {
    const there = this.#before[this.#now.length];
    const isSame = this.#isSameBasis && there?.view === view && there.laid === laid && there.isRemembered;
    if (!isSame) return undefined;
    this.#now.push(there);
    return there;
  }

  /** What a service comes to: what is known if all that it was made of is the same, else what `make` returns. */
  of(
    view: ServiceView,
    laid: Laid,
    inputs: readonly unknown[],
    remembered: ServiceMemory['servers'],
    make: (before: Standing | undefined) => BackendServers,
  ): Known {
    const service = view.name;
    const known = this.#known(service);
    const isFit = known?.remembered === remembered && sameInputs(known.inputs, inputs);
    const before = isFit ? known : undefined;
    const entry: Known =
      before?.view === view
        ? before
        : { service, view, laid, inputs, ...made(before, make), ...notYetRemembered(remembered) };
    entry.laid = laid;
    this.#now.push(entry);
    return entry;
  }

  /** Ends a look: forgets the services that were not asked for. `basis` holds what is remembered after it. */
  end(basis: Basis): void {
    this.#basis = basis;
    this.#before = this.#now;
    this.#byName = undefined;
    this.#now = [];
  }

  #known(service: string): Known | undefined {
    const there = this.#before[this.#now.length];
    if (there?.service === service) return there;
    this.#byName ??= new Map(this.#before.map((each) => [each.service, each]));
    return this.#byName.get(service);
  }
}

function notYetRemembered(remembered: ServiceMemory['servers']) {
  return { remembered, isRemembered: false, sections: undefined };
}

function made(
  before: Known | undefined,
  make: (before: Standing | undefined) => BackendServers,
): Pick<Known, 'made' | 'ids'> {
  if (before === undefined || !before.isRemembered || before.made.roster === undefined)
    return { made: make(undefined), ids: undefined };
  const ids = before.ids ?? UsedIds.of({ servers: before.remembered });
  if (ids === undefined) return { made: make(undefined), ids };
  const now = make({ made: before.made, ids });
  return { made: now, ids: now.change === undefined ? undefined : ids };
}

/** The sections of a service: the same as the time before where they would be equal. */
export function sectionsOf(
  known: Known,
  backend: string,
  lines: readonly string[],
  frontend: Section | undefined,
): ServiceSections {
  const { service, sections, made } = known;
  const isSame =
    sections?.backend.name === backend &&
    sameLines(sections.backend.lines, lines) &&
    sameSection(sections.frontend, frontend);
  if (isSame) return sections;
  known.sections = {
    service,
    ...(frontend === undefined ? {} : { frontend }),
    backend: { name: backend, lines, servers: made.servers },
  };
  return known.sections;
}
