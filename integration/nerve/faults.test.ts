import { nerveCodec, type ZkPath } from '@smartstack/registry';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startFaultProxy } from '../harness/faultProxy.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { children, childrenOf, type Nerve, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, tcp } from './services.ts';

vi.setConfig({ testTimeout: 60_000 });

/** No session lasts longer than this without a sign of life, in milliseconds. */
const sessionMs = 2_000;
let server: ZooKeeperServer;
beforeAll(async () => {
  server = await startZooKeeper({ config: [`maxSessionTimeout=${sessionMs}`] });
});
afterAll(() => server.dispose());

const service = (path: ZkPath, extra: object = {}): object => serviceAt(server.address, path, extra);
const orders = (folder: string): string => join(folder, 'orders');

async function statusOf(nerve: Nerve, name: string) {
  const found = (await nerve.status()).services.find((one) => one.service === name);
  if (!found) throw new Error(`no service ${name}`);
  return found;
}

describe('after kill -9 and a new start', () => {
  it('each healthy service has one registration, no other has any, and nobody else’s is touched', async () => {
    const folder = makeTempDir('nerve');
    onTestFinished(() => removeTempDir(folder));
    const session = observe(server.address);
    const dies = await app();
    const paths = {
      seq: freshPath(),
      eph: freshPath(),
      perSeq: freshPath(),
      per: freshPath(),
      sick: freshPath(),
      out: freshPath(),
    };
    const types = {
      seq: {},
      eph: { node_type: 'ephemeral' },
      perSeq: { node_type: 'persistent_sequential', use_path_encoding: true },
      per: { node_type: 'persistent' },
    };
    const services: Record<string, object> = {};
    for (const [name, keys] of Object.entries(types)) {
      services[name] = service(paths[name as keyof typeof types], keys);
      services[`sick-${name}`] = service(`${paths.sick}/${name}`, { ...keys, ...tcp(dies.port) });
      services[`out-${name}`] = service(`${paths.out}/${name}`, keys);
    }
    // Somebody else's: at another port, of another instance, and without data.
    const foreign = nerveCodec.encode({ host: '10.0.0.5', port: 9999, name: 'i-0abc' });
    for (const path of ['sick/perSeq', 'out/perSeq', 'sick/per', 'out/seq'] as const) {
      const [kind = 'sick', name = ''] = path.split('/');
      const parent: ZkPath = `${paths[kind as 'sick' | 'out']}/${name}`;
      await session.mkdirp(parent);
      await session.create(`${parent}/i-0abc_`, foreign, 'persistent_sequential');
      await session.create(
        `${parent}/i-0abcd_`,
        nerveCodec.encode({ host: '10.0.0.5', port: 8080 }),
        'persistent',
      );
      await session.create(`${parent}/i-0abc_1`, Buffer.alloc(0), 'persistent');
    }
    const others = { 'sick/perSeq': 3, 'out/perSeq': 3, 'sick/per': 3, 'out/seq': 3 } as Readonly<
      Record<string, number>
    >;
    const options = { main: { services, state_dir: folder }, folder };
    const first = await startNerve(options);
    await ready(first);
    const before = Object.fromEntries(
      await Promise.all(
        (['seq', 'eph', 'perSeq', 'per'] as const).map(
          async (name) => [name, (await childrenOf(session, paths[name], 1))[0]] as const,
        ),
      ),
    );
    await first.stop('SIGKILL');
    dies.close();
    dies.closeAllConnections();
    mkdirSync(orders(folder), { recursive: true });
    for (const name of Object.keys(types))
      writeFileSync(join(orders(folder), `out-${name}.json`), JSON.stringify({ drain: {} }));
    // Under other data the same instance has another name where the name holds the data.
    services.perSeq = service(paths.perSeq, { ...types.perSeq, weight: 9 });
    const second = await startNerve({ ...options, main: { services, state_dir: folder } });
    for (const name of Object.keys(types)) {
      for (const kind of ['sick', 'out'] as const) {
        const gone = async (): Promise<boolean> => {
          const { registration, drain } = await statusOf(second, `${kind}-${name}`);
          return kind === 'out' ? drain?.phase === 'left' : registration.kind === 'absent';
        };
        await eventually(gone, { what: `${kind}-${name} is said to be gone`, timeoutMs: 15_000 });
        const left = await children(session, `${paths[kind]}/${name}`);
        expect(left.length, `${kind}-${name}`).toBe(others[`${kind}/${name}`] ?? 0);
      }
    }
    await ready(second);
    // Of the same name, it has another owner at once.
    const [eph] = await childrenOf(session, paths.eph, 1);
    expect(eph?.path).toBe(before.eph?.path);
    expect(eph?.stat.ephemeralOwner).not.toBe(before.eph?.stat.ephemeralOwner);
    expect((await childrenOf(session, paths.per, 1))[0]?.stat.czxid).toBe(before.per?.stat.czxid);
    expect((await childrenOf(session, paths.perSeq, 1))[0]?.data).toContain('"weight":9');
    const [seq] = await childrenOf(session, paths.seq, 1);
    await eventually(async () => (await children(session, paths.seq))[0]?.path !== before.seq?.path, {
      what: 'the old session has ended',
      timeoutMs: 10_000,
    });
    expect(await children(session, paths.seq)).toHaveLength(1);
    expect(seq).toBeDefined();
    await second.stop('SIGTERM');
    for (const path of [paths.seq, paths.eph, paths.per, paths.perSeq])
      expect(await children(session, path)).toEqual([]);
  });
});

describe('a fault that lasts longer than the session', () => {
  /** Lasts until the returned function ends it. */
  const faults = {
    'the network is cut': (_: Nerve, proxy: { blackhole(): void; heal(): void }) => {
      proxy.blackhole();
      return async () => {
        await Promise.resolve();
        proxy.heal();
      };
    },
    'ZooKeeper is down': async () => {
      await server.kill();
      return () => server.start();
    },
    'the whole process stands still': (nerve: Nerve) => {
      nerve.signal('SIGSTOP');
      return async () => {
        await Promise.resolve();
        nerve.signal('SIGCONT');
      };
    },
  };

  it.each(Object.keys(faults) as (keyof typeof faults)[])(
    '%s: afterwards one registration for each healthy service, none for others',
    async (name) => {
      const proxy = await startFaultProxy(server.port);
      onTestFinished(() => proxy.close());
      const paths = { good: freshPath(), fades: freshPath(), fadesPer: freshPath(), comes: freshPath() };
      const [good, fades, comes] = [await app(), await app(), await app()];
      comes.close();
      const at = (path: ZkPath, port: number, extra: object = {}): object =>
        service(path, { zk_hosts: [proxy.address], ...tcp(port), ...extra });
      const nerve = await startNerve({
        main: {
          services: {
            good: at(paths.good, good.port),
            fades: at(paths.fades, fades.port),
            'fades-per': at(paths.fadesPer, fades.port, { node_type: 'persistent' }),
            comes: at(paths.comes, comes.port),
          },
        },
      });
      await ready(nerve);
      const session = observe(server.address);
      const [before] = await childrenOf(session, paths.good, 1);
      const heal = await faults[name](nerve, proxy);
      fades.close();
      fades.closeAllConnections();
      comes.listen(comes.port, '127.0.0.1');
      // While ZooKeeper is down nobody counts; what nerve presumes is told by its own clock.
      if (name === 'ZooKeeper is down') {
        const lost = async (): Promise<boolean> =>
          (await nerve.get('/status')).body.includes('"presumed-lost"');
        await eventually(lost, {
          what: 'nerve presumes its session lost',
          timeoutMs: 15_000,
          intervalMs: 50,
        });
      } else await childrenOf(session, paths.good, 0);
      await heal();
      await ready(nerve);
      await childrenOf(session, paths.comes, 1);
      await childrenOf(session, paths.fades, 0);
      await childrenOf(session, paths.fadesPer, 0);
      await childrenOf(session, paths.good, 1);
      await holds(
        async () => {
          const found = await Promise.all(Object.values(paths).map((path) => children(session, path)));
          return JSON.stringify(found.map(({ length }) => length)) === '[1,0,0,1]';
        },
        { what: 'it stays so', forMs: 300, intervalMs: 50 },
      );
      if (name !== 'ZooKeeper is down')
        expect((await children(session, paths.good))[0]?.path).not.toBe(before?.path);
      good.close();
      good.closeAllConnections();
      await childrenOf(session, paths.good, 0);
    },
  );
});

describe('a hundred reloads', () => {
  it('leave registrations right, nothing open and untouched services alone', async () => {
    const [path, steady] = [freshPath(), freshPath()];
    const session = observe(server.address);
    const other = await app();
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/web.yaml': service(path), 'd/steady.yaml': service(steady) },
    });
    await ready(nerve);
    const [node] = await childrenOf(session, steady, 1);
    const reloads = async (): Promise<number> => {
      const { body } = await nerve.get('/metrics');
      return Number(/smartstack_config_reload_total\{result="ok"\} (\d+)/.exec(body)?.[1] ?? 0);
    };
    const open = (): readonly string[] => readdirSync(`/proc/${nerve.pid}/fd`);
    const variants = [
      { weight: 1 },
      { weight: 2, ...tcp(other.port) },
      { zk_path: `${path}-b`, node_type: 'ephemeral' },
      { ...tcp(other.port), use_path_encoding: true },
    ];
    const round = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        const read = await reloads();
        nerve.write('d/web.yaml', service(path, variants[i % variants.length]));
        // A service that comes and goes.
        nerve.write(`d/extra-${i % 2}.yaml`, service(`${path}-extra`, { port: 9000 + i }));
        nerve.signal('SIGHUP');
        await eventually(async () => (await reloads()) > read, { what: 'it has read' });
      }
    };
    await round(8);
    await ready(nerve);
    const before = open().length;
    await round(92);
    nerve.write('d/web.yaml', service(path, { weight: 77 }));
    nerve.signal('SIGHUP');
    await eventually(async () => (await children(session, path))[0]?.data.includes('"weight":77'), {
      what: 'the last one counts',
    });
    await ready(nerve);
    const extra = await childrenOf(session, `${path}-extra`, 2);
    expect(extra.map(({ data }) => (JSON.parse(data) as { port: number }).port).toSorted()).toEqual([
      9090, 9091,
    ]);
    expect(await children(session, path)).toHaveLength(1);
    await childrenOf(session, `${path}-b`, 0);
    expect((await children(session, steady))[0]?.stat).toEqual(node?.stat);
    // A connection of ours, or a file that is being read, may come or go.
    await eventually(() => open().length <= before + 2, { what: 'nothing is left open' });
  });
});
