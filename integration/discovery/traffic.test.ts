import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ZkSession } from '@smartstack/registry';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { cleanUpAfterEach, register, registrar, serviceFile, startVm, upstream } from './bed.ts';

let server: ZooKeeperServer;
let nerve: ZkSession;
let run = 0;
/** A service of its own for each test, so that they can share a server. */
let web: string;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
beforeEach(async () => {
  nerve = await registrar(server.address);
  run += 1;
  web = `web${run}`;
});
cleanUpAfterEach();

describe('traffic follows the registry', () => {
  it('instances join and leave under load: no reload, no failed request', async () => {
    const [a, b] = [await upstream('a'), await upstream('b')];
    await register(nerve, web, a);
    const vm = await startVm(server.address, [web]);
    await vm.serves(web, ['a']);
    const worker = await vm.worker();
    const load = startLoad({ port: vm.ports[web]!, clients: 4, connections: 'fresh', maxRequests: 20_000 });
    for (let round = 0; round < 5; round += 1) {
      const second = await register(nerve, web, b);
      await vm.serves(web, ['a', 'b']);
      await nerve.delete(second, -1);
      await vm.serves(web, ['a']);
    }
    const { failures } = await load.stop(100);
    expect(failures).toEqual([]);
    expect(await vm.worker()).toBe(worker);
    // The file says what runs, although it was never loaded again.
    expect(readFileSync(join(vm.folder, 'haproxy.cfg'), 'utf8')).toContain(`${a.host}:${a.port}`);
  });

  it('all instances are replaced by others at once: no reload, no failed request', async () => {
    const servers = await Promise.all(['a', 'b', 'c', 'd'].map(upstream));
    const registerAll = (some: typeof servers) => Promise.all(some.map((each) => register(nerve, web, each)));
    let paths = await registerAll(servers.slice(0, 2));
    const vm = await startVm(server.address, [web]);
    await vm.serves(web, ['a', 'b']);
    const worker = await vm.worker();
    const load = startLoad({ port: vm.ports[web]!, clients: 4, connections: 'fresh', maxRequests: 20_000 });
    for (let round = 1; round <= 6; round += 1) {
      const next = round % 2 === 0 ? servers.slice(0, 2) : servers.slice(2);
      // In one turn, so that one pass has to carry out all of it.
      const [fresh] = await Promise.all([registerAll(next), ...paths.map((path) => nerve.delete(path, -1))]);
      paths = fresh;
      await vm.serves(
        web,
        next.map(({ identity }) => identity),
      );
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(await vm.worker()).toBe(worker);
  });

  it('malformed and hostile registrations do not disturb their neighbours', async () => {
    const a = await upstream('a');
    await register(nerve, web, a);
    const vm = await startVm(server.address, [web]);
    const worker = await vm.worker();
    const hostile: readonly (readonly [string, string])[] = [
      ['bad_0000001000', 'not json'],
      ['nohost_0000001001', '{"port":1}'],
      ['base64_9_notbase64!_0000001002', ''],
      ['zero_0000001003', '{"host":"127.0.0.1","port":0}'],
      ['big_0000001004', '{"host":"127.0.0.1","port":70000}'],
      ['newline_0000001005', '{"host":"127.0.0.1\\n\\tserver evil 10.6.6.6:1","port":1}'],
      ['name_0000001006', '{"host":"127.0.0.1","port":1,"name":"x\\nbackend evil"}'],
      [
        'options_0000001007',
        '{"host":"127.0.0.1","port":1,"haproxy_server_options":"check; shutdown sessions"}',
      ],
      ['array_0000001008', '[]'],
      ['deep_0000001009', `${'['.repeat(5000)}${']'.repeat(5000)}`],
    ];
    for (const [name, data] of hostile)
      await nerve.create(`/s/${web}/${name}`, Buffer.from(data), 'persistent');
    const b = await upstream('b');
    await register(nerve, web, b);
    await vm.serves(web, ['a', 'b']);
    expect(await vm.worker()).toBe(worker);
    const file = readFileSync(join(vm.folder, 'haproxy.cfg'), 'utf8');
    expect(file).not.toMatch(/evil|10\.6\.6\.6|shutdown/);
    // And a synapse that starts with all of that there.
    await vm.synapse.stop('SIGKILL');
    await vm.start();
    await vm.serves(web, ['a', 'b']);
  });

  it('generator configuration in the registry makes the frontend', async () => {
    const port = await freePort();
    await register(nerve, web, await upstream('a'));
    await nerve.setData(`/s/${web}`, Buffer.from(JSON.stringify({ haproxy: { port } })), -1);
    const vm = await startVm(server.address, [web]);
    await eventually(async () => (await fetch(`http://127.0.0.1:${port}/`)).status === 200, {
      what: 'the port that the registry says',
    });
    await expect(vm.ask(web)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('hot configuration reload', () => {
  it('adds, changes and removes services; a bad file leaves its service as it was', async () => {
    const other = `${web}other`;
    await register(nerve, web, await upstream('a'));
    await register(nerve, other, await upstream('o'));
    const vm = await startVm(server.address, [web, other]);
    await vm.serves(other, ['o']);
    const load = startLoad({ port: vm.ports[web]!, clients: 2, connections: 'fresh', maxRequests: 20_000 });

    vm.service(other, 'discovery: {method: zookeeper}\n');
    await eventually(async () => (await vm.admin('/status')).body.includes(`${other}.yaml:1:`), {
      what: 'the status tells the place of the error',
      timeoutMs: 10_000,
    });
    expect(await vm.ask(other)).toBe('o');

    const port = await freePort();
    vm.service(other, serviceFile(server.address, other, port));
    await eventually(async () => (await fetch(`http://127.0.0.1:${port}/`)).status === 200, {
      what: 'the new port',
      timeoutMs: 10_000,
    });
    expect((await vm.admin('/status')).body).not.toContain('other.yaml:');

    vm.service(other, undefined);
    // SIGHUP kills a Ruby synapse; here it reads the files at once.
    vm.synapse.signal('SIGHUP');
    await eventually(
      async () =>
        fetch(`http://127.0.0.1:${port}/`).then(
          () => false,
          () => true,
        ),
      {
        what: 'the port is closed',
        timeoutMs: 10_000,
      },
    );
    expect(vm.synapse.running).toBe(true);
    expect((await load.stop()).failures).toEqual([]);
  });

  it('a service whose file is bad at a restart stays as it was, until its file is gone', async () => {
    const other = `${web}other`;
    await register(nerve, web, await upstream('a'));
    await register(nerve, other, await upstream('o'));
    const vm = await startVm(server.address, [web, other]);
    await vm.serves(other, ['o']);
    const worker = await vm.worker();
    vm.service(other, 'discovery: {method: zookeeper');
    await vm.synapse.stop();
    await vm.start();
    await vm.serves(web, ['a']);
    expect(await vm.ask(other)).toBe('o');
    expect(await vm.worker()).toBe(worker);
    vm.service(other, undefined);
    const isGone = (): boolean => !readFileSync(join(vm.folder, 'haproxy.cfg'), 'utf8').includes(other);
    await eventually(isGone, { what: 'the service is gone', timeoutMs: 10_000 });
  });

  it('a service whose file was bad at a restart keeps its routes when it is good again, before anybody was found', async () => {
    await register(nerve, web, await upstream('a'));
    const vm = await startVm(server.address, [web]);
    await vm.serves(web, ['a']);
    const worker = await vm.worker();
    vm.service(web, 'discovery: {method: zookeeper');
    await vm.synapse.stop('SIGKILL');
    await vm.start();
    const load = startLoad({ port: vm.ports[web]!, clients: 2, connections: 'fresh', maxRequests: 20_000 });
    vm.service(web, serviceFile(server.address, web, vm.ports[web]!));
    await register(nerve, web, await upstream('b'));
    await vm.serves(web, ['a', 'b']);
    expect((await load.stop()).failures).toEqual([]);
    expect(await vm.worker()).toBe(worker);
  });
});

describe('the process', () => {
  it('leaves HAProxy serving when it stops, and says that it has exited', async () => {
    await register(nerve, web, await upstream('a'));
    const vm = await startVm(server.address, [web]);
    await vm.serves(web, ['a']);
    const worker = await vm.worker();
    await vm.synapse.stop('SIGTERM');
    expect(await vm.synapse.exited).toBe(0);
    expect(vm.synapse.output).toContain('synapse has exited');
    expect(await vm.ask(web)).toBe('a');
    await vm.start();
    expect(await vm.worker()).toBe(worker);
  });

  it('is the only one on its haproxy.cfg (trap 30): a second one waits, and takes over', async () => {
    await register(nerve, web, await upstream('a'));
    const vm = await startVm(server.address, [web]);
    await vm.serves(web, ['a']);
    const worker = await vm.worker();
    const first = vm.synapse;
    vm.launch();
    const refusal = `another synapse (process ${first.pid}) keeps`;
    await eventually(() => vm.synapse.output.includes(refusal), { what: 'the second one says why it waits' });
    await first.stop('SIGKILL');
    await register(nerve, web, await upstream('b'));
    await vm.serves(web, ['a', 'b']);
    expect(await vm.worker()).toBe(worker);
  });

  it('serves its health, metrics and status on loopback', async () => {
    const vm = await startVm(server.address, [web]);
    for (const path of ['/healthz', '/readyz', '/status', '/metrics'])
      expect((await vm.admin(path)).status).toBe(200);
    const { body } = await vm.admin('/metrics');
    expect(body).toContain(`smartstack_discovery_stale_seconds{service="${web}"} 0`);
    expect(body).toMatch(/smartstack_reconcile_total\{generator="haproxy",outcome="\w+"\} [1-9]/);
  });
});
