import * as z from 'zod';

import type { BlockIssue, Watcher } from '../catalog/types.js';
import type { DiscoveryMulti } from '../config/service.js';
import { dockerWatcher } from './docker.js';
import { ec2tagWatcher } from './ec2tag.js';
import { marathonWatcher } from './marathon.js';
import { multiWatcherOf } from './multi.js';
import { createPluginWatcher, pluginDiscovery } from './plugin.js';
import { staticWatcher } from './static.js';
import type { WatcherContext } from './types.js';
import { zookeeperWatcher } from './zookeeper.js';

/** The discovery methods that need no other. */
const single = {
  base: staticWatcher,
  zookeeper: zookeeperWatcher,
  docker: dockerWatcher,
  marathon: marathonWatcher,
  ec2tag: ec2tagWatcher,
} as const;

const multiHint = '; several watchers of one service stand in one `multi`, not in each other';

/** Says which methods there are, and what may have been meant. */
function unknownMethod(methods: readonly string[], hints: Readonly<Record<string, string>>) {
  return ({ input }: { readonly input?: unknown }): string | undefined => {
    if (typeof input !== 'object' || input === null) return undefined;
    const { method } = input as { readonly method?: unknown };
    if (typeof method !== 'string') return `Expected a method: ${methods.join(', ')}`;
    const hint = Object.hasOwn(hints, method) ? hints[method] : '';
    return `There is no method ${method}: expected ${methods.join(', ')}, or a module${hint}`;
  };
}

/** Ruby's README has it. */
const awstag = { awstag: "; Ruby's examples mean ec2tag" };

const singleSchemas = [
  single.base.options,
  single.zookeeper.options,
  single.docker.options,
  single.marathon.options,
  single.ec2tag.options,
] as const;
const pluginSchema = pluginDiscovery([...Object.keys(single), 'multi']);
const singleSchema = z.union([
  z.discriminatedUnion('method', singleSchemas, {
    error: unknownMethod(Object.keys(single), { ...awstag, multi: multiHint }),
  }),
  pluginSchema,
]);
type Single = z.output<typeof singleSchema>;

/** Advice of the method itself. */
function lintSingle(discovery: Single): readonly BlockIssue[] {
  switch (discovery.method) {
    case 'zookeeper':
      return zookeeperWatcher.lint?.(discovery) ?? [];
    case 'ec2tag':
      return ec2tagWatcher.lint?.(discovery) ?? [];
    default:
      return [];
  }
}

function createSingle(discovery: Single, context: WatcherContext): Watcher {
  switch (discovery.method) {
    case 'base':
      return staticWatcher.create(discovery, context);
    case 'zookeeper':
      return zookeeperWatcher.create(discovery, context);
    case 'docker':
      return dockerWatcher.create(discovery, context);
    case 'marathon':
      return marathonWatcher.create(discovery, context);
    case 'ec2tag':
      return ec2tagWatcher.create(discovery, context);
    case 'plug-in':
      return createPluginWatcher(discovery, context);
  }
}

const multi = multiWatcherOf({ schema: singleSchema, lint: lintSingle, create: createSingle });

/** Every discovery method: the key is `discovery.method`. */
export const watchers = { ...single, multi: multi.kind } as const;

/** The options of any discovery method. */
export const discoverySchema = z.union([
  z.discriminatedUnion('method', [...singleSchemas, multi.kind.options], {
    error: unknownMethod(Object.keys(watchers), awstag),
  }),
  pluginSchema,
]);
export type Discovery = z.output<typeof discoverySchema>;

/** Ruby's `discovery_multi`: makes the `multi` of it that it is together with the service's `discovery`. */
// Whoever reads the configuration sees to it that this is none of several watchers already.
export const discoveryMultiSchema = multi.beside as unknown as DiscoveryMulti<Discovery>;

/** Methods of the Ruby pair that there is no watcher for yet. */
export const unsupportedMethods: readonly string[] = [
  'zookeeper_poll',
  'zookeeper_dns',
  'zookeeper_dns_poll',
  'dns',
];

/** The keys that a method knows; undefined for a method that does not exist. */
export function discoveryKeys(method: string): readonly string[] | undefined {
  return Object.hasOwn(watchers, method)
    ? Object.keys(watchers[method as keyof typeof watchers].options.shape)
    : undefined;
}

/** Advice on valid options. Paths are relative to `discovery`. */
export function lintDiscovery(discovery: Discovery): readonly BlockIssue[] {
  return discovery.method === 'multi' ? (multi.kind.lint?.(discovery) ?? []) : lintSingle(discovery);
}

/** The watcher that a service's `discovery` asks for. */
export function createWatcher(discovery: Discovery, context: WatcherContext): Watcher {
  return discovery.method === 'multi'
    ? multi.kind.create(discovery, context)
    : createSingle(discovery, context);
}
