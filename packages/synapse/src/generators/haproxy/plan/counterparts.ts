import type { DesiredState, ServiceSections } from '../types.js';

/** The sections of a service in another state, which mostly has them at the same place. */
export class Counterparts {
  readonly #services: DesiredState['services'];
  #byName: ReadonlyMap<string, ServiceSections> | undefined;

  constructor({ services }: Pick<DesiredState, 'services'>) {
    this.#services = services;
  }

  /** Those of `service`, which stands at `index` in its own state; undefined where there are none. */
  of(service: string, index: number): ServiceSections | undefined {
    const sections = this.#services[index];
    if (sections?.service === service) return sections;
    this.#byName ??= new Map(this.#services.map((each) => [each.service, each]));
    return this.#byName.get(service);
  }
}
