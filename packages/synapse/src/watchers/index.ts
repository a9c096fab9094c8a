import * as z from 'zod';

import type { BlockIssue, Watcher } from '../catalog/types.js';
import type { DiscoveryMulti } from '../config/service.js';
import { consulWatcher } from './consul.js';
import { dnsWatcher } from './dns.js';
import { dockerWatcher } from './docker.js';
import { ec2tagWatcher } from './ec2tag.js';
import { etcdWatcher } from './etcd.js';
import { fileWatcher } from './file.js';
import { marathonWatcher } from './marathon.js';
import { type MultiDiscovery, multiWatcherOf } from './multi.js';
import { createPluginWatcher, type PluginDiscovery, pluginDiscovery } from './plugin.js';
import { staticWatcher } from './static.js';
import type { WatcherContext } from './types.js';
import { zookeeperWatcher } from './zookeeper.js';
import { zookeeperDnsPollWatcher, zookeeperDnsWatcher } from './zookeeperDns.js';
import { zookeeperPollWatcher } from './zookeeperPoll.js';

/** The discovery methods that need no other. */
const single = {
  base: staticWatcher,
  consul: consulWatcher,
  dns: dnsWatcher,
  docker: dockerWatcher,
  ec2tag: ec2tagWatcher,
  etcd: etcdWatcher,
  file: fileWatcher,
  marathon: marathonWatcher,
  zookeeper: zookeeperWatcher,
  zookeeper_dns: zookeeperDnsWatcher,
  zookeeper_dns_poll: zookeeperDnsPollWatcher,
  zookeeper_poll: zookeeperPollWatcher,
} as const;

type BuiltIn = { [M in keyof typeof single]: z.output<(typeof single)[M]['options']> }[keyof typeof single];
/** One watcher. */
type SingleDiscovery = BuiltIn | PluginDiscovery;
/** The options of any discovery method. */
export type Discovery = SingleDiscovery | MultiDiscovery<SingleDiscovery>;

/** A kind for whoever knows no more of the options than that they are the kind's own. */
interface AnyKind {
  readonly options: z.ZodType<BuiltIn>;
  readonly lint?: (discovery: BuiltIn) => readonly BlockIssue[];
  readonly portless?: (discovery: BuiltIn) => readonly BlockIssue[];
  readonly create: (discovery: BuiltIn, context: WatcherContext) => Watcher;
}

// Each kind takes its own options only; the schema has seen to it that `method` says whose they are.
const kindOf = (method: keyof typeof single): AnyKind => single[method] as unknown as AnyKind;

function isSingle(method: unknown): method is keyof typeof single {
  return typeof method === 'string' && Object.hasOwn(single, method);
}

/** The schema of one watcher's block. */
function singleSchema(block: unknown): z.ZodType<SingleDiscovery> {
  const { method, module } = Object(block) as { readonly method?: unknown; readonly module?: unknown };
  if (isSingle(method)) return kindOf(method).options;
  if (typeof module === 'string' && typeof method === 'string' && method !== 'multi')
    return (plugin ??= pluginDiscovery());
  return unknownMethod(single);
}
let plugin: z.ZodType<PluginDiscovery> | undefined;

const hints: Readonly<Record<string, string>> = {
  // Ruby's README has it.
  awstag: "; Ruby's examples mean ec2tag",
  multi: '; several watchers of one service stand in one `multi`, not in each other',
};

/** Says which methods there are, and what may have been meant. */
function unknownMethod(known: object): z.ZodType<never> {
  const methods = Object.keys(known).join(', ');
  const method = z.custom<never>(() => false, {
    error: ({ input }) => {
      if (typeof input !== 'string') return `Expected a method: ${methods}`;
      const meant = Object.hasOwn(hints, input) ? (hints[input] ?? '') : '';
      return `There is no method ${input}: expected ${methods}, or a module${meant}`;
    },
  });
  return z.object({ method }) as unknown as z.ZodType<never>;
}

function lintSingle(discovery: SingleDiscovery): readonly BlockIssue[] {
  return discovery.method === 'plug-in' ? [] : (kindOf(discovery.method).lint?.(discovery) ?? []);
}

function createSingle(discovery: SingleDiscovery, context: WatcherContext): Watcher {
  if (discovery.method === 'base') return staticWatcher.create(discovery, context);
  return context.protect(
    discovery.method === 'plug-in'
      ? createPluginWatcher(discovery, context)
      : kindOf(discovery.method).create(discovery, context),
  );
}

const multi = multiWatcherOf({ schema: singleSchema, lint: lintSingle, create: createSingle });

/** Every discovery method that is built in: the key is `discovery.method`. */
export const watchers = { ...single, multi: multi.kind } as const;

/** The options of a `discovery`, which is read by its method; for what is none, what is wrong with it. */
export function discoverySchema(block: unknown): z.ZodType<Discovery> {
  const { method, module } = Object(block) as { readonly method?: unknown; readonly module?: unknown };
  if (method === 'multi') return multi.kind.options;
  return isSingle(method) || typeof module === 'string' ? singleSchema(block) : unknownMethod(watchers);
}

/** Ruby's `discovery_multi`: makes the `multi` of it that it is together with the service's `discovery`. */
// Whoever reads the configuration sees to it that this is none of several watchers already.
export const discoveryMultiSchema = multi.beside as unknown as () => DiscoveryMulti<Discovery>;

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

/** What of a discovery lacks a port, where the service has none for all. Paths are relative to `discovery`. */
export function portlessIn(discovery: Discovery): readonly BlockIssue[] {
  const of = (one: SingleDiscovery): readonly BlockIssue[] =>
    one.method === 'plug-in' ? [] : (kindOf(one.method).portless?.(one) ?? []);
  if (discovery.method !== 'multi') return of(discovery);
  return Object.entries(discovery.watchers).flatMap(([name, one]) =>
    of(one).map((issue) => ({ ...issue, path: ['watchers', name, ...issue.path] })),
  );
}

/** The watcher that a service's `discovery` asks for, which does not believe that most of a service is gone at once. */
export function createWatcher(discovery: Discovery, context: WatcherContext): Watcher {
  return discovery.method === 'multi'
    ? multi.kind.create(discovery, context)
    : createSingle(discovery, context);
}
