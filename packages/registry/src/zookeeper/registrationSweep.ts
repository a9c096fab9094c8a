import { isZooKeeperError } from './errors.js';
import { type Live, type SessionLink, timed } from './link.js';
import { childPath } from './paths.js';
import { readNode } from './registrationObtain.js';
import { identityOf } from './sharedNodes.js';
import type { RegistrationSpec, ZkPath } from './types.js';

/**
 * Deletes the nodes that an earlier process of ours has left. Never one that a registration of this session has
 * claimed, nor one that is younger than `before`, a creation transaction: whoever made that one has come after us.
 */
export async function sweepLeftBehind(
  link: SessionLink,
  spec: RegistrationSpec,
  live: Live,
  before: bigint | undefined,
): Promise<void> {
  const { leftBehind } = spec;
  if (leftBehind === undefined) return;
  for (const child of await childrenOf(link, live, spec.parent)) {
    const path = childPath(spec.parent, child);
    if (!leftBehind.name(child) || link.claims.has(path)) continue;
    const node = await readNode(link, live, path, false);
    if (!node || !leftBehind.data(node.data) || link.claims.has(path)) continue;
    const { ephemeralOwner, czxid, version } = node.stat;
    // What is bound to a session for the one kind of registration is none of the other kind's.
    if ((ephemeralOwner !== 0n) !== spec.mode.startsWith('ephemeral')) continue;
    if (before !== undefined && czxid >= before) continue;
    // Of another session of ours, which lives.
    if (link.shared.isHeld(identityOf(path, node.stat))) continue;
    try {
      await timed(link, 'delete', spec.parent, () =>
        live.connection.request('delete', { path, version }, link.operationTimeoutMs),
      );
      link.logger.info('removed a node that an earlier process of ours left', { path });
    } catch (error) {
      // It went, or its owner lives and has just written it: then it is not left behind.
      if (!isZooKeeperError(error, 'NoNode', 'BadVersion', 'NoAuth')) throw error;
    }
  }
}

async function childrenOf(link: SessionLink, live: Live, path: ZkPath): Promise<readonly string[]> {
  try {
    const input = { path, watch: false };
    const { children } = await live.connection.request('getChildren', input, link.operationTimeoutMs);
    return children;
  } catch (error) {
    // What we may not see, we may not delete either.
    if (isZooKeeperError(error, 'NoNode', 'NoAuth')) return [];
    throw error;
  }
}
