import type { ZooKeeperSettings } from '../reporters/zookeeper.js';
import { type ServiceDefinition, serviceDefinitions, serviceSchema } from '../config/service.js';

const minimal = { host: '10.0.0.5', port: 8080, zk_hosts: ['127.0.0.1:2181'], zk_path: '/services/web' };

/** A service's definition made from keys as they stand in a file, over a minimal valid one. */
export function definitionOf(name: string, keys: Readonly<Record<string, unknown>> = {}): ServiceDefinition {
  const value = serviceSchema.parse({ ...minimal, ...keys });
  const [definition] = serviceDefinitions(name, value, 'i-0abc');
  if (!definition) throw new Error('no definition');
  return definition;
}

/** Several, by name. */
export function definitionsOf(
  services: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): ReadonlyMap<string, ServiceDefinition> {
  return new Map(Object.entries(services).map(([name, keys]) => [name, definitionOf(name, keys)]));
}

/** The settings of a definition's first reporter, which must be a zookeeper one. */
export function zooKeeperOf({ reporters: [first] }: ServiceDefinition): ZooKeeperSettings {
  if (first?.type !== 'zookeeper') throw new Error('no zookeeper reporter');
  return first.settings;
}
