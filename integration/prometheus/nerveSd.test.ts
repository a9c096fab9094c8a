import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startAgent } from '../harness/agents.ts';
import { startProcess, type Child } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';

interface Target {
  readonly discoveredLabels: Readonly<Record<string, string>>;
}

describe("Prometheus's nerve_sd_configs, the independent reader of our znodes", () => {
  const folder = makeTempDir('prometheus');
  let zookeeper: ZooKeeperServer;
  let nerve: Child;
  let prometheus: Child;
  let prometheusPort: number;
  let first: Upstream;
  let second: Upstream;

  /** Addresses (`host:port`) that Prometheus discovered, sorted. */
  async function discovered(): Promise<readonly string[]> {
    const answer = await fetch(`http://127.0.0.1:${prometheusPort}/api/v1/targets?state=active`);
    const { data } = (await answer.json()) as { data: { activeTargets: readonly Target[] } };
    return data.activeTargets.map(({ discoveredLabels }) => discoveredLabels.__address__ ?? '').sort();
  }

  const address = ({ port }: Upstream): string => `127.0.0.1:${port}`;

  function expectDiscovered(expected: readonly string[]): Promise<unknown> {
    return eventually(
      async () => JSON.stringify(await discovered()) === JSON.stringify([...expected].sort()),
      {
        what: `Prometheus knows ${expected.join(' and ') || 'nobody'}`,
        timeoutMs: 20_000,
        intervalMs: 50,
      },
    );
  }

  beforeAll(async () => {
    zookeeper = await startZooKeeper();
    first = await startHttpUpstream({ identity: 'first' });
    second = await startHttpUpstream({ identity: 'second' });
    second.behave('fail');
    const definition = ({ port }: Upstream) => ({
      host: '127.0.0.1',
      port,
      zk_hosts: [zookeeper.address],
      zk_path: '/nerve/services/web/services',
      check_interval: 0.1,
      checks: [{ type: 'http', uri: '/health', timeout: 1, rise: 1, fall: 1 }],
    });
    const nerveFile = join(folder, 'nerve.yaml');
    const services = { first: definition(first), second: definition(second) };
    writeFileSync(nerveFile, stringify({ instance_id: 'test-vm', admin: { listen: false }, services }));
    nerve = startAgent('nerve', ['--config', nerveFile]);

    prometheusPort = await freePort();
    const prometheusFile = join(folder, 'prometheus.yml');
    const discovery = {
      servers: [zookeeper.address],
      paths: ['/nerve/services/web/services'],
      timeout: '5s',
    };
    const configuration = {
      global: { scrape_interval: '1m' },
      scrape_configs: [{ job_name: 'web', nerve_sd_configs: [discovery] }],
    };
    writeFileSync(prometheusFile, stringify(configuration));
    await eventually(() => second.received > 0 && first.received > 0, {
      what: 'nerve checks both instances',
      timeoutMs: 20_000,
    });
    prometheus = startProcess('prometheus', [
      `--config.file=${prometheusFile}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${prometheusPort}`,
    ]);
    await eventually(async () => (await fetch(`http://127.0.0.1:${prometheusPort}/-/ready`)).ok, {
      what: 'Prometheus is ready',
      timeoutMs: 20_000,
      intervalMs: 50,
    });
  });
  afterAll(async () => {
    await prometheus.stop();
    await nerve.stop();
    await Promise.all([first.stop(), second.stop(), zookeeper.dispose()]);
  });

  it('discovers the healthy instance and not the other', async () => {
    await expectDiscovered([address(first)]);
  });

  it('follows a flip of both', async () => {
    first.behave('fail');
    second.behave('answer');
    await expectDiscovered([address(second)]);
  });

  it('reads host, port and name from the node as we wrote it', async () => {
    const answer = await fetch(`http://127.0.0.1:${prometheusPort}/api/v1/targets?state=active`);
    const { data } = (await answer.json()) as { data: { activeTargets: readonly Target[] } };
    expect(data.activeTargets[0]?.discoveredLabels).toMatchObject({
      __meta_nerve_endpoint_host: '127.0.0.1',
      __meta_nerve_endpoint_port: String(second.port),
      __meta_nerve_endpoint_name: 'test-vm',
    });
  });

  it('knows nobody after nerve has withdrawn', async () => {
    first.behave('answer');
    await expectDiscovered([address(first), address(second)]);
    await nerve.stop();
    await expectDiscovered([]);
  });
});
