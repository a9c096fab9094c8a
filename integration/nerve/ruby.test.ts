import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { observe, ready, startNerve, tree } from './bed.ts';

interface RubyNode {
  readonly path: string;
  readonly data: string;
  readonly ephemeral: boolean;
  readonly version: number;
}

interface Recording {
  readonly config: { readonly services: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
  readonly znodes_while_up: readonly RubyNode[];
  readonly znodes_after_sigterm: readonly RubyNode[];
}

/** What airbnb's nerve wrote for this configuration, while it ran and after SIGTERM. */
const recording = JSON.parse(
  readFileSync(new URL('testdata/ruby-znodes.json', import.meta.url), 'utf8'),
) as Recording;
/** Addresses of the recording: they are published, so they must stay; only the checks go elsewhere. */
const publishedPort = 21_080;

let zookeeper: ZooKeeperServer;
beforeAll(async () => {
  zookeeper = await startZooKeeper();
});
afterAll(() => zookeeper.dispose());

const plain = (nodes: readonly { path: string; data: string; ephemeral: boolean }[]) =>
  nodes.map(({ path, data, ephemeral }) => ({ path, data, ephemeral }));

it("writes and withdraws airbnb's znodes byte for byte", async () => {
  const app = createServer((_, response) => response.end('ok'));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const { port } = app.address() as AddressInfo;
  const redirect = (service: Readonly<Record<string, unknown>>) => ({
    ...service,
    zk_hosts: [zookeeper.address],
    ...(Array.isArray(service.checks) && service.port === publishedPort
      ? { checks: service.checks.map((check: object) => ({ ...check, host: '127.0.0.1', port })) }
      : {}),
  });
  const services = Object.fromEntries(
    Object.entries(recording.config.services).map(([name, service]) => [name, redirect(service)]),
  );
  const nerve = await startNerve({ main: { ...recording.config, heartbeat_path: undefined, services } });
  const session = observe(zookeeper.address);
  await ready(nerve);
  const now = async () =>
    (await tree(session, '/g')).map(({ path, data, stat }) => ({
      path,
      data,
      ephemeral: stat.ephemeralOwner !== 0n,
      version: stat.version,
    }));
  const up = await now();
  expect(plain(up)).toEqual(plain(recording.znodes_while_up));
  // Nothing is written twice, unless ttl_seconds asks for it.
  expect(up.filter(({ version, path }) => version !== 0 && !path.includes('persistent_seq'))).toEqual([]);
  await eventually(
    async () => ((await now()).find(({ path }) => path.includes('persistent_seq/'))?.version ?? 0) >= 2,
    { what: 'the node with ttl_seconds is renewed, and renewed again', timeoutMs: 10_000 },
  );
  await nerve.stop('SIGTERM');
  expect(await nerve.exited).toBe(0);
  expect(nerve.output).toContain('exiting nerve\n');
  expect(plain(await now())).toEqual(plain(recording.znodes_after_sigterm));
  app.close();
});
