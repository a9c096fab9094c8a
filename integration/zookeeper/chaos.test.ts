import { createTransport, type RegistrationHandle, type SessionRef } from '@smartstack/registry';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../harness/faultProxy.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, instance, testSession } from './bed.ts';
import { pause } from '../harness/pause.ts';

const timeoutMs = 1_500;
const rounds = 16;
let server: ZooKeeperServer;
let proxy: FaultProxy;
beforeAll(async () => {
  server = await startZooKeeper();
  proxy = await startFaultProxy(server.port);
});
afterAll(async () => {
  await proxy.close();
  await server.dispose();
});
closeSessionsAfterEach();

const random = (limit: number): number => Math.floor(Math.random() * limit);

it('fault 17: random chaos: every round converges within 5 s of healing', { timeout: 180_000 }, async () => {
  let stolen: SessionRef | undefined;
  const transport = createTransport();
  const nerve = testSession(proxy.address, {
    sessionTimeoutMs: timeoutMs,
    transport: {
      dial: async (spec, signal) => {
        const result = await transport.dial(spec, signal);
        if (result.kind === 'connected') stolen = result.session;
        return result;
      },
    },
  });
  const synapse = testSession(proxy.address, { sessionTimeoutMs: timeoutMs });
  const witness = testSession(server.address, { sessionTimeoutMs: timeoutMs });
  await Promise.all([nerve.connected(), synapse.connected(), witness.connected()]);

  const modes = ['ephemeral_sequential', 'ephemeral', 'ephemeral_sequential'] as const;
  const registrations = Array.from({ length: 9 }, (_, i) => ({
    name: i % 3 === 1 ? `r${i}_` : 'shared_',
    port: i + 1,
    weight: 0,
    wanted: false,
    handle: nerve.session.register({ parent: '/chaos/web', mode: modes[i % 3]! }),
  }));
  const watch = synapse.session.watchChildren('/chaos/web', { onSnapshot: () => undefined });
  const change = (): void => {
    const one = registrations[random(registrations.length)]!;
    one.wanted = Math.random() < 0.75;
    one.weight = random(256);
    const name = Math.random() < 0.2 ? `${one.name}renamed_` : one.name;
    const data = instance('h', one.port, { weight: one.weight });
    one.handle.want(one.wanted ? { name, data } : undefined);
  };
  const expireNerve = async (): Promise<void> => {
    const result = await transport.dial(
      {
        server: { host: '127.0.0.1', address: '127.0.0.1', port: server.port },
        resume: stolen,
        lastZxid: 0n,
        sessionTimeoutMs: timeoutMs,
        handshakeTimeoutMs: 1_000,
        auth: [],
        tls: undefined,
        onWatch: () => undefined,
        onClose: () => undefined,
      },
      AbortSignal.timeout(2_000),
    );
    if (result.kind === 'connected') await result.connection.closeSession(1_000);
  };

  const faults: Readonly<Record<string, () => unknown>> = {
    cut: () => proxy.cut(),
    'cut inside a reply': () => proxy.cutAfter('down', 1 + random(600)),
    'cut inside a request': () => proxy.cutAfter('up', 1 + random(300)),
    blackhole: () => proxy.blackhole(),
    'deaf client': () => proxy.blackhole('down'),
    'deaf server': () => proxy.blackhole('up'),
    'everything held back': () => proxy.hold(),
    'slow link': () => proxy.delay(40),
    'refused connections': () => {
      proxy.refuse();
      proxy.cut();
    },
    'noise from the server': () => proxy.inject(Buffer.from(Array.from({ length: 30 }, () => random(256)))),
    'a frame that never ends': () => proxy.inject(Buffer.from([0, 200, 0, 0])),
    'hung server': () => server.pause(),
    'killed server': async () => {
      await server.kill();
      await server.start();
    },
    'expired session': expireNerve,
  };
  const names = Object.keys(faults);
  const done: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const chosen = [names[(round * 5 + random(2)) % names.length]!, names[random(names.length)]!];
    for (const name of chosen) {
      change();
      change();
      await faults[name]?.();
      change();
      await pause(random(timeoutMs * 0.8));
      if (name === 'hung server') server.resume();
      done.push(name);
    }
    change();
    proxy.heal();
    const healedAt = performance.now();
    const wanted = registrations
      .filter((one) => one.wanted)
      .map((one) => instance('h', one.port, { weight: one.weight }).toString())
      .sort();
    const seen = (): string[] =>
      [...(watch.last?.children.values() ?? [])]
        .map((child) => (child.kind === 'data' ? child.data.toString() : child.kind))
        .sort();
    const what = `round ${round} (${chosen.join(', ')}) converges`;
    await eventually(() => watch.freshness === 'live' && seen().join() === wanted.join(), {
      what: `${what}: synapse sees what nerve wants`,
      timeoutMs: 5_000,
    }).catch((error: unknown) => {
      const about = {
        wanted,
        seen: [...(watch.last?.children.keys() ?? [])],
        held: registrations.map(({ handle }) => handle.state),
        nerve: nerve.session.state.kind,
        synapse: synapse.session.state.kind,
        log: nerve.log.records.slice(-15),
        watcher: synapse.log.records.slice(-6),
      };
      throw new Error(`${String(error)}\n${inspect(about, { depth: 4, breakLength: 160 })}`, {
        cause: error,
      });
    });
    const left = Math.max(1, Math.round(5_000 - (performance.now() - healedAt)));
    await Promise.all(
      registrations.map(({ handle }: { handle: RegistrationHandle }) =>
        handle.settled(AbortSignal.timeout(left)),
      ),
    );
    expect((await witness.session.getChildren('/chaos/web')).children, what).toHaveLength(wanted.length);
  }
  expect(done).toHaveLength(rounds * 2);
});
