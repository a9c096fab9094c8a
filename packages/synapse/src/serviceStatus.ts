import type { CatalogCounts, CatalogStatus } from './catalog/catalog.js';

/** A source may be full of them. */
const shownProblems = 50;

/** One service as `/status` shows it. */
export function serviceStatus(service: CatalogStatus): unknown {
  const { name, source, staleMs, noLeader, discovered, held, instances, problems, parts } = service;
  return {
    name,
    source,
    ...(parts.length > 0 && { watchers: parts }),
    staleMs,
    noLeader,
    discovered,
    held,
    instances,
    problems: problems.slice(0, shownProblems),
    problemCount: problems.length,
  };
}

/** One line for people: `3 services (1 without a live source), 12 instances (5 held)`. */
export function summaryOf(services: readonly CatalogCounts[]): string {
  const total = (of: (service: CatalogCounts) => number): number =>
    services.reduce((sum, service) => sum + of(service), 0);
  const lost = services.filter(({ source }) => source === 'stale' || source === 'pending').length;
  const held = total((service) => service.held);
  const withoutSource = lost > 0 ? ` (${lost} without a live source)` : '';
  const kept = held > 0 ? ` (${held} held)` : '';
  const instances = counted(
    total((service) => service.count),
    'instance',
  );
  return `${counted(services.length, 'service')}${withoutSource}, ${instances}${kept}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
