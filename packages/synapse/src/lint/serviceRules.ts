import type { ConfigIssue } from '@smartstack/agent';

import { combinationsOf, discoveriesOf } from '../config/discoveryReader.js';
import { issueAt, type Place } from '../config/source.js';

/** A service as it stands in its file. */
export interface LintedService {
  readonly name: string;
  readonly place: Place;
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Keys that Ruby's zookeeper_dns does not pass on to the watcher that it starts. */
const lostOnTheWay = ['label_filters', 'decode', 'retry_policy', 'discovery_jitter'];

/** What a service does, and does not seem to do, apart from its generators' blocks. */
export function serviceIssues(service: LintedService): readonly ConfigIssue[] {
  return [
    ...discoveriesOf(service.raw).flatMap(({ path, block }) => discoveryIssues(service, path, block)),
    ...combinationsOf(service.raw).flatMap(({ path, block }) => combinationIssues(service, path, block)),
    ...leaderIssues(service),
  ];
}

function discoveryIssues(
  { place }: LintedService,
  path: readonly PropertyKey[],
  raw: Readonly<Record<string, unknown>>,
): readonly ConfigIssue[] {
  const warn = (key: string, message: string): ConfigIssue =>
    issueAt({ ...place, path: [...place.path, ...path, key] }, 'warning', message, 'key');
  const { method, hosts, generator_config_path: configPath } = raw;
  const isDns = method === 'zookeeper_dns' || method === 'zookeeper_dns_poll';
  const lost = isDns
    ? [...lostOnTheWay, ...(method === 'zookeeper_dns_poll' ? ['generator_config_path'] : [])]
    : [];
  return [
    ...(typeof hosts === 'string'
      ? [warn('hosts', "Text alone ends Ruby's synapse: write a list, `[…]`, for as long as you may go back")]
      : []),
    ...lost
      .filter((key) => Object.hasOwn(raw, key))
      .map((key) =>
        warn(
          key,
          `Ruby's ${String(method)} ignores it silently, so that it begins to count with the migration: remove it to keep things as they are`,
        ),
      ),
    ...(typeof configPath === 'string' && configPath !== 'disabled'
      ? [
          warn(
            'generator_config_path',
            "In Ruby's synapse what is found there replaces the local block as a whole; here it is laid over it, key by key: local keys that it lacks begin to count",
          ),
        ]
      : []),
  ];
}

/** What Ruby's synapse makes of several watchers, where it is something else. */
function combinationIssues(
  { place, raw: service }: LintedService,
  path: readonly PropertyKey[],
  raw: Readonly<Record<string, unknown>>,
): readonly ConfigIssue[] {
  const warn = (key: string, message: string): ConfigIssue =>
    issueAt({ ...place, path: [...place.path, ...path, key] }, 'warning', message, 'key');
  const filters = ['label_filters', 'label_filter'].filter((key) => Object.hasOwn(raw, key));
  const hasDefaults = Array.isArray(service.default_servers) && service.default_servers.length > 0;
  return [
    ...filters.map((key) =>
      warn(
        key,
        "Beside several watchers Ruby's synapse ignores it silently, so that it begins to count with the migration",
      ),
    ),
    ...(hasDefaults && Object.hasOwn(raw, 'watchers')
      ? [
          warn(
            'watchers',
            "In Ruby's synapse each watcher that is empty has the default_servers; here they stand in when the service as a whole has no instance",
          ),
        ]
      : []),
  ];
}

function leaderIssues({ raw, place }: LintedService): readonly ConfigIssue[] {
  if (raw.leader_election !== true) return [];
  const message =
    'Nobody leads while one registration has no number at its end, as those of go-nerve have not: mixed fleets must not use it';
  return [issueAt({ ...place, path: [...place.path, 'leader_election'] }, 'warning', message, 'key')];
}

/** One issue for all services that do not say it. */
export function previousBackendsIssue(services: readonly LintedService[]): readonly ConfigIssue[] {
  const silent = services.filter(
    ({ raw }) =>
      !Object.hasOwn(raw, 'use_previous_backends') &&
      !(Array.isArray(raw.default_servers) && raw.default_servers.length > 0),
  );
  const [first] = silent;
  if (first === undefined) return [];
  const more = silent.length - 1;
  const others = more === 0 ? '' : more === 1 ? ' (and so does one more)' : ` (and so do ${more} more)`;
  const message = `${first.name} leaves use_previous_backends at its default, true${others}: when all instances are gone the last ones stay in rotation, which hides it. Say which one is meant`;
  return [issueAt(first.place, 'warning', message)];
}
