import * as z from 'zod';

import type { BlockIssue, Watcher } from '../catalog/types.js';
import { consulWatcher } from './consul.js';
import { dnsWatcher } from './dns.js';
import { etcdWatcher } from './etcd.js';
import { fileWatcher } from './file.js';
import { staticWatcher } from './static.js';
import type { WatcherContext } from './types.js';
import { zookeeperWatcher } from './zookeeper.js';
import { zookeeperDnsPollWatcher, zookeeperDnsWatcher } from './zookeeperDns.js';
import { zookeeperPollWatcher } from './zookeeperPoll.js';

/** Every discovery method: the key is `discovery.method`. */
export const watchers = {
  base: staticWatcher,
  consul: consulWatcher,
  dns: dnsWatcher,
  etcd: etcdWatcher,
  file: fileWatcher,
  zookeeper: zookeeperWatcher,
  zookeeper_dns: zookeeperDnsWatcher,
  zookeeper_dns_poll: zookeeperDnsPollWatcher,
  zookeeper_poll: zookeeperPollWatcher,
} as const;

/** The options of any discovery method. */
function anyDiscovery() {
  return z.discriminatedUnion('method', [
    watchers.base.options,
    watchers.consul.options,
    watchers.dns.options,
    watchers.etcd.options,
    watchers.file.options,
    watchers.zookeeper.options,
    watchers.zookeeper_dns.options,
    watchers.zookeeper_dns_poll.options,
    watchers.zookeeper_poll.options,
  ]);
}
let any: ReturnType<typeof anyDiscovery> | undefined;

export type Discovery = z.output<ReturnType<typeof anyDiscovery>>;

/** The options of a discovery method; those of any, to say what is wrong, for what is none. */
export function discoverySchema(method: unknown): z.ZodType<Discovery> {
  return isMethod(method) ? watchers[method].options : (any ??= anyDiscovery());
}

function isMethod(method: unknown): method is keyof typeof watchers {
  return typeof method === 'string' && Object.hasOwn(watchers, method);
}

/** Methods of the Ruby pair that there is no watcher for yet. */
export const unsupportedMethods: readonly string[] = ['docker', 'ec2tag', 'marathon', 'multi'];

/** The keys that a method knows; undefined for a method that does not exist. */
export function discoveryKeys(method: string): readonly string[] | undefined {
  return isMethod(method) ? Object.keys(watchers[method].options.shape) : undefined;
}

/** Advice on valid options. Paths are relative to `discovery`. */
export function lintDiscovery(discovery: Discovery): readonly BlockIssue[] {
  switch (discovery.method) {
    case 'zookeeper':
      return watchers.zookeeper.lint?.(discovery) ?? [];
    case 'zookeeper_dns':
      return watchers.zookeeper_dns.lint?.(discovery) ?? [];
    case 'zookeeper_dns_poll':
      return watchers.zookeeper_dns_poll.lint?.(discovery) ?? [];
    case 'zookeeper_poll':
      return watchers.zookeeper_poll.lint?.(discovery) ?? [];
    case 'base':
    case 'consul':
    case 'dns':
    case 'etcd':
    case 'file':
      return [];
  }
}

/** The watcher that a service's `discovery` asks for, which does not believe that most of a service is gone at once. */
export function createWatcher(discovery: Discovery, context: WatcherContext): Watcher {
  const watcher = createSource(discovery, context);
  return discovery.method === 'base' ? watcher : context.protect(watcher);
}

function createSource(discovery: Discovery, context: WatcherContext): Watcher {
  switch (discovery.method) {
    case 'base':
      return watchers.base.create(discovery, context);
    case 'consul':
      return watchers.consul.create(discovery, context);
    case 'dns':
      return watchers.dns.create(discovery, context);
    case 'etcd':
      return watchers.etcd.create(discovery, context);
    case 'file':
      return watchers.file.create(discovery, context);
    case 'zookeeper':
      return watchers.zookeeper.create(discovery, context);
    case 'zookeeper_dns':
      return watchers.zookeeper_dns.create(discovery, context);
    case 'zookeeper_dns_poll':
      return watchers.zookeeper_dns_poll.create(discovery, context);
    case 'zookeeper_poll':
      return watchers.zookeeper_poll.create(discovery, context);
  }
}
