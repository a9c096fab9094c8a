import { type ConfigIssue, type ParsedFile, validateConfig } from '@smartstack/agent';
import type * as z from 'zod';

import type { BlockIssue } from '../catalog/types.js';
import { discoveryAdvice, discoveryWarnings, wholeDiscovery } from './discoveryReader.js';
import {
  type DiscoveryMulti,
  type DiscoveryOptions,
  serviceSchema,
  serviceShape,
  type ServiceDefinition,
  toDefinition,
} from './service.js';
import { blockIssues, hasErrors, isMapping, issueAt, type Place, unknownKeys } from './source.js';

/** What the configuration needs to know of the variants that there are. */
export interface Variants<D extends DiscoveryOptions> {
  /** The options of a block that describes a watcher; for what is none, what is wrong with it. */
  readonly discovery: (block: unknown) => z.ZodType<D>;
  /** Those of `discovery_multi`. */
  readonly discoveryMulti: () => DiscoveryMulti<D>;
  /** The keys of a discovery method; undefined when there is none of that name. */
  readonly discoveryKeys: (method: string) => readonly string[] | undefined;
  /** The keys of a resolver of several watchers; undefined when there is none of that name. */
  readonly resolverKeys: (method: string) => readonly string[] | undefined;
  readonly lintDiscovery: (discovery: D) => readonly BlockIssue[];
  /** Advice that holds where the service says no port for all. */
  readonly portlessIn: (discovery: D) => readonly BlockIssue[];
  /** Loads the modules that a discovery names; `at` is the place of a path in it. Absent: there are none. */
  readonly useModules?: (
    discovery: D,
    at: (path: readonly PropertyKey[]) => Place,
  ) => Promise<{ readonly discovery: D; readonly issues: readonly ConfigIssue[] }>;
  /** Adds to `generators` those of modules that the main file names. */
  readonly addGenerators?: (main: ParsedFile) => Promise<void>;
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
  { discovery, discoveryMulti }: Variants<D>,
  raw: Readonly<Record<string, unknown>>,
): ReturnType<typeof serviceSchema<D>> {
  const options = discovery(raw.discovery);
  if (Object.hasOwn(raw, 'discovery_multi')) return serviceSchema(options, discoveryMulti());
  const schema = schemas.get(options) ?? serviceSchema(options);
  schemas.set(options, schema);
  return schema as ReturnType<typeof serviceSchema<D>>;
}

/** Reads the service at `place`. `generators` are those that the top level configures. */
export async function readService<D extends DiscoveryOptions>(
  name: string,
  place: Place,
  raw: unknown,
  variants: Variants<D>,
  generators: readonly string[],
): Promise<ReadService<D>> {
  if (!isMapping(raw)) {
    return { name, definition: undefined, issues: [issueAt(place, 'error', 'Expected a mapping')] };
  }
  const below = (...path: PropertyKey[]): Place => ({ ...place, path: [...place.path, ...path] });
  const { value, issues } = validateConfig(place.parsed, schemaOf(variants, raw), place.path);
  const blocks = Object.fromEntries(generators.map((generator) => [generator, raw[generator] ?? {}]));
  const all: ConfigIssue[] = [
    ...issues,
    ...unknownKeys(place, raw, [
      ...Object.keys(serviceShape),
      'discovery',
      'discovery_multi',
      'name',
      ...variants.generators.keys(),
    ]),
    ...discoveryWarnings(raw, place, variants),
    ...Object.entries(blocks).flatMap(([generator, block]) =>
      blockIssues(below(generator), variants.generators.get(generator)?.checkService(name, block) ?? []),
    ),
  ];
  if (value === undefined || hasErrors(all)) return { name, definition: undefined, issues: all };
  const whole = wholeDiscovery(value, below);
  if ('message' in whole) return { name, definition: undefined, issues: [...all, whole] };
  all.push(...discoveryAdvice(whole, variants.lintDiscovery));
  const used = (await variants.useModules?.(whole.discovery, whole.at)) ?? { ...whole, issues: [] };
  all.push(...used.issues);
  if (hasErrors(all)) return { name, definition: undefined, issues: all };
  const overrides = Object.entries(blocks).map(([generator, block]) =>
    variants.generators.get(generator)?.portOverride?.(block),
  );
  const override = overrides.find((port) => port !== undefined);
  const definition = toDefinition(name, used.discovery, value, blocks, override);
  if (value.discovery.method === 'base' && definition.rules.defaultServers.length === 0)
    all.push(issueAt(below('discovery'), 'warning', 'Without default_servers this service has no instance'));
  if (definition.rules.backendPortOverride === undefined)
    all.push(...discoveryAdvice(whole, variants.portlessIn));
  return { name, definition: hasErrors(all) ? undefined : definition, issues: all };
}
