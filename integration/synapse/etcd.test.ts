import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeAuthority } from '../harness/certificates.ts';
import { base64, type EtcdServer, startEtcd, startEtcdCluster } from '../harness/etcd.ts';
import { eventually } from '../harness/eventually.ts';
import { startFaultProxy } from '../harness/faultProxy.ts';
import { listenAnywhere } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { ready, startNerve } from '../nerve/bed.ts';
import { sourceOf, startSynapse, stopAfterEach, type TestSynapse } from './bed.ts';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.dispose());
stopAfterEach();

const discovery = (hosts: readonly string[], path: string, more: object = {}): string =>
  `${JSON.stringify({ discovery: { method: 'etcd', hosts, path, ...more }, use_previous_backends: false })}\n`;
const put = (key: string, value: string, server = etcd) =>
  server.ask('/v3/kv/put', { key: base64(key), value: base64(value) });
const remove = (key: string) => etcd.ask('/v3/kv/deleterange', { key: base64(key) });
const plain = (host: string, port = 80): string => JSON.stringify({ host, port });
const turns = (synapse: TestSynapse, source: string, timeoutMs = 15_000): Promise<unknown> =>
  eventually(() => sourceOf(synapse, 'web') === source, { what: `it is ${source}`, timeoutMs });

describe('method: etcd against a real etcd', () => {
  it('follows what nerve registers, and what anyone else puts there', async () => {
    const synapse = await startSynapse({ web: discovery([etcd.address], '/s/web') });
    await synapse.sees('web', []);
    const service = { host: '10.0.0.5', port: 8080, weight: 7, check_interval: 0.1 };
    const web = { ...service, reporter_type: 'etcd', etcd_hosts: [etcd.address], etcd_path: '/s/web' };
    const nerve = await startNerve({ main: { services: { web } } });
    await ready(nerve);
    await synapse.sees('web', ['10.0.0.5:8080']);
    const [instance] = synapse.generator.view?.services[0]?.instances ?? [];
    expect(instance).toEqual({
      ...{ host: '10.0.0.5', port: 8080, name: 'i-0abc', weight: 7 },
      id: instance?.id,
    });
    expect(instance?.id).toBeGreaterThan(0);
    await put('/s/web/b', plain('10.0.0.6'));
    await put('/s/web/bad', 'garbage');
    // Another service, and one whose path is longer.
    await put('/s/web2/c', plain('10.0.0.7'));
    await put('/s/web/admin/i/00000000000000000001', plain('10.0.0.8'));
    await synapse.sees('web', ['10.0.0.5:8080', '10.0.0.6:80']);
    await eventually(async () => (await synapse.metrics()).includes('undecodable_total{service="web"} 1'), {
      what: 'the bad one is counted',
    });
    // A good one that turns bad stays.
    await put('/s/web/b', '{');
    await remove('/s/web/bad');
    await eventually(() => synapse.synapse.instances()[0]?.problems[0]?.path === '/s/web/b', {
      what: 'it is told',
    });
    expect(synapse.generator.addresses('web')).toHaveLength(2);
    await put('/s/web/b', plain('10.0.0.6', 81));
    await synapse.sees('web', ['10.0.0.5:8080', '10.0.0.6:81']);
    await nerve.stop('SIGTERM');
    await synapse.sees('web', ['10.0.0.6:81']);
    await remove('/s/web/b');
    await synapse.sees('web', []);
  });

  it('is stale while etcd is away, catches up when it is back, and outlives compaction and empty data', async () => {
    const own = await startEtcd();
    onTestFinished(() => own.dispose());
    const proxy = await startFaultProxy(Number(own.address.split(':')[1]));
    onTestFinished(() => proxy.close());
    await put('/s/web/a', plain('10.0.0.1'), own);
    const synapse = await startSynapse({ web: discovery([`127.0.0.1:${proxy.port}`], '/s/web') });
    await synapse.sees('web', ['10.0.0.1:80']);
    proxy.refuse();
    proxy.cut();
    await turns(synapse, 'stale');
    const { header } = (await put('/s/web/b', plain('10.0.0.2'), own)) as { header: { revision: string } };
    await own.ask('/v3/kv/compaction', { revision: header.revision, physical: true });
    expect(synapse.generator.addresses('web')).toEqual(['10.0.0.1:80']);
    proxy.heal();
    await synapse.sees('web', ['10.0.0.1:80', '10.0.0.2:80']);
    expect(sourceOf(synapse, 'web')).toBe('live');
    await own.kill();
    await turns(synapse, 'stale');
    own.wipe();
    await own.start();
    await synapse.sees('web', []);
    await put('/s/web/c', plain('10.0.0.3'), own);
    await synapse.sees('web', ['10.0.0.3:80']);
  });

  it('notices a connection that is silent for ever', async () => {
    const proxy = await startFaultProxy(Number(etcd.address.split(':')[1]));
    onTestFinished(() => proxy.close());
    await put('/silent/a', plain('10.0.0.1'));
    const synapse = await startSynapse({ web: discovery([`127.0.0.1:${proxy.port}`], '/silent') });
    await synapse.sees('web', ['10.0.0.1:80']);
    proxy.blackhole();
    await put('/silent/b', plain('10.0.0.2'));
    await turns(synapse, 'stale');
    proxy.heal();
    await synapse.sees('web', ['10.0.0.1:80', '10.0.0.2:80']);
  });

  it('is stale when its member has lost the others, and goes on when there is a leader again', async () => {
    const [first, second] = await startEtcdCluster(2);
    onTestFinished(() => Promise.all([first!.dispose(), second!.dispose()]).then(() => undefined));
    await put('/s/web/a', plain('10.0.0.1'), first);
    const synapse = await startSynapse({ web: discovery([first!.address], '/s/web') });
    await synapse.sees('web', ['10.0.0.1:80']);
    // The member that is watched lives, keeps its connections, and would say nothing for ever.
    await second!.kill();
    // Elections, and the member's own patience, come first.
    await turns(synapse, 'stale', 30_000);
    expect(synapse.generator.addresses('web')).toEqual(['10.0.0.1:80']);
    await second!.start();
    await put('/s/web/b', plain('10.0.0.2'), second);
    await synapse.sees('web', ['10.0.0.1:80', '10.0.0.2:80']);
    expect(sourceOf(synapse, 'web')).toBe('live');
  });

  it('goes to another member when one hangs, speaks TLS, and is who it is told to be', async () => {
    const folder = makeTempDir('etcd-tls');
    onTestFinished(() => removeTempDir(folder));
    const authority = makeAuthority(folder, 'ca');
    const [server, client] = [authority.issue('etcd'), authority.issue('synapse')];
    const tls = { certFile: server.certFile, keyFile: server.keyFile, caFile: authority.caFile };
    const secure = await startEtcd({ tls });
    onTestFinished(() => secure.dispose());
    const own = await startEtcd();
    onTestFinished(() => own.dispose());
    await put('/s/web/a', plain('10.0.0.1'), own);
    await own.ask('/v3/auth/user/add', { name: 'root', password: 'secret' });
    await own.ask('/v3/auth/role/add', { name: 'root' });
    await own.ask('/v3/auth/user/grant', { user: 'root', role: 'root' });
    await own.ask('/v3/auth/enable', {});
    const hanging = createServer();
    onTestFinished(() => void hanging.close());
    const hangs = `127.0.0.1:${await listenAnywhere(hanging)}`;
    const file = join(folder, 'password');
    writeFileSync(file, 'wrong\n');
    const files = { ca_file: authority.caFile, cert_file: client.certFile, key_file: client.keyFile };
    const services = {
      web: discovery([own.address], '/s/web', { username: 'root', password_file: file }),
      tls: discovery([hangs, secure.address], '/s/tls', { tls: files }),
    };
    const synapse = await startSynapse(services, { startupDeadlineMs: 500 });
    await synapse.sees('tls', []);
    await eventually(() => synapse.log.records.some(({ fields }) => String(fields.reason).includes('auth')), {
      what: 'it is refused',
    });
    expect(sourceOf(synapse, 'web')).toBe('pending');
    writeFileSync(file, 'secret\n');
    await synapse.sees('web', ['10.0.0.1:80']);
  });
});
