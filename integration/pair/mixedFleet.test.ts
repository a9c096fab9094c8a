// One fleet, many registrars: what Airbnb's nerve, BlaBlaCar's go-nerve and Finagle write, beside ours.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ZkSession } from '@smartstack/registry';
import { beforeEach, it } from 'vitest';
import { stringify } from 'yaml';
import { cleanUpAfterEach, onCleanUp, prepareVm, registrar, upstream, type Vm } from '../discovery/bed.ts';
import { startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import type { Upstream } from '../harness/upstream.ts';
import { type Host, inStep, newZooKeeper, startHost, userFile } from './bed.ts';

cleanUpAfterEach();

let address: string;
let session: ZkSession;
let host: Host;
let vm: Vm;

/** Registers as an ephemeral node with exactly this name, sequence number and all, and this data. */
async function write(service: string, name: string, data: object): Promise<void> {
  await session.mkdirp(`/s/${service}`);
  await session.create(`/s/${service}/${name}`, Buffer.from(JSON.stringify(data)), 'ephemeral');
}

/** As Airbnb's nerve 0.9.7 writes it, with `use_path_encoding` or without. */
async function ruby({ identity: name, port }: Upstream, encoded: boolean): Promise<void> {
  const data = { host: '127.0.0.1', port, name, weight: 7, labels: { az: 'a' } };
  const text = Buffer.from(JSON.stringify(data)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  await write('web', encoded ? `base64_${text.length}_${text}_0000000031` : `${name}_0000000030`, data);
}

const guid = '9d2f0b7c1e4a4d0f8b6a5c3e2f1d0a9b';

/** As BlaBlaCar's go-nerve writes it, in the order of its fields. */
async function go({ identity: name, port }: Upstream, node: string, available = true): Promise<void> {
  const reason = available ? {} : { unavailable_reason: 'disabled' };
  await write('web', node, { available, ...reason, host: '127.0.0.1', port, name, weight: 255 });
}

/** As Finagle writes it; its main endpoint speaks another protocol, and `http` is ours. */
async function finagle({ port }: Upstream, member: number): Promise<void> {
  const endpoint = { host: '127.0.0.1', port };
  await write('set', `member_${String(member).padStart(10, '0')}`, {
    serviceEndpoint: { host: '127.0.0.1', port: member + 1 },
    additionalEndpoints: { http: endpoint },
    status: 'ALIVE',
    shard: member,
  });
}

beforeEach(async () => {
  const server = await newZooKeeper();
  await server.start();
  ({ address } = server);
  session = await registrar(address);
  host = await startHost(address, 'ours-vm');
  vm = await prepareVm(address, ['web', 'set']);
  vm.service('web', userFile(address, 'web', vm.ports.web!));
  const set = userFile(address, 'set', vm.ports.set!);
  vm.service(
    'set',
    set.replace('path: /s/set', 'path: /s/set, decode: {method: serverset, endpoint_name: http}'),
  );
});

/** Starts a Prometheus that reads both paths; returns the addresses that it knows by job, sorted. */
async function startPrometheus(): Promise<(job: string) => Promise<readonly string[]>> {
  const folder = makeTempDir('prometheus');
  onCleanUp(() => removeTempDir(folder));
  const port = await freePort();
  const file = join(folder, 'prometheus.yml');
  const discovery = (path: string) => [{ servers: [address], paths: [path], timeout: '5s' }];
  const jobs = [
    { job_name: 'nerve', nerve_sd_configs: discovery('/s/web') },
    { job_name: 'serverset', serverset_sd_configs: discovery('/s/set') },
  ];
  writeFileSync(file, stringify({ global: { scrape_interval: '1m' }, scrape_configs: jobs }));
  const prometheus = startProcess('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  onCleanUp(() => prometheus.stop().then(() => undefined));
  return async (job) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/targets?state=active`);
    const { data } = (await answer.json()) as {
      data: { activeTargets: readonly { discoveredLabels: Readonly<Record<string, string>> }[] };
    };
    const labels = data.activeTargets.map(({ discoveredLabels }) => discoveredLabels);
    return labels
      .filter((each) => each.job === job)
      .map((each) => each.__address__ ?? '')
      .sort();
  };
}

it('synapse serves the instances of every registrar (trap 29), and Prometheus reads ours among them', async () => {
  const plain = await upstream('ruby');
  const encoded = await upstream('ruby-encoded');
  const goes = await upstream('go');
  const goesToo = await upstream('go-older');
  const goesNot = await upstream('go-unavailable');
  const [member, other] = [await upstream('finagle-0'), await upstream('finagle-1')];
  await ruby(plain, false);
  await ruby(encoded, true);
  await go(goes, `_c_${guid}-go_127.0.0.1_0000000032`);
  await go(goesToo, `go-older_127.0.0.1_c_${guid}0000000033`);
  await go(goesNot, `_c_${guid.replace('9', 'a')}-go-unavailable_127.0.0.1_0000000034`, false);
  await finagle(member, 0);
  await finagle(other, 1);
  const prometheus = await startPrometheus();
  const knows = async (job: string, ports: readonly number[]): Promise<void> => {
    const expected = ports.map((port) => `127.0.0.1:${port}`).sort();
    await eventually(async () => (await prometheus(job)).join() === expected.join(), {
      what: `Prometheus knows ${expected.join(', ')}`,
      timeoutMs: 20_000,
    });
  };
  await host.offer('web', 'ours');
  await host.offer('set', 'ours-set', { zk_encode: { method: 'serverset', endpoint_name: 'http' } });
  await inStep(host);
  await vm.start();
  await vm.serves('web', ['ruby', 'ruby-encoded', 'go', 'go-older', 'ours']);
  await vm.serves('set', ['finagle-0', 'finagle-1', 'ours-set']);

  const portOf = async (service: string, name?: string): Promise<number> => {
    const { body } = await vm.admin(`/v1/instances/${service}`);
    const { instances } = JSON.parse(body) as { instances: readonly { name?: string; port: number }[] };
    return instances.find((each) => each.name === name)?.port ?? 0;
  };
  const web = [plain, encoded, goes, goesToo, goesNot].map(({ port }) => port);
  await knows('nerve', [...web, await portOf('web', 'ours-vm')]);
  // Prometheus scrapes the main endpoint: Finagle's is another one there, ours is the service, which has no name.
  await knows('serverset', [1, 2, await portOf('set')]);

  // What each of them takes back is out, whoever wrote it; ours goes with nerve.
  await session.delete('/s/web/ruby_0000000030', -1);
  await session.delete('/s/set/member_0000000001', -1);
  await vm.serves('web', ['ruby-encoded', 'go', 'go-older', 'ours']);
  await vm.serves('set', ['finagle-0', 'ours-set']);
  host.withdraw('set', 'ours-set');
  await vm.serves('set', ['finagle-0']);
});
