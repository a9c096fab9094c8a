import type { DesiredState, Section, ServiceSections } from '../types.js';

function nameOf({ title }: Section): string {
  return title.trim().split(/\s+/)[1] ?? '';
}

/** Sections are values by which later steps know what did not change: the same one and name make the same one. */
const knownFrontends = new WeakMap<Section, Section>();
const knownSections = new WeakMap<ServiceSections, ServiceSections>();

function renamed(frontend: Section, title: string): Section {
  const known = knownFrontends.get(frontend);
  if (known?.title === title) return known;
  const section = { ...frontend, title };
  knownFrontends.set(frontend, section);
  return section;
}

function withFrontend(sections: ServiceSections, frontend: Section): ServiceSections {
  if (sections.frontend === frontend) return sections;
  const known = knownSections.get(sections);
  if (known?.frontend === frontend) return known;
  const changed = { ...sections, frontend };
  knownSections.set(sections, changed);
  return changed;
}

/**
 * The same state with no frontend called as a backend is, which HAProxy refuses from 3.3 on: `frontend web` becomes
 * `frontend web:in`. Ruby's layout gives both the service's name. Sections that the operator wrote stay as they are.
 */
export function withSeparateNames(state: DesiredState): DesiredState {
  const { base, services, sharedFrontend } = state;
  const taken = new Set([...base.map(nameOf), ...services.map(({ backend }) => backend.name)]);
  for (const { frontend } of services) if (frontend !== undefined) taken.add(nameOf(frontend));
  const backends = new Set([
    ...base.filter(({ title }) => /^(backend|listen)\s/.test(title)).map(nameOf),
    ...services.map(({ backend }) => backend.name),
  ]);
  const rename = (frontend: Section): Section => {
    let name = nameOf(frontend);
    if (!backends.has(name)) return frontend;
    while (taken.has(name)) name += ':in';
    taken.add(name);
    return renamed(frontend, `frontend ${name}`);
  };
  return {
    ...state,
    separateNames: true,
    services: services.map((sections) =>
      sections.frontend === undefined ? sections : withFrontend(sections, rename(sections.frontend)),
    ),
    ...(sharedFrontend === undefined ? {} : { sharedFrontend: rename(sharedFrontend) }),
  };
}
