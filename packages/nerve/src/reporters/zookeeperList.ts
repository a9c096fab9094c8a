import { describeError } from '@smartstack/agent';
import {
  type CodecOptions,
  createCodec,
  decodeChild,
  type InstanceCodec,
  isZooKeeperError,
  type OpOptions,
  type SessionPool,
  type ZkPath,
  type ZkSession,
} from '@smartstack/registry';
import { type EnsembleSettings, sessionOptions } from './ensemble.js';
import type { Found } from './reporter.js';

/** Nodes that are asked for at once. */
const share = 64;

/**
 * The instances that are registered at a path, read over the session that the reporters have. No node: none. Rejects
 * when ZooKeeper does not answer; one node that cannot be read or understood is a problem of its own. Nodes whose names are not wanted are left out.
 */
export async function listNodes(
  {
    zkPath,
    zkEncode,
    ...ensemble
  }: EnsembleSettings & { readonly zkPath: ZkPath; readonly zkEncode: CodecOptions },
  sessions: SessionPool,
  options: OpOptions,
  isWanted: (name: string) => boolean = () => true,
): Promise<Found> {
  const lease = sessions.acquire(sessionOptions(ensemble));
  const codec = createCodec(zkEncode);
  try {
    const names = (await childrenOf(lease.session, zkPath, options)).filter(isWanted);
    const found: { instances: Found['instances'][number][]; problems: Found['problems'][number][] } = {
      instances: [],
      problems: [],
    };
    for (let at = 0; at < names.length; at += share) {
      const some = names.slice(at, at + share);
      const read = await Promise.all(
        some.map((name) => readNode(lease.session, `${zkPath}/${name}`, codec, options)),
      );
      for (const one of read) {
        if (one === undefined) continue;
        if ('reason' in one) found.problems.push(one);
        else found.instances.push(one);
      }
    }
    return found;
  } finally {
    await lease.release();
  }
}

async function childrenOf(session: ZkSession, path: ZkPath, options: OpOptions): Promise<readonly string[]> {
  try {
    return (await session.getChildren(path, options)).children;
  } catch (error) {
    if (isZooKeeperError(error, 'NoNode')) return [];
    throw error;
  }
}

/** Undefined when it is gone meanwhile. */
async function readNode(session: ZkSession, path: ZkPath, codec: InstanceCodec, options: OpOptions) {
  let data;
  try {
    ({ data } = await session.getData(path, options));
  } catch (error) {
    if (isZooKeeperError(error, 'NoNode')) return undefined;
    if (isZooKeeperError(error, 'NoAuth')) return { path, reason: describeError(error) };
    throw error;
  }
  try {
    return decodeChild(path.slice(path.lastIndexOf('/') + 1), data, codec);
  } catch (error) {
    return { path, reason: describeError(error) };
  }
}
