import { readFileSync } from 'node:fs';
import type { ZkPath, ZkSession } from '@smartstack/registry';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { register, registrar, sourceOf, startSynapse, stopAfterEach, zookeeper } from './bed.ts';

let server: ZooKeeperServer;
let nerve: ZkSession;
let run = 0;
/** A service of its own for each test, so that they can share a server. */
let name: string;
let path: ZkPath;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
beforeEach(async () => {
  nerve = await registrar(server.address);
  run += 1;
  name = `web${run}`;
  path = `/s/${name}`;
});
stopAfterEach();

const service = (more?: string) => ({ [name]: zookeeper(server.address, name, more) });

describe('discovery', () => {
  it('follows instances that come, change and go', async () => {
    const synapse = await startSynapse(service());
    await synapse.sees(name, []);
    const first = await register(nerve, path, 'a', { host: '10.0.0.1', port: 80, name: 'a' });
    await synapse.sees(name, ['10.0.0.1:80']);
    await register(nerve, path, 'b', { host: '10.0.0.2', port: 80, name: 'b' });
    await synapse.sees(name, ['10.0.0.1:80', '10.0.0.2:80']);
    await nerve.setData(first, Buffer.from('{"host":"10.0.0.1","port":80,"name":"a","weight":5}'), -1);
    await eventually(() => synapse.generator.view?.services[0]?.instances[0]?.weight === 5, {
      what: 'the new weight',
    });
    await nerve.delete(first, -1);
    await synapse.sees(name, ['10.0.0.2:80']);
    expect(await synapse.metrics()).toContain(`smartstack_discovery_instances{service="${name}"} 1`);
  });

  it('keeps the last instances when all are gone, unless told to drop them', async () => {
    const drops = `${name}drops`;
    const synapse = await startSynapse({
      ...service(),
      [drops]: `${zookeeper(server.address, name)}use_previous_backends: false`,
    });
    const only = await register(nerve, path, 'a', { host: '10.0.0.1', port: 80 });
    await synapse.sees(name, ['10.0.0.1:80']);
    await nerve.delete(only, -1);
    await synapse.sees(drops, []);
    expect(synapse.generator.addresses(name)).toEqual(['10.0.0.1:80']);
    expect(sourceOf(synapse, name)).toBe('previous');
  });

  it('takes generator configuration from the parent, and keeps it while the data are bad', async () => {
    await nerve.mkdirp(path);
    const synapse = await startSynapse({
      [name]: `${zookeeper(server.address, name)}haproxy: {port: 1, listen: [x]}`,
    });
    const haproxy = () => synapse.generator.view?.services[0]?.blocks.haproxy;
    await eventually(() => haproxy() !== undefined, { what: 'a view' });
    await nerve.setData(path, Buffer.from('{"haproxy":{"port":2}}'), -1);
    await eventually(() => (haproxy() as { port: number }).port === 2, { what: 'the port from the znode' });
    await nerve.setData(path, Buffer.from('{"haproxy":'), -1);
    await eventually(() => synapse.log.records.some(({ message }) => message.startsWith('bad generator')), {
      what: 'the complaint',
    });
    expect(haproxy()).toEqual({ port: 2, listen: ['x'] });
  });

  it('reads what the Ruby pair wrote, bad children included', async () => {
    const file = new URL('testdata/znodes.json', import.meta.url);
    const nodes = JSON.parse(readFileSync(file, 'utf8')) as { path: string; data: string }[];
    await nerve.mkdirp(`/ruby${run}`);
    for (const node of nodes.filter((each) => each.path !== '/s'))
      await nerve.create(
        node.path.replace('/s/', `/ruby${run}/`) as ZkPath,
        Buffer.from(node.data),
        'persistent',
      );
    const services = ['bad', 'web', 'redis', 'weighted'].map((each): [string, string] => [
      each,
      `discovery: {method: zookeeper, hosts: ['${server.address}'], path: /ruby${run}/${each}}`,
    ]);
    const synapse = await startSynapse(Object.fromEntries(services));
    const ids = (each: string) =>
      synapse.generator.view?.services
        .find((view) => view.name === each)
        ?.instances.map(({ host, id }) => `${host}#${id ?? ''}`)
        .sort();
    await eventually(() => synapse.generator.view, { what: 'a view' });
    expect(ids('bad')).toEqual(['127.0.5.5#0', '127.0.5.77#3']);
    expect(ids('web')).toEqual(['127.0.5.1#0', '127.0.5.2#1', '127.0.5.9#2']);
    expect(ids('redis')).toEqual(['127.0.5.1#0', '127.0.5.2#1', '127.0.5.3#2']);
    const weighted = synapse.generator.view?.services.find((view) => view.name === 'weighted');
    expect(
      weighted?.instances.map(({ weight, haproxyServerOptions }) => weight ?? haproxyServerOptions).sort(),
    ).toEqual([9, 'id 77']);
    const bad = synapse.log.records.filter(({ message }) => message === 'bad registration');
    expect(bad.map(({ fields }) => fields.path).sort()).toEqual([
      `/ruby${run}/bad/bad_0000000001`,
      `/ruby${run}/bad/nohost_0000000002`,
    ]);
    // A good neighbour that comes later is seen, and the bad ones are not told again.
    await nerve.create(
      `/ruby${run}/bad/new_0000000009`,
      Buffer.from('{"host":"127.0.5.6","port":1}'),
      'persistent',
    );
    await eventually(() => ids('bad')?.includes('127.0.5.6#9'), { what: 'the new neighbour' });
    expect(synapse.log.records.filter(({ message }) => message === 'bad registration')).toHaveLength(2);
    expect(await synapse.metrics()).toContain('smartstack_discovery_undecodable_total{service="bad"} 2');
  });

  it('acts once on a start with many services, and holds off a storm', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `${name}x${index}`);
    for (const each of names) await register(nerve, `/s/${each}`, 'a', { host: '10.0.0.1', port: 80 });
    const synapse = await startSynapse(
      Object.fromEntries(names.map((each) => [each, zookeeper(server.address, each)])),
    );
    await synapse.sees(names[39]!, ['10.0.0.1:80']);
    expect(synapse.generator.views).toHaveLength(1);
    expect(synapse.generator.view?.services).toHaveLength(40);
    const start = performance.now();
    const storm = names.map((each) => register(nerve, `/s/${each}`, 'b', { host: '10.0.0.2', port: 80 }));
    await Promise.all(storm);
    for (const each of names) await synapse.sees(each, ['10.0.0.1:80', '10.0.0.2:80']);
    // 80 changes at least; it waits 20 ms for quiet, and however long they keep coming it acts no more often.
    const elapsed = performance.now() - start;
    expect(synapse.generator.views.length).toBeLessThan(Math.max(20, elapsed / 20));
    const before = synapse.generator.views.length;
    await holds(() => synapse.generator.views.length === before, {
      what: 'quiet after the storm',
      forMs: 300,
    });
  });
});

describe('a slow service', () => {
  const nowhere =
    "discovery: {method: zookeeper, hosts: ['127.0.0.1:1'], path: /s}\ndefault_servers: [{host: 10.9.9.9, port: 9}]";

  it('holds the first pass back until the deadline, and no longer', async () => {
    await register(nerve, path, 'a', { host: '10.0.0.1', port: 80 });
    const synapse = await startSynapse({ ...service(), slow: nowhere }, { startupDeadlineMs: 700 });
    await holds(() => synapse.generator.views.length === 0, { what: 'no pass yet', forMs: 400 });
    expect(synapse.synapse.ready()).toMatchObject({ ok: false, behind: [{ waitingFor: ['slow'] }] });
    await synapse.sees(name, ['10.0.0.1:80']);
    expect(sourceOf(synapse, 'slow')).toBe('pending');
    expect(synapse.generator.addresses('slow')).toEqual(['10.9.9.9:9']);
    expect(synapse.synapse.ready().ok).toBe(true);
  });

  it('that is added later holds nobody back', async () => {
    const synapse = await startSynapse(service(), { startupDeadlineMs: 1_500 });
    await synapse.sees(name, []);
    synapse.service('slow', nowhere);
    await synapse.synapse.reload();
    await register(nerve, path, 'a', { host: '10.0.0.1', port: 80 });
    await synapse.sees(name, ['10.0.0.1:80']);
    expect(synapse.generator.addresses('slow')).toBeUndefined();
    await synapse.sees('slow', ['10.9.9.9:9']);
  });
});
