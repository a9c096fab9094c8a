import { beforeEach, describe, expect, it } from 'vitest';
import { cleanUpAfterEach, type Vm } from '../discovery/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { childrenOf, observe } from '../nerve/bed.ts';
import { type Host, newZooKeeper, pathOf, type Pair, readyServers, startPair } from './bed.ts';

cleanUpAfterEach();
const web = pathOf('web');
let address: string;
let pair: Pair;
let host: Host;
let vm: Vm;

beforeEach(async () => {
  const server = await newZooKeeper();
  await server.start();
  ({ address } = server);
  pair = await startPair({ nerve: address, synapse: address }, { haproxy: ['use_nerve_weights: true'] });
  ({ host, vm } = pair);
});

describe('an instance', () => {
  it('dies and comes back, three times: in and out by nerve’s check, no failed request, no reload', async () => {
    const session = observe(address);
    for (let round = 0; round < 3; round += 1) {
      await host.killApp('b');
      await childrenOf(session, web, 1);
      await eventually(async () => (await readyServers(vm, 'web')).length === 1, {
        what: 'its server is gone',
        timeoutMs: 10_000,
      });
      await host.startApp('b');
      await vm.serves('web', ['a', 'b']);
    }
    await pair.traffic.noneFailed();
    expect(await vm.worker()).toBe(pair.worker);
  });

  it('gets another weight in nerve’s file: HAProxy has it, and the server never left', async () => {
    const session = observe(address);
    const seen: string[] = [];
    const watching = new AbortController();
    const watch = (async () => {
      while (!watching.signal.aborted) {
        const servers = await readyServers(vm, 'web');
        for (const { name, weight } of servers) if (weight === 0) seen.push(`${name} has no weight`);
        if (servers.length !== 2) seen.push(`${servers.length} servers`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    const [before] = await childrenOf(session, web, 2);
    for (const weight of [7, 201]) {
      await host.offer('web', 'a', { weight });
      await eventually(async () => (await readyServers(vm, 'web')).some((each) => each.weight === weight), {
        what: `the weight is ${weight}`,
        timeoutMs: 10_000,
      });
    }
    watching.abort();
    await watch;
    expect(seen).toEqual([]);
    const after = await childrenOf(session, web, 2);
    expect(after.map(({ path }) => path)).toContain(before?.path);
    await pair.traffic.noneFailed();
    expect(await vm.worker()).toBe(pair.worker);
  });

  it('is withdrawn in nerve’s files while requests run: it leaves before anybody misses it', async () => {
    await host.offer('web', 'c');
    await vm.serves('web', ['a', 'b', 'c']);
    host.withdraw('web', 'b');
    await eventually(async () => (await readyServers(vm, 'web')).length === 2, {
      what: 'its server is gone',
      timeoutMs: 10_000,
    });
    await host.killApp('b');
    await vm.serves('web', ['a', 'c']);
    await pair.traffic.noneFailed();
    expect(await vm.worker()).toBe(pair.worker);
  });
});
