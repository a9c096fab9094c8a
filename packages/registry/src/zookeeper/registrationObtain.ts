import { sameEndpoint } from './endpoint.js';
import { isZooKeeperError, ZooKeeperError } from './errors.js';
import { type Live, type SessionLink, timed } from './link.js';
import { createPath } from './operations.js';
import { childPath, isSequenced } from './paths.js';
import type { RegistrationNode, RegistrationSpec, Stat, ZkPath } from './types.js';

/** What getting hold of a node needs to know. */
export interface ObtainContext {
  readonly link: SessionLink;
  readonly spec: RegistrationSpec;
  /** The path we want is someone else's: tell when something happens to it. */
  readonly onConflict: (path: ZkPath) => void;
  /** Our node was taken from us. Whoever did it lives: two who take it back in turns never end. */
  readonly displaced: boolean;
}

/** True when a node with this stat can be a registration's in this session. */
export function isOurs(stat: Stat, spec: RegistrationSpec, live: Live): boolean {
  return stat.ephemeralOwner === (spec.mode.startsWith('ephemeral') ? live.sessionId : 0n);
}

/** Sequential modes: the paths of all children that have this name and a sequence number, lowest first. */
export async function listSequenced(
  { link, spec }: Pick<ObtainContext, 'link' | 'spec'>,
  live: Live,
  names: readonly string[],
): Promise<readonly ZkPath[]> {
  const input = { path: spec.parent, watch: false };
  try {
    const { children } = await live.connection.request('getChildren', input, link.operationTimeoutMs);
    return children
      .filter((child) => names.some((name) => isSequenced(child, name)))
      .sort((a, b) => Number(a.slice(-10)) - Number(b.slice(-10)))
      .map((child) => childPath(spec.parent, child));
  } catch (error) {
    if (isZooKeeperError(error, 'NoNode')) return [];
    throw error;
  }
}

/** Reads a node that may have gone, or may be closed to us: undefined in both cases. */
export async function readNode(
  link: SessionLink,
  live: Live,
  path: ZkPath,
  watch: boolean,
): Promise<{ readonly data: Buffer; readonly stat: Stat } | undefined> {
  try {
    return await live.connection.request('getData', { path, watch }, link.operationTimeoutMs);
  } catch (error) {
    if (isZooKeeperError(error, 'NoNode', 'NoAuth')) return undefined;
    throw error;
  }
}

/** Adopts or creates the node that is wanted, and returns its path. Rejects with `applied: 'unknown'` when in doubt. */
export async function obtainNode(
  context: ObtainContext,
  live: Live,
  wanted: RegistrationNode,
): Promise<ZkPath> {
  const { mode, parent } = context.spec;
  if (mode === 'persistent_sequential') {
    const existing = await findPersistent(context, live, wanted);
    if (existing) return existing;
  }
  try {
    return await createNode(context, live, wanted);
  } catch (error) {
    if (mode.endsWith('sequential') || !isZooKeeperError(error, 'NodeExists')) throw error;
    return takeOver(context, live, wanted, childPath(parent, wanted.name));
  }
}

async function createNode(
  { link, spec }: ObtainContext,
  live: Live,
  { name, data }: RegistrationNode,
): Promise<ZkPath> {
  const { parent, mode, acl } = spec;
  const create = (): Promise<ZkPath> => {
    const input = { path: childPath(parent, name), data, mode, acl };
    return live.connection.request('create', input, link.operationTimeoutMs);
  };
  const path = await timed(link, 'create', parent, async () => {
    try {
      return await create();
    } catch (error) {
      if (!isZooKeeperError(error, 'NoNode')) throw error;
      await createPath(live, parent, link.operationTimeoutMs);
      return await create();
    }
  });
  link.metrics.registrations.inc(link.metricLabels);
  return path;
}

/** A node that an earlier process of ours left, rather than a second one. */
async function findPersistent(
  context: ObtainContext,
  live: Live,
  { name, data }: RegistrationNode,
): Promise<ZkPath | undefined> {
  const { link, spec } = context;
  for (const path of await listSequenced(context, live, [name])) {
    if (link.claims.has(path)) continue;
    const node = await readNode(link, live, path, false);
    const free = !link.claims.has(path);
    if (node && free && isOurs(node.stat, spec, live) && sameEndpoint(node.data, data)) return path;
  }
  return undefined;
}

/** The path exists already. It is ours to use, ours to replace, or someone else's. */
async function takeOver(
  context: ObtainContext,
  live: Live,
  wanted: RegistrationNode,
  path: ZkPath,
): Promise<ZkPath> {
  const { link, spec, onConflict, displaced } = context;
  const taken = (message: string): ZooKeeperError => {
    onConflict(path);
    return new ZooKeeperError('NodeExists', message, { op: 'create', path });
  };
  if (link.claims.has(path)) throw taken('another registration of this session holds it');
  const node = await readNode(link, live, path, true);
  if (!node) throw taken('it exists, but cannot be read');
  // A persistent node of an earlier process, or what a create whose answer was lost has made.
  if (isOurs(node.stat, spec, live)) return path;
  if (!sameEndpoint(node.data, wanted.data)) throw taken('someone else holds it');
  if (displaced) throw taken('another session took it over with the same instance: is there a second agent?');
  link.logger.info('replacing a node that an earlier session of ours left', { path });
  await live.connection.request('delete', { path, version: node.stat.version }, link.operationTimeoutMs);
  return createNode(context, live, wanted);
}
