import { toJson } from '@smartstack/agent';
import type { ZkPath, ZkSession } from '@smartstack/registry';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { register, registrar, sourceOf, startSynapse, stopAfterEach, zookeeper } from './bed.ts';

let server: ZooKeeperServer;
let nerve: ZkSession;
let run = 0;
let [a, b] = ['', ''];
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
beforeEach(async () => {
  nerve = await registrar(server.address);
  run += 1;
  [a, b] = [`a${run}`, `b${run}`];
  await register(nerve, `/s/${a}`, 'i', { host: '10.0.0.1', port: 80 });
  await register(nerve, `/s/${b}`, 'i', { host: '10.0.0.2', port: 80 });
});
stopAfterEach();

const file = (name: string, more = '') => `${zookeeper(server.address, name)}${more}`;
/** Connections that the server has: a session that was opened anew would be one more. */
const sessions = async () =>
  (await server.fourLetterWord('cons')).split('\n').filter((line) => line.includes('sid=')).length;

it('files that change are noticed, without a HUP (trap 23); what they do not change goes on', async () => {
  const synapse = await startSynapse({ [a]: file(a) });
  await synapse.sees(a, ['10.0.0.1:80']);
  const before = await sessions();

  synapse.service(b, file(b));
  await synapse.sees(b, ['10.0.0.2:80']);
  synapse.service(b, file(b, 'backend_port_override: 99'));
  await synapse.sees(b, ['10.0.0.2:99']);
  // Another path: until its first reading the old instances stay.
  const views = synapse.generator.views.length;
  synapse.service(b, file(a));
  await synapse.sees(b, ['10.0.0.1:80']);
  const seen = synapse.generator.views
    .slice(views)
    .map(({ services }) => services.find(({ name }) => name === b));
  expect(seen.every((view) => view?.instances.length === 1)).toBe(true);
  synapse.service(b, undefined);
  await eventually(() => synapse.generator.addresses(b) === undefined, {
    what: `${b} is gone`,
    timeoutMs: 10_000,
  });

  expect(synapse.generator.views.every(({ services }) => services[0]?.source === 'live')).toBe(true);
  expect(await sessions()).toBe(before);
});

it("a generator's block is handed over when it changed and is right", async () => {
  const synapse = await startSynapse({ [a]: file(a) });
  await synapse.sees(a, ['10.0.0.1:80']);
  synapse.main('haproxy: {bind_address: 127.0.0.9}');
  await eventually(() => synapse.generator.blocks.length === 1, { what: 'the new block', timeoutMs: 10_000 });
  expect(synapse.generator.blocks).toEqual([{ bind_address: '127.0.0.9' }]);
  synapse.main('haproxy: {bind_address: 127.0.0.10}\nnonsense: 1');
  await eventually(() => toJson(synapse.synapse.status()).includes('nonsense'), {
    what: 'the complaint',
    timeoutMs: 10_000,
  });
  expect(synapse.generator.blocks).toHaveLength(1);
  expect(synapse.generator.addresses(a)).toEqual(['10.0.0.1:80']);
  expect(await synapse.metrics()).toContain('smartstack_config_valid 0');
});

it('a storm of changes to the files ends with what they say last', async () => {
  const synapse = await startSynapse({ [a]: file(a) });
  await synapse.sees(a, ['10.0.0.1:80']);
  for (let port = 1; port <= 60; port += 1) {
    synapse.service(a, port % 7 === 0 ? 'torn: [' : file(a, `backend_port_override: ${port}`));
    if (port % 10 === 0) await synapse.synapse.reload();
  }
  synapse.service(a, file(a, 'backend_port_override: 4242'));
  await synapse.sees(a, ['10.0.0.1:4242']);
  await holds(() => synapse.generator.addresses(a)?.[0] === '10.0.0.1:4242', {
    what: 'the last word',
    forMs: 500,
  });
});

it('znodes that not everybody may read need credentials, and cost nobody else anything', async () => {
  const secret: ZkPath = `/s/${a}/secret_0000000077`;
  const owner = await registrar(server.address, [{ scheme: 'digest', data: Buffer.from('synapse:pass') }]);
  const acl = [{ permissions: 'cdrwa', scheme: 'auth', id: '' }];
  await owner.create(secret, Buffer.from('{"host":"10.0.0.7","port":80}'), 'persistent', { acl });
  const without = await startSynapse({ [a]: file(a) });
  await without.sees(a, ['10.0.0.1:80']);
  expect(sourceOf(without, a)).toBe('live');
  const bad = without.log.records.find(({ message }) => message === 'bad registration');
  expect(bad?.fields).toMatchObject({ path: secret });
  const auth = [{ scheme: 'digest', data: 'synapse:pass' }];
  const allowed = await startSynapse({ [a]: file(a) }, { zookeeper: { sessionTimeoutMs: 2_000, auth } });
  await allowed.sees(a, ['10.0.0.1:80', '10.0.0.7:80']);
});
