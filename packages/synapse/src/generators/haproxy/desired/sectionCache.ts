import { sameInputs } from './memo.js';
import { sameLines, sameSection } from './sameSection.js';
import type { BackendServers } from './servers.js';
import type { Section, ServiceSections } from '../types.js';

interface Known {
  readonly service: string;
  readonly inputs: readonly unknown[];
  readonly made: BackendServers;
  sections: ServiceSections | undefined;
}

/**
 * Keeps what each service came to last, for as long as all that it came from is the very same: of thousands of
 * services only those that changed are computed, and the others stay the same values, which whoever compares or
 * renders them can tell at a glance. Saves work only: without it everything comes out equal.
 */
export class SectionCache {
  #before: readonly Known[] = [];
  /** By service; mostly each stands where it stood the time before. */
  #byName: ReadonlyMap<string, Known> | undefined;
  #now: Known[] = [];

  /** The servers of a service: known ones if `inputs` are those they were made of, else what `make` returns. */
  servers(service: string, inputs: readonly unknown[], make: () => BackendServers): BackendServers {
    const known = this.#known(service);
    const isKnown = known !== undefined && sameInputs(known.inputs, inputs);
    const entry = isKnown ? known : { service, inputs, made: make(), sections: undefined };
    this.#now.push(entry);
    return entry.made;
  }

  /** The sections of the service of whose servers was asked just before. */
  sections(backend: string, lines: readonly string[], frontend: Section | undefined): ServiceSections {
    const entry = this.#now.at(-1);
    if (entry === undefined) throw new Error('the servers come first');
    const { service, sections, made } = entry;
    const isSame =
      sections?.backend.name === backend &&
      sameLines(sections.backend.lines, lines) &&
      sameSection(sections.frontend, frontend);
    if (isSame) return sections;
    entry.sections = {
      service,
      ...(frontend === undefined ? {} : { frontend }),
      backend: { name: backend, lines, servers: made.servers },
    };
    return entry.sections;
  }

  /** Forgets the services that were not asked for since the last call. */
  turn(): void {
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
