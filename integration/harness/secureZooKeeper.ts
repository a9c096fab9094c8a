import type { Authority } from './certificates.ts';
import { freePort } from './ports.ts';
import { startZooKeeper, type ZooKeeperServer } from './zookeeper.ts';

/** A ZooKeeper that also serves TLS, on a port of its own. */
export interface SecureZooKeeper extends ZooKeeperServer {
  /** `127.0.0.1:port` of the TLS port. */
  readonly secureAddress: string;
}

/** Starts a server whose secureClientPort asks for a client certificate of the same authority, or not. */
export async function startSecureZooKeeper(
  authority: Authority,
  clientAuth: 'need' | 'none',
): Promise<SecureZooKeeper> {
  const securePort = await freePort();
  const server = await startZooKeeper({
    config: [
      `secureClientPort=${securePort}`,
      'secureClientPortAddress=127.0.0.1',
      'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
      `ssl.keyStore.location=${authority.issue('zookeeper').bothFile}`,
      'ssl.keyStore.type=PEM',
      `ssl.trustStore.location=${authority.caFile}`,
      'ssl.trustStore.type=PEM',
      `ssl.clientAuth=${clientAuth}`,
    ],
    // The manifest of Debian's zookeeper.jar forgets them; they come with libnetty-java, which it depends on.
    jars: ['codec', 'resolver'].map((part) => `/usr/share/java/netty-${part}.jar`),
  });
  return Object.assign(server, { secureAddress: `127.0.0.1:${securePort}` });
}
