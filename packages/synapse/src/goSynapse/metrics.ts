import type { Catalog } from '../catalog/catalog.js';
import { escaped, samplesOf } from '../samples.js';

/** How many of a service's registrations take requests, and how many say that they do not. */
export interface RegistryCount {
  readonly service: string;
  readonly available: number;
  readonly unavailable: number;
}

/** What the registries hold at `now` (monotonic milliseconds), before filters and fallbacks; services that told nothing yet are left out. */
export function registryCounts(
  catalog: Pick<Catalog, 'status' | 'ingredients'>,
  now: number,
): readonly RegistryCount[] {
  return catalog.status(now).flatMap(({ name: service }): RegistryCount[] => {
    const snapshot = catalog.ingredients(service)?.snapshot;
    if (snapshot === undefined || snapshot.status === 'pending') return [];
    const told = snapshot.instances.filter(({ held }) => held !== true);
    const unavailable = told.filter(({ available }) => available === false).length;
    return [{ service, available: told.length - unavailable, unavailable }];
  });
}

function gauge(name: string, help: string, samples: readonly string[]): readonly string[] {
  if (samples.length === 0) return [];
  return [
    `# HELP synapse_${name} ${help}`,
    `# TYPE synapse_${name} gauge`,
    ...samples.map((sample) => `synapse_${name}${sample}`),
  ];
}

/** Failures by router: the passes of a generator, and the commands to a running HAProxy. */
function routerFailures(text: string): readonly string[] {
  const failures = new Map<string, number>();
  const add = (type: string, failed: boolean, value: string): void =>
    void failures.set(type, (failures.get(type) ?? 0) + (failed ? Number(value) : 0));
  for (const { labels, value } of samplesOf(text, 'smartstack_reconcile_total'))
    add(labels.get('generator') ?? '', labels.get('outcome') === 'failed', value);
  for (const { labels, value } of samplesOf(text, 'smartstack_haproxy_runtime_command_total'))
    add('haproxy_socket', labels.get('result') === 'failed', value);
  return [...failures].map(([type, value]) => `{type="${type}"} ${value}`);
}

/** What `text` (our metrics) and the registries' counts say, under the names of BlaBlaCar's go-synapse. */
export function goSynapseMetrics(text: string, counts: readonly RegistryCount[]): string {
  const counted = (of: 'available' | 'unavailable'): readonly string[] =>
    counts.map((count) => `{service="${escaped(count.service)}"} ${count[of]}`);
  const bad = new Map(counts.map(({ service }) => [escaped(service), '0']));
  for (const { labels, value } of samplesOf(text, 'smartstack_discovery_undecodable_total'))
    bad.set(labels.get('service') ?? '', value);
  const undecodable = [...bad].map(([service, value]) => `{service="${service}",type="content"} ${value}`);
  return [
    ...gauge('service_available_count', 'Registrations that take requests.', counted('available')),
    ...gauge('service_unavailable_count', 'Registrations that take none.', counted('unavailable')),
    ...gauge(
      'router_update_failure',
      'Passes of generators, or commands, that failed.',
      routerFailures(text),
    ),
    ...gauge('watcher_failure', 'Registrations that could not be understood.', undecodable),
    '',
  ].join('\n');
}
