import type { DesiredState, Section } from '../types.js';

function nameOf({ title }: Section): string {
  return title.trim().split(/\s+/)[1] ?? '';
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
    return { ...frontend, title: `frontend ${name}` };
  };
  return {
    base,
    services: services.map((sections) =>
      sections.frontend === undefined ? sections : { ...sections, frontend: rename(sections.frontend) },
    ),
    ...(sharedFrontend === undefined ? {} : { sharedFrontend: rename(sharedFrontend) }),
  };
}
