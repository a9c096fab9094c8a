import type { DesiredState } from './types.js';

/**
 * Puts the sections that HAProxy last accepted in place of those of `services` (whose new ones cannot be
 * used), and leaves these services out where there are none. The others go on.
 */
export function quarantine(
  desired: DesiredState,
  loaded: DesiredState | undefined,
  services: ReadonlySet<string>,
): DesiredState {
  if (services.size === 0) return desired;
  const accepted = new Map(loaded?.services.map((sections) => [sections.service, sections]));
  const present = new Set(desired.services.map(({ service }) => service));
  const replaced = desired.services.flatMap((sections) =>
    services.has(sections.service) ? (accepted.get(sections.service) ?? []) : sections,
  );
  const absent = [...services].flatMap((name) => (present.has(name) ? [] : (accepted.get(name) ?? [])));
  return { ...desired, services: [...replaced, ...absent] };
}
