import * as z from 'zod';

import type { BlockIssue, Watcher } from '../catalog/types.js';
import { dnsWatcher } from './dns.js';
import { fileWatcher } from './file.js';
import { staticWatcher } from './static.js';
import type { WatcherContext } from './types.js';
import { zookeeperWatcher } from './zookeeper.js';

/** Every discovery method: the key is `discovery.method`. */
export const watchers = {
  base: staticWatcher,
  dns: dnsWatcher,
  file: fileWatcher,
  zookeeper: zookeeperWatcher,
} as const;

/** The options of any discovery method. */
export const discoverySchema = z.discriminatedUnion('method', [
  watchers.base.options,
  watchers.dns.options,
  watchers.file.options,
  watchers.zookeeper.options,
]);
export type Discovery = z.output<typeof discoverySchema>;

/** Methods of the Ruby pair that there is no watcher for yet. */
export const unsupportedMethods: readonly string[] = [
  'zookeeper_poll',
  'zookeeper_dns',
  'zookeeper_dns_poll',
  'docker',
  'ec2tag',
  'marathon',
  'multi',
];

/** The keys that a method knows; undefined for a method that does not exist. */
export function discoveryKeys(method: string): readonly string[] | undefined {
  return Object.hasOwn(watchers, method)
    ? Object.keys(watchers[method as keyof typeof watchers].options.shape)
    : undefined;
}

/** Advice on valid options. Paths are relative to `discovery`. */
export function lintDiscovery(discovery: Discovery): readonly BlockIssue[] {
  return discovery.method === 'zookeeper' ? (zookeeperWatcher.lint?.(discovery) ?? []) : [];
}

/** The watcher that a service's `discovery` asks for. */
export function createWatcher(discovery: Discovery, context: WatcherContext): Watcher {
  switch (discovery.method) {
    case 'base':
      return staticWatcher.create(discovery, context);
    case 'dns':
      return dnsWatcher.create(discovery, context);
    case 'file':
      return fileWatcher.create(discovery, context);
    case 'zookeeper':
      return zookeeperWatcher.create(discovery, context);
  }
}
