import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { cleanUpAfterEach, onCleanUp } from '../discovery/bed.ts';
import { eventually, holds } from '../harness/eventually.ts';
import { killTree, startHaproxy, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { children, childrenOf, observe } from '../nerve/bed.ts';
import {
  inStep,
  newUser,
  newZooKeeper,
  pathOf,
  readyServers,
  startHost,
  startPair,
  startTraffic,
} from './bed.ts';

cleanUpAfterEach();
const web = pathOf('web');

async function zooKeeper() {
  const server = await newZooKeeper();
  await server.start();
  return server;
}

describe('HAProxy is killed -9', () => {
  it('and synapse, whose it is, starts it with what the registry says by then', async () => {
    const { address } = await zooKeeper();
    const { host, vm, traffic } = await startPair({ nerve: address, synapse: address });
    // There is nobody to answer while it is dead.
    await traffic.stop();
    const master = await vm.master();
    await killTree(master);
    await host.offer('web', 'c');
    await eventually(() => vm.ask('web'), { what: 'the route works again' });
    const after = startTraffic(vm, 'web');
    await vm.serves('web', ['a', 'b', 'c']);
    expect(await vm.master()).not.toBe(master);
    const worker = await vm.worker();
    await host.offer('web', 'd');
    await vm.serves('web', ['a', 'b', 'c', 'd']);
    await after.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('and its service manager starts it: the file on disk has what came at run time, and what came meanwhile', async () => {
    const { address } = await zooKeeper();
    const host = await startHost(address, 'host-1');
    await host.offer('web', 'a');
    const vm = await newUser(address, { managed: false });
    const { global, defaults } = testBase(vm.folder);
    const lines = ['global', ...global, 'defaults', ...defaults, 'listen idle'];
    let haproxy = await startHaproxy({
      dir: vm.folder,
      config: [...lines, `bind 127.0.0.1:${await freePort()}`, ''].join('\n'),
    });
    onCleanUp(() => haproxy.stop());
    await vm.start();
    await vm.serves('web', ['a']);
    await host.offer('web', 'b');
    await vm.serves('web', ['a', 'b']);
    await haproxy.kill();
    await host.offer('web', 'c');
    await eventually(
      async () => (await readFile(vm.configFile, 'utf8')).match(/^\tserver /gm)?.length === 3,
      {
        what: 'the file follows without a process',
        timeoutMs: 10_000,
      },
    );
    haproxy = await startHaproxy({ dir: vm.folder });
    const traffic = startTraffic(vm, 'web');
    await vm.serves('web', ['a', 'b', 'c']);
    // A start within a second of the last change of the file costs a reload: nobody can tell which came first.
    const known = async (): Promise<boolean> =>
      new RegExp(`"pid": ${await haproxy.workerPid()},\\s+"loaded": "ours"`).test(
        (await vm.admin('/status')).body,
      );
    await eventually(known, { what: 'synapse knows what the new worker has loaded', timeoutMs: 10_000 });
    const worker = await haproxy.workerPid();
    await host.offer('web', 'd');
    await vm.serves('web', ['a', 'b', 'c', 'd']);
    await traffic.noneFailed();
    expect(await haproxy.workerPid()).toBe(worker);
  });
});

describe('an agent is killed -9', () => {
  it('synapse, which starts again with ZooKeeper down: no failed request, no reload, then up to date', async () => {
    const server = await zooKeeper();
    const { host, vm, traffic, worker } = await startPair({ nerve: server.address, synapse: server.address });
    await server.kill();
    await vm.synapse.stop('SIGKILL');
    await host.killApp('b');
    await host.offer('web', 'c');
    await vm.start();
    await holds(async () => (await vm.ask('web')) === 'a', {
      what: 'the one that lives serves',
      forMs: 1_000,
    });
    await server.start();
    await vm.serves('web', ['a', 'c']);
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('nerve, which starts again: one node for each healthy instance once the old session has ended', async () => {
    const { address } = await zooKeeper();
    const { host, vm, traffic, worker } = await startPair({ nerve: address, synapse: address });
    const session = observe(address);
    const before = (await children(session, web)).map(({ path }) => path);
    await host.killNerve();
    await host.killApp('b');
    await host.offer('web', 'c');
    await host.startNerve();
    const nodes = await eventually(
      async () => {
        const found = await children(session, web);
        const isNew = found.every(({ path }) => !before.includes(path));
        return isNew && found.length === 2 ? found : undefined;
      },
      { what: 'only the new nodes are there', timeoutMs: 10_000 },
    );
    await inStep(host);
    await holds(async () => (await children(session, web)).length === nodes.length, {
      what: 'they stay',
      forMs: 500,
    });
    await vm.serves('web', ['a', 'c']);
    expect(await readyServers(vm, 'web')).toHaveLength(2);
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('nerve and every app of its host: the instances leave with the session, others serve', async () => {
    const { address } = await zooKeeper();
    const { host, vm, traffic, worker } = await startPair({ nerve: address, synapse: address });
    const other = await startHost(address, 'host-2');
    await other.offer('web', 'c');
    await vm.serves('web', ['a', 'b', 'c']);
    const session = observe(address);
    const died = performance.now();
    await host.die();
    await childrenOf(session, web, 1);
    expect(performance.now() - died).toBeGreaterThan(1_000);
    await eventually(async () => (await readyServers(vm, 'web')).length === 1, {
      what: 'HAProxy has only the instance that lives',
      timeoutMs: 10_000,
    });
    await vm.serves('web', ['c']);
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });
});
