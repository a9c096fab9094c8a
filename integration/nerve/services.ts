import type { ZkPath } from '@smartstack/registry';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';

/**
 * One ZooKeeper for all tests of a file.
 *
 * @param config - further lines of its configuration. By default sessions of agents that are killed do not last for the
 * 32 s that nerve asks for, but 2 s; an agent that a busy machine keeps from running for so long loses its own.
 */
export function zooKeeperForAll(
  config: readonly string[] = ['maxSessionTimeout=2000'],
): Pick<ZooKeeperServer, 'address' | 'fourLetterWord'> {
  let server: ZooKeeperServer | undefined;
  beforeAll(async () => {
    server = await startZooKeeper({ config });
  });
  afterAll(() => server?.dispose());
  const running = (): ZooKeeperServer => {
    if (!server) throw new Error('ZooKeeper is not up yet');
    return server;
  };
  return {
    get address() {
      return running().address;
    },
    fourLetterWord: (word) => running().fourLetterWord(word),
  };
}

let count = 0;

/** A path that no other test of the file uses. */
export function freshPath(): ZkPath {
  return `/test-${(count += 1)}/services`;
}

/** A service's definition, without checks unless given: always up. */
export function serviceAt(zookeeper: string, path: ZkPath, extra: object = {}): object {
  return {
    host: '10.0.0.5',
    port: 8080,
    zk_hosts: [zookeeper],
    zk_path: path,
    check_interval: 0.1,
    ...extra,
  };
}

/** A small web server on the loopback; closed when the test ends. */
export async function app(): Promise<Server & { readonly port: number }> {
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

/** Keys that check a port of the loopback; `extra` goes to the check. */
export function tcp(port: number, extra: object = {}): object {
  return { checks: [{ type: 'tcp', host: '127.0.0.1', port, timeout: 1, ...extra }] };
}
