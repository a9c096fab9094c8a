import { sameSection } from './sameSection.js';
import type { BackendServers } from './servers.js';
import type { SortedLines } from './keywords.js';
import type { Section, ServiceSections } from '../types.js';

/** What the instances and lines of one service amount to. */
export interface ServiceParts {
  readonly sorted: SortedLines;
  readonly made: BackendServers;
}

interface Known {
  readonly inputs: readonly unknown[];
  readonly parts: ServiceParts;
  sections: ServiceSections | undefined;
}

/**
 * Keeps what each service came to last, for as long as all that it came from is the very same: of thousands of
 * services only those that changed are computed, and the others stay the same values, which whoever compares or
 * renders them can tell at a glance. Saves work only: without it everything comes out equal.
 */
export class SectionCache {
  #before: ReadonlyMap<string, Known> = new Map();
  #now = new Map<string, Known>();

  /** The parts of a service: known ones if `inputs` are those they were made of, else what `make` returns. */
  parts(service: string, inputs: readonly unknown[], make: () => ServiceParts): ServiceParts {
    const known = this.#before.get(service);
    const isKnown =
      known?.inputs.length === inputs.length && known.inputs.every((input, index) => input === inputs[index]);
    const entry = known !== undefined && isKnown ? known : { inputs, parts: make(), sections: undefined };
    this.#now.set(service, entry);
    return entry.parts;
  }

  /** The sections of a service of which `parts` was asked before. */
  sections(service: string, backend: string, frontend: Section | undefined): ServiceSections {
    const entry = this.#now.get(service);
    if (entry === undefined) throw new Error(`the parts of ${service} come first`);
    const { sections, parts } = entry;
    if (sections?.backend.name === backend && sameSection(sections.frontend, frontend)) return sections;
    const { sorted, made } = parts;
    entry.sections = {
      service,
      ...(frontend === undefined ? {} : { frontend }),
      backend: { name: backend, lines: sorted.backend, servers: made.servers },
    };
    return entry.sections;
  }

  /** Forgets the services that were not asked for since the last call. */
  turn(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}
