import { type ConfigIssue, validateConfig } from '@smartstack/agent';
import type * as z from 'zod';

import type { BlockIssue } from '../catalog/types.js';
import {
  type DiscoveryOptions,
  serviceSchema,
  serviceShape,
  type ServiceDefinition,
  toDefinition,
  unsupportedServiceKeys,
} from './service.js';
import { blockIssues, hasErrors, isMapping, issueAt, type Place, unknownKeys } from './source.js';

/** What the configuration needs to know of the variants that there are. */
export interface Variants<D extends DiscoveryOptions> {
  /** The options of a discovery method; of any, where there is none of that name. */
  readonly discovery: (method: unknown) => z.ZodType<D>;
  /** Discovery methods of the Ruby pair that are not there yet. */
  readonly unsupportedMethods: readonly string[];
  /** The keys of a discovery method; undefined when there is none of that name. */
  readonly discoveryKeys: (method: string) => readonly string[] | undefined;
  readonly lintDiscovery: (discovery: D) => readonly BlockIssue[];
  readonly generators: ReadonlyMap<string, GeneratorRules>;
}

/** What a generator says about its blocks. Pure. */
export interface GeneratorRules {
  /** Problems of the top-level block. */
  readonly check: (block: unknown) => readonly BlockIssue[];
  /** Problems of a service's block. */
  readonly checkService: (service: string, block: unknown) => readonly BlockIssue[];
  /** Folders whose `*.json` are the generator's to write and to remove, each with the key that names it. */
  readonly jsonFolders?: (
    block: unknown,
  ) => readonly { readonly path: readonly PropertyKey[]; readonly directory: string }[];
  /** The port that a service's block puts in place of every instance's (a deprecated key of Ruby's). */
  readonly portOverride?: (block: unknown) => number | undefined;
}

/** One service as read from its place; without a definition when it has errors. */
export interface ReadService<D extends DiscoveryOptions> {
  readonly name: string;
  readonly definition: ServiceDefinition<D> | undefined;
  readonly issues: readonly ConfigIssue[];
}

const schemas = new WeakMap<object, unknown>();

/** One schema for all services of a method: building and compiling it costs a hundred times what a definition does. */
function schemaOf<D extends DiscoveryOptions>(
  { discovery }: Variants<D>,
  raw: Readonly<Record<string, unknown>>,
): ReturnType<typeof serviceSchema<D>> {
  const options = discovery(isMapping(raw.discovery) ? raw.discovery.method : undefined);
  const schema = schemas.get(options) ?? serviceSchema(options);
  schemas.set(options, schema);
  return schema as ReturnType<typeof serviceSchema<D>>;
}

/** Reads the service at `place`. `generators` are those that the top level configures. */
export function readService<D extends DiscoveryOptions>(
  name: string,
  place: Place,
  raw: unknown,
  variants: Variants<D>,
  generators: readonly string[],
): ReadService<D> {
  if (!isMapping(raw)) {
    return { name, definition: undefined, issues: [issueAt(place, 'error', 'Expected a mapping')] };
  }
  const below = (...path: PropertyKey[]): Place => ({ ...place, path: [...place.path, ...path] });
  const unsupported = unsupportedIssues(raw, below, variants);
  const { value, issues } = validateConfig(place.parsed, schemaOf(variants, raw), place.path);
  const blocks = Object.fromEntries(generators.map((generator) => [generator, raw[generator] ?? {}]));
  const all: ConfigIssue[] = [
    // A method that is known but missing is not also an invalid one.
    ...(unsupported.length > 0 ? unsupported : issues),
    ...unknownKeys(place, raw, [
      ...Object.keys(serviceShape),
      'discovery',
      'name',
      ...variants.generators.keys(),
      ...otherKeys,
    ]),
    ...discoveryWarnings(raw, below, variants),
    ...Object.entries(blocks).flatMap(([generator, block]) =>
      blockIssues(below(generator), variants.generators.get(generator)?.checkService(name, block) ?? []),
    ),
  ];
  if (value === undefined || hasErrors(all)) return { name, definition: undefined, issues: all };
  all.push(...blockIssues(below('discovery'), variants.lintDiscovery(value.discovery)));
  const overrides = Object.entries(blocks).map(([generator, block]) =>
    variants.generators.get(generator)?.portOverride?.(block),
  );
  const override = overrides.find((port) => port !== undefined);
  const definition = toDefinition(name, value, blocks, override);
  if (value.discovery.method === 'base' && definition.rules.defaultServers.length === 0)
    all.push(issueAt(below('discovery'), 'warning', 'Without default_servers this service has no instance'));
  return { name, definition, issues: all };
}

/** Keys that have an issue of their own. */
const otherKeys = Object.keys(unsupportedServiceKeys);

function unsupportedIssues<D extends DiscoveryOptions>(
  raw: Readonly<Record<string, unknown>>,
  below: (...path: PropertyKey[]) => Place,
  { unsupportedMethods }: Variants<D>,
): readonly ConfigIssue[] {
  const keys = Object.entries(unsupportedServiceKeys).filter(([key]) => Object.hasOwn(raw, key));
  const method = isMapping(raw.discovery) ? raw.discovery.method : undefined;
  return [
    ...keys.map(([key, why]) => issueAt(below(key), 'error', why, 'key')),
    ...(typeof method === 'string' && unsupportedMethods.includes(method)
      ? [issueAt(below('discovery', 'method'), 'error', `The method ${method} is not supported yet`)]
      : []),
  ];
}

function discoveryWarnings<D extends DiscoveryOptions>(
  raw: Readonly<Record<string, unknown>>,
  below: (...path: PropertyKey[]) => Place,
  { discoveryKeys }: Variants<D>,
): readonly ConfigIssue[] {
  const discovery = raw.discovery;
  if (!isMapping(discovery)) return [];
  const known = typeof discovery.method === 'string' ? discoveryKeys(discovery.method) : undefined;
  const deprecated = Object.hasOwn(discovery, 'label_filter')
    ? [issueAt(below('discovery', 'label_filter'), 'warning', 'Deprecated: use label_filters, a list', 'key')]
    : [];
  return [...deprecated, ...(known === undefined ? [] : unknownKeys(below('discovery'), discovery, known))];
}
