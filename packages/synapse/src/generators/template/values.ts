import { byText } from '@smartstack/agent';
import type { Instance, Json } from '@smartstack/registry';
import type { CatalogView, ServiceView } from '../../catalog/types.js';
import { isOneLine } from '../fields.js';
import { serverName } from '../names.js';
import { readServiceBlock } from './blocks.js';

/** An instance as templates see it; what is not said is null. */
interface InstanceValues {
  readonly name: string | null;
  readonly host: string;
  readonly port: number;
  readonly weight: number | null;
  readonly labels: Readonly<Record<string, Json>>;
  /** The label of that name. */
  readonly zone: Json;
  readonly id: number | null;
  /** haproxy_server_options. */
  readonly options: string | null;
  readonly state: 'available' | 'unavailable';
}

/** A service as templates see it. */
export interface ServiceValues {
  readonly name: string;
  /** Where the instances come from: `live`, `stale`, `default`, `previous`, `pending`. */
  readonly state: ServiceView['source'];
  readonly instances: readonly InstanceValues[];
}

/** Something that templates are not given, and why. */
interface ValueIssue {
  readonly service: string;
  readonly instance?: string;
  readonly reason: string;
}

/** What a template is given. */
export interface TemplateValues {
  readonly services: readonly ServiceValues[];
  /** Services of which nothing is known yet. */
  readonly unknown: readonly string[];
  readonly issues: readonly ValueIssue[];
}

/**
 * The values of a view; `before` is what services were last, which stands in for those whose definition is broken.
 * Nothing that was discovered holds a line break, or anything else that ends a line. Pure.
 */
export function valuesOf(
  { services, unreadable = [] }: CatalogView,
  before: ReadonlyMap<string, ServiceValues>,
): TemplateValues {
  const unknown: string[] = [];
  const issues: ValueIssue[] = [];
  const found: ServiceValues[] = [];
  for (const view of services) {
    if (readServiceBlock(view.blocks.template ?? {}).config?.disabled === true) continue;
    if (view.instances.length === 0 && (view.source === 'pending' || view.source === 'previous'))
      unknown.push(view.name);
    found.push({
      name: view.name,
      state: view.source,
      instances: instancesOf(view, issues),
    });
  }
  for (const name of unreadable) {
    const last = before.get(name);
    if (last === undefined) unknown.push(name);
    else found.push(last);
  }
  return { services: found, unknown, issues };
}

function instancesOf(view: ServiceView, issues: ValueIssue[]): readonly InstanceValues[] {
  const found = new Map<string, InstanceValues>();
  for (const instance of view.instances) {
    // As in file_output: nobody checks what a program reads in a file.
    if (instance.held === true) continue;
    const name = serverName(instance);
    const reason = 'reason' in name ? name.reason : unusable(instance);
    if ('reason' in name || reason !== undefined) {
      issues.push({
        service: view.name,
        instance: `${instance.host}:${instance.port}`,
        reason: reason ?? '',
      });
      continue;
    }
    found.set(name.value, asValues(instance));
  }
  // The registry has no order: the same instances are to be the same file.
  return [...found].sort(([a], [b]) => byText(a, b)).map(([, values]) => values);
}

function asValues(instance: Instance): InstanceValues {
  const { name, host, port, weight, labels = {}, id, haproxyServerOptions, available } = instance;
  return {
    ...{ name: name ?? null, host, port, weight: weight ?? null, labels, zone: labels.zone ?? null },
    ...{ id: id ?? null, options: haproxyServerOptions ?? null },
    state: available === false ? 'unavailable' : 'available',
  };
}

function unusable({ haproxyServerOptions = '', labels = {} }: Instance): string | undefined {
  if (!isOneLine(haproxyServerOptions))
    return 'its haproxy_server_options have a line break or another control character';
  return isPlain(labels) ? undefined : 'its labels have a line break or another control character';
}

function isPlain(value: Json): boolean {
  if (typeof value === 'string') return isOneLine(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, each]) => isOneLine(key) && isPlain(each));
}

/** What tells an instance from the others of its service. */
export function keyOf({
  name,
  host,
  port,
}: {
  readonly name?: string | null | undefined;
  readonly host: string;
  readonly port: number;
}): string {
  return `${(name ?? '') === '' ? '' : `${name ?? ''}_`}${host}:${port}`;
}
