import type { ConfigIssue } from '@smartstack/agent';

import type { BlockIssue } from '../catalog/types.js';
import type { DiscoveryOptions } from './service.js';
import { isMapping, issueAt, type Place, unknownKeys } from './source.js';

/** The keys of a method; undefined when there is none of that name. */
type KeysOf = (method: string) => readonly string[] | undefined;

/** A mapping of a service, and its path in it. */
interface Block {
  readonly path: readonly PropertyKey[];
  readonly block: Readonly<Record<string, unknown>>;
}

function blockAt(parent: Block, key: string): readonly Block[] {
  const block = Object.hasOwn(parent.block, key) ? parent.block[key] : undefined;
  return isMapping(block) ? [{ path: [...parent.path, key], block }] : [];
}

/** The blocks of a service that combine watchers: `discovery_multi`, and a `discovery` of method multi. */
export function combinationsOf(raw: Readonly<Record<string, unknown>>): readonly Block[] {
  const service = { path: [], block: raw };
  const several = blockAt(service, 'discovery').filter(({ block }) => block.method === 'multi');
  return [...several, ...blockAt(service, 'discovery_multi')];
}

/** Every block of a service that describes a watcher, as read. */
export function discoveriesOf(raw: Readonly<Record<string, unknown>>): readonly Block[] {
  const inner = combinationsOf(raw)
    .flatMap((combination) => blockAt(combination, 'watchers'))
    .flatMap((watchers) => Object.keys(watchers.block).flatMap((name) => blockAt(watchers, name)));
  return [...blockAt({ path: [], block: raw }, 'discovery'), ...inner];
}

/** What the blocks of the service at `place` say that nobody reads, or that is out of date. */
export function discoveryWarnings(
  raw: Readonly<Record<string, unknown>>,
  place: Place,
  { discoveryKeys, resolverKeys }: { readonly discoveryKeys: KeysOf; readonly resolverKeys: KeysOf },
): readonly ConfigIssue[] {
  const at = ({ path }: Block, ...keys: readonly string[]): Place => ({
    ...place,
    path: [...place.path, ...path, ...keys],
  });
  const strange = (one: Block, known: readonly string[] | undefined): readonly ConfigIssue[] =>
    known === undefined ? [] : unknownKeys(at(one), one.block, known);
  const keysOf = ({ block: { method } }: Block, keys: KeysOf) =>
    typeof method === 'string' ? keys(method) : undefined;
  const combinations = combinationsOf(raw);
  const beside = combinations.filter(({ path }) => path[0] === 'discovery_multi');
  const primaries = beside
    .flatMap((one) => blockAt(one, 'watchers'))
    .filter(({ block }) => Object.hasOwn(block, 'primary'));
  return [
    ...discoveriesOf(raw).flatMap((one) => [
      ...(Object.hasOwn(one.block, 'label_filter')
        ? [issueAt(at(one, 'label_filter'), 'warning', 'Deprecated: use label_filters, a list', 'key')]
        : []),
      ...strange(one, keysOf(one, discoveryKeys)),
    ]),
    ...beside.flatMap((one) => strange(one, ['method', 'watchers', 'resolver'])),
    ...combinations
      .flatMap((one) => blockAt(one, 'resolver'))
      .flatMap((one) => strange(one, keysOf(one, resolverKeys))),
    ...primaries.map((one) =>
      issueAt(at(one, 'primary'), 'warning', 'Not used: primary is the watcher of discovery', 'key'),
    ),
  ];
}

/** All that a service says about its discovery, made one, and where each path in it stands. */
export interface WholeDiscovery<D> {
  readonly discovery: D;
  readonly at: (path: readonly PropertyKey[]) => Place;
}

/** Puts `discovery` and `discovery_multi` together; an issue when they do not go together. */
export function wholeDiscovery<D extends DiscoveryOptions>(
  service: { readonly discovery: D; readonly discovery_multi?: ((discovery: D) => D) | null | undefined },
  below: (...path: PropertyKey[]) => Place,
): WholeDiscovery<D> | ConfigIssue {
  const { discovery, discovery_multi: beside } = service;
  if (beside == null) return { discovery, at: (path) => below('discovery', ...path) };
  if (discovery.method === 'multi') {
    const message = 'Beside discovery_multi this is one watcher: put its watchers into discovery_multi';
    return issueAt(below('discovery', 'method'), 'error', message);
  }
  const at = (path: readonly PropertyKey[]): Place => {
    const [first, second, ...rest] = path;
    return first === 'watchers' && second === 'primary'
      ? below('discovery', ...rest)
      : below('discovery_multi', ...path);
  };
  return { discovery: beside(discovery), at };
}

/** What the methods and resolvers say about their valid options. */
export function discoveryAdvice<D extends DiscoveryOptions>(
  { discovery, at }: WholeDiscovery<D>,
  advise: (discovery: D) => readonly BlockIssue[],
): readonly ConfigIssue[] {
  return advise(discovery).map(({ path, message, severity }) => issueAt(at(path), severity, message));
}
