import type { ZkPath } from '@smartstack/registry';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';
import { children, childrenOf, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, tcp, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const service = (path: ZkPath, extra: object = {}): object => serviceAt(bed.address, path, extra);

describe('a configuration that changes', () => {
  it('is applied by difference: in place, replaced, added, removed, untouched; SIGHUP asks for it', async () => {
    const [same, moved, from, gone, added] = [
      freshPath(),
      freshPath(),
      freshPath(),
      freshPath(),
      freshPath(),
    ];
    const session = observe(bed.address);
    const main = {
      services: { same: service(same, { weight: 1 }), moving: service(from), gone: service(gone) },
    };
    const nerve = await startNerve({
      main: { ...main, service_conf_dir: 'd' },
      files: { 'd/steady.yaml': service(moved) },
    });
    await ready(nerve);
    const [before] = await childrenOf(session, same, 1);
    const [steady] = await childrenOf(session, moved, 1);
    nerve.write('nerve.yaml', {
      instance_id: 'i-0abc',
      admin: { listen: `127.0.0.1:${nerve.admin}` },
      service_conf_dir: 'd',
      services: {
        same: service(same, { weight: 2, labels: { az: 'b' } }),
        moving: service(added),
        fresh: service(gone, { port: 9090 }),
      },
    });
    await childrenOf(session, added, 1);
    await childrenOf(session, from, 0);
    const after = await eventually(
      async () => (await children(session, same)).find(({ stat }) => stat.version === 1),
      { what: 'the data are rewritten' },
    );
    expect(after.path).toBe(before?.path);
    expect(after.data).toBe('{"host":"10.0.0.5","port":8080,"name":"i-0abc","weight":2,"labels":{"az":"b"}}');
    const [untouched] = await childrenOf(session, moved, 1);
    expect(untouched?.stat).toEqual(steady?.stat);
    const reloads = async (): Promise<number> =>
      Number(
        /smartstack_config_reload_total\{result="ok"\} (\d+)/.exec((await nerve.get('/metrics')).body)?.[1],
      );
    const read = await reloads();
    nerve.signal('SIGHUP');
    await eventually(async () => (await reloads()) > read, { what: 'SIGHUP reads the files again' });
    expect((await childrenOf(session, moved, 1))[0]?.stat).toEqual(steady?.stat);
    expect(
      (
        await eventually(
          async () => (await children(session, gone)).find(({ data }) => data.includes('9090')),
          { what: 'the added service is there' },
        )
      ).path,
    ).toContain('i-0abc_');
  });

  it('never leaves a service unregistered while its definition changes', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const server = await app();
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/web.yaml': service(path, tcp(server.port)) },
    });
    await ready(nerve);
    let least = Infinity;
    const stop = new AbortController();
    const watching = (async () => {
      while (!stop.signal.aborted) least = Math.min(least, (await session.getChildren(path)).children.length);
    })();
    const changes = [
      { use_path_encoding: true },
      { weight: 5 },
      { checks: [{ type: 'http', uri: '/', host: '127.0.0.1', port: server.port, timeout: 1 }] },
      { node_type: 'persistent_sequential' },
      { zk_acl: ['world:anyone:cdrwa'] },
      { port: 8081 },
    ];
    let keys = tcp(server.port);
    for (const change of changes) {
      keys = { ...keys, ...change };
      nerve.write('d/web.yaml', service(path, keys));
      const before = (await children(session, path)).map(({ stat }) => stat.mzxid);
      await eventually(
        async () => {
          const now = await children(session, path);
          return (
            now.length === 1 && (now.some(({ stat }) => !before.includes(stat.mzxid)) || 'checks' in change)
          );
        },
        { what: `applied ${JSON.stringify(change)}`, timeoutMs: 10_000 },
      );
      await ready(nerve);
    }
    stop.abort();
    await watching;
    expect(least).toBeGreaterThanOrEqual(1);
    await nerve.stop('SIGTERM');
    expect(await children(session, path)).toEqual([]);
  });

  it('moves an ephemeral node, of which there can be only one, to another session without delay', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const keys = { node_type: 'ephemeral' };
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/web.yaml': service(path, keys) },
    });
    await ready(nerve);
    const [before] = await childrenOf(session, path, 1);
    const other = bed.address.replace('127.0.0.1', 'localhost');
    nerve.write('d/web.yaml', service(path, { ...keys, zk_hosts: [other], weight: 2 }));
    const after = await eventually(
      async () => (await children(session, path)).find(({ data }) => data.includes('"weight":2')),
      { what: 'the new session holds the node', timeoutMs: 5_000 },
    );
    expect(after.path).toBe(before?.path);
    expect(after.stat.ephemeralOwner).not.toBe(before?.stat.ephemeralOwner);
  });

  it.each(['persistent', 'persistent_sequential'])(
    'leaves a %s node where it is when the ensemble is called by other names, and moves it to another one',
    async (type) => {
      const path = freshPath();
      const session = observe(bed.address);
      const another = await startZooKeeper();
      onTestFinished(() => another.dispose());
      const elsewhere = observe(another.address);
      const keys = { node_type: type };
      const nerve = await startNerve({
        main: { service_conf_dir: 'd' },
        files: { 'd/web.yaml': service(path, keys) },
      });
      await ready(nerve);
      const [before] = await childrenOf(session, path, 1);
      const names = ['127.0.0.1', 'localhost'].map((name) => bed.address.replace('127.0.0.1', name));
      const sessions = async (): Promise<unknown> =>
        (JSON.parse((await nerve.get('/status')).body) as { sessions: { hosts: string }[] }).sessions;
      // There and back: each of them replaces the other while that is on its way out, or has gone.
      for (const [turn, name] of [...names.toReversed(), ...names.toReversed()].entries()) {
        nerve.write('d/web.yaml', service(path, { ...keys, zk_hosts: [name], weight: turn }));
        await eventually(
          async () => {
            expect(await sessions()).toMatchObject([{ hosts: name, state: { kind: 'connected' } }]);
            const [node] = await children(session, path);
            return node?.data.includes(`"weight":${turn}`);
          },
          { what: `only ${name} is used`, timeoutMs: 10_000, intervalMs: 5 },
        );
      }
      // A node that was never deleted is the same one.
      const [after] = await childrenOf(session, path, 1);
      expect([after?.path, after?.stat.czxid]).toEqual([before?.path, before?.stat.czxid]);
      expect(nerve.output).not.toContain('a registered node is gone');
      let least = 1;
      const both = async (): Promise<number> => {
        const lists = await Promise.all([session, elsewhere].map((one) => children(one, path)));
        return lists.flat().length;
      };
      nerve.write('d/web.yaml', service(path, { ...keys, zk_hosts: [another.address] }));
      await eventually(
        async () => {
          least = Math.min(least, await both());
          const [here, there] = [await children(session, path), await children(elsewhere, path)];
          return here.length === 0 && there.length === 1;
        },
        { what: 'it has moved', timeoutMs: 10_000, intervalMs: 2 },
      );
      expect(least).toBe(1);
      await nerve.stop('SIGTERM');
      expect(await both()).toBe(0);
    },
  );

  it('keeps the old definition of a service whose file breaks, and says where; the others go on', async () => {
    const [good, broken, late] = [freshPath(), freshPath(), freshPath()];
    const session = observe(bed.address);
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/broken.yaml': service(broken), 'd/good.yaml': service(good), 'd/never.yaml': 'host: [' },
    });
    await eventually(async () => (await nerve.status()).services.length === 2, { what: 'the good ones run' });
    const [node] = await childrenOf(session, broken, 1);
    nerve.write('d/broken.yaml', 'host: 10.0.0.5\nport: 70000\n');
    nerve.write('d/late.yaml', service(late));
    await childrenOf(session, late, 1);
    const { config } = await nerve.status();
    expect(config.valid).toBe(false);
    expect(config.issues).toContain(
      `${nerve.folder}/d/broken.yaml:2:7 port: Too big: expected number to be <=65535`,
    );
    expect(await children(session, broken)).toEqual([node]);
    rmSync(join(nerve.folder, 'd/broken.yaml'));
    await childrenOf(session, broken, 0);
    await childrenOf(session, good, 1);
  });

  it('keeps everything when the main file breaks or the directory vanishes', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/web.yaml': service(path) },
    });
    await ready(nerve);
    nerve.write('nerve.yaml', 'instance_id: [');
    await eventually(async () => !(await nerve.status()).config.valid, { what: 'the error shows' });
    nerve.write('nerve.yaml', { instance_id: 'i-0abc', service_conf_dir: 'elsewhere' });
    await eventually(
      async () => (await nerve.status()).config.issues.some((text) => text.includes('elsewhere')),
      {
        what: 'the missing directory shows',
      },
    );
    expect(await children(session, path)).toHaveLength(1);
    // The directory that is named now is watched, although it was not there.
    nerve.write('elsewhere/web.yaml', service(path, { weight: 3 }));
    await eventually(async () => (await children(session, path))[0]?.data.includes('"weight":3'), {
      what: 'the new directory is in use',
      timeoutMs: 10_000,
    });
  });
});
