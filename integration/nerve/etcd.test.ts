import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeAuthority } from '../harness/certificates.ts';
import { base64, type EtcdKey, type EtcdServer, prepareEtcd, startEtcd } from '../harness/etcd.ts';
import { eventually, holds } from '../harness/eventually.ts';
import { startFaultProxy } from '../harness/faultProxy.ts';
import { freePort, listenAnywhere } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { ready, startNerve } from './bed.ts';
import { app, tcp } from './services.ts';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.dispose());

let count = 0;
const freshPath = (): string => `/test-${(count += 1)}/services`;

function service(path: string, extra: object = {}, address = etcd.address): object {
  return {
    host: '10.0.0.5',
    port: 8080,
    check_interval: 0.1,
    reporter_type: 'etcd',
    etcd_hosts: [address],
    etcd_path: path,
    etcd_ttl: 2,
    ...extra,
  };
}

/** Waits until there are so many keys below a path. */
async function keysOf(path: string, wanted: number, server = etcd): Promise<readonly EtcdKey[]> {
  return await eventually(
    async () => {
      const found = await server.keys(`${path}/`);
      return found.length === wanted ? found : undefined;
    },
    { what: `${path} has ${wanted} keys`, timeoutMs: 15_000, intervalMs: 10 },
  );
}

describe('reporter_type: etcd', () => {
  it('registers under the names and with the data of the Ruby nerve, and withdraws on stop', async () => {
    const path = freshPath();
    const [host, port] = etcd.address.split(':');
    const where = { etcd_hosts: undefined, etcd_host: host, etcd_port: Number(port), etcd_path: `${path}/` };
    const services = { web: service(path, { ...where, weight: 3 }), twin: service(path, { port: 8081 }) };
    const nerve = await startNerve({ main: { services } });
    await ready(nerve);
    const keys = await keysOf(path, 2);
    for (const { key } of keys) expect(key).toMatch(new RegExp(`^${path}/i-0abc/\\d{20}$`));
    expect(keys.map(({ value }) => value).toSorted()).toEqual([
      '{"host":"10.0.0.5","port":8080,"name":"i-0abc","weight":3}',
      '{"host":"10.0.0.5","port":8081,"name":"i-0abc"}',
    ]);
    // Both hang on one lease, the Ruby nerve's time to live or not.
    expect(new Set(keys.map(({ lease }) => lease))).not.toContain('0');
    await nerve.stop('SIGTERM');
    expect(await nerve.exited).toBe(0);
    expect(await etcd.keys(`${path}/`)).toEqual([]);
  });

  it('follows the health of the app and a change of its definition, in place', async () => {
    const path = freshPath();
    const server = await app();
    const { port } = server;
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/web.json': service(path, tcp(port)) },
    });
    await ready(nerve);
    const [before] = await keysOf(path, 1);
    nerve.write('d/web.json', service(path, { ...tcp(port), weight: 7 }));
    await eventually(async () => (await etcd.keys(`${path}/`))[0]?.value.includes('"weight":7'), {
      what: 'the weight is published',
    });
    expect((await keysOf(path, 1))[0]?.key).toBe(before?.key);
    server.close();
    server.closeAllConnections();
    await keysOf(path, 0);
    server.listen(port, '127.0.0.1');
    await keysOf(path, 1);
  });

  it('puts a key back that someone deletes or overwrites, and deletes what it did not want', async () => {
    const [path, other] = [freshPath(), freshPath()];
    const services = { web: service(path), api: service(other) };
    const nerve = await startNerve({ main: { services } });
    await ready(nerve);
    const [[web], [api]] = [await keysOf(path, 1), await keysOf(other, 1)];
    if (!web || !api) throw new Error('no keys');
    await etcd.ask('/v3/kv/deleterange', { key: base64(web.key) });
    // An operator's put takes the key off its lease.
    await etcd.ask('/v3/kv/put', { key: base64(api.key), value: base64('garbage') });
    // As a request does that was held up and comes too late.
    await etcd.ask('/v3/kv/put', { key: base64(`${path}/stray`), value: base64('late'), lease: web.lease });
    await eventually(
      async () => {
        expect(await etcd.keys(`${path}/`)).toEqual([web]);
        expect(await etcd.keys(`${other}/`)).toEqual([api]);
        return true;
      },
      { what: 'all is as it was', timeoutMs: 10_000, intervalMs: 20 },
    );
  });

  it('has exactly one key after its lease was revoked, and after etcd came back with empty data', async () => {
    const own = await startEtcd();
    onTestFinished(() => own.dispose());
    const nerve = await startNerve({ main: { services: { web: service('/own', {}, own.address) } } });
    await ready(nerve);
    const [first] = await keysOf('/own', 1, own);
    await own.ask('/v3/lease/revoke', { ID: first?.lease });
    await eventually(
      async () => {
        const [key] = await own.keys('/own/');
        return key !== undefined && key.lease !== first?.lease;
      },
      { what: 'it hangs on another lease', timeoutMs: 10_000 },
    );
    await own.kill();
    own.wipe();
    await eventually(async () => (await nerve.get('/readyz')).body.includes('etcd'), {
      what: 'the loss shows',
      timeoutMs: 10_000,
    });
    await own.start();
    await keysOf('/own', 1, own);
    await ready(nerve);
    await holds(async () => (await own.keys('/own/')).length === 1, { what: 'one key', forMs: 500 });
  });

  it('starts before etcd, and never withdraws because of a lost connection', async () => {
    const proxy = await startFaultProxy(Number(etcd.address.split(':')[1]));
    onTestFinished(() => proxy.close());
    const path = freshPath();
    const port = await freePort();
    const late = await prepareEtcd();
    onTestFinished(() => late.dispose());
    const nerve = await startNerve({
      main: {
        services: {
          web: service(path, { etcd_ttl: 30 }, `127.0.0.1:${proxy.port}`),
          late: service('/late', { etcd_hosts: [`127.0.0.1:${port}`, late.address] }),
        },
      },
    });
    const [before] = await keysOf(path, 1);
    proxy.refuse();
    proxy.cut();
    await late.start();
    await keysOf('/late', 1, late);
    await holds(async () => (await etcd.keys(`${path}/`))[0]?.key === before?.key, {
      what: 'the key stays',
      forMs: 500,
    });
    proxy.heal();
    await ready(nerve);
    expect(await keysOf(path, 1)).toEqual([before]);
  });

  it('keeps its lease while more keys than it can put at once wait for an etcd that is far away', async () => {
    const proxy = await startFaultProxy(Number(etcd.address.split(':')[1]));
    onTestFinished(() => proxy.close());
    proxy.delay(125);
    const path = freshPath();
    const names = Array.from({ length: 80 }, (_, index) => `s${index}`);
    const services = names.map((name) => [name, service(path, {}, proxy.address)]);
    const nerve = await startNerve({ main: { services: Object.fromEntries(services) as object } });
    // That takes longer than the time to live, and much longer than the time-out of a request.
    const keys = await keysOf(path, names.length);
    expect(new Set(keys.map(({ lease }) => lease)).size).toBe(1);
    await ready(nerve);
    expect(nerve.output).not.toMatch(/lease lost|cannot be reached|does not take/);
    expect((await nerve.get('/metrics')).body).toMatch(/^smartstack_etcd_leases_total\S* 1$/m);
  });

  it('leaves a key for the time to live only when it is killed, and has one after a new start', async () => {
    const path = freshPath();
    const main = { services: { web: service(path) } };
    const first = await startNerve({ main });
    const [old] = await keysOf(path, 1);
    await first.stop('SIGKILL');
    await startNerve({ main });
    await eventually(
      async () => {
        const found = await etcd.keys(`${path}/`);
        return found.length === 1 && found[0]?.lease !== old?.lease;
      },
      { what: 'only the new key is there', timeoutMs: 10_000 },
    );
  });

  it('goes to another member when one hangs, and speaks TLS with a certificate of its own', async () => {
    const folder = makeTempDir('etcd-tls');
    onTestFinished(() => removeTempDir(folder));
    const authority = makeAuthority(folder, 'ca');
    const [server, client] = [authority.issue('etcd'), authority.issue('nerve')];
    const tls = { certFile: server.certFile, keyFile: server.keyFile, caFile: authority.caFile };
    const secure = await startEtcd({ tls });
    onTestFinished(() => secure.dispose());
    const hanging = createServer();
    onTestFinished(() => void hanging.close());
    const port = await listenAnywhere(hanging);
    const keys = {
      etcd_hosts: [`127.0.0.1:${port}`, secure.address],
      etcd_tls: { ca_file: authority.caFile, cert_file: client.certFile, key_file: client.keyFile },
    };
    const nerve = await startNerve({ main: { services: { web: service('/tls', keys) } } });
    await ready(nerve);
    const place = (await nerve.status()).services[0]?.registration.place;
    expect(place).toMatch(/^\/tls\/i-0abc\/\d{20}$/);
  });

  it('is who it is told to be, also when etcd forgot its token', async () => {
    const own = await startEtcd();
    onTestFinished(() => own.dispose());
    await own.ask('/v3/auth/user/add', { name: 'root', password: 'secret' });
    await own.ask('/v3/auth/role/add', { name: 'root' });
    await own.ask('/v3/auth/user/grant', { user: 'root', role: 'root' });
    await own.ask('/v3/auth/enable', {});
    const folder = makeTempDir('etcd-auth');
    onTestFinished(() => removeTempDir(folder));
    const file = join(folder, 'password');
    writeFileSync(file, 'wrong\n');
    const who = { etcd_username: 'root', etcd_password_file: file };
    const nerve = await startNerve({ main: { services: { web: service('/auth', who, own.address) } } });
    await eventually(async () => (await nerve.get('/status')).body.includes('authentication failed'), {
      what: 'it is refused',
    });
    expect((await nerve.get('/status')).body).not.toContain('wrong');
    writeFileSync(file, 'secret\n');
    await ready(nerve);
    await own.kill();
    await own.start();
    await ready(nerve);
    const { token } = (await own.ask('/v3/auth/authenticate', { name: 'root', password: 'secret' })) as {
      token: string;
    };
    const range = { key: base64('/auth/'), range_end: base64('/auth0') };
    await eventually(async () => (await own.ask('/v3/kv/range', range, token)).count === '1', {
      what: 'its key is there',
      timeoutMs: 10_000,
    });
  });
});
