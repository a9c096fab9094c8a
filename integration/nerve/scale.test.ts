import type { ZkPath } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import { children, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, tcp, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const service = (path: ZkPath, extra: object = {}): object => serviceAt(bed.address, path, extra);

/** A busy machine may be late for once; nothing here is about that. */
const patient = (port: number): object => tcp(port, { timeout: 2, fall: 3 });

describe('many services', () => {
  it('register, are checked in time, and are all withdrawn on SIGTERM', async () => {
    const [path, server] = [freshPath(), await app()];
    const session = observe(bed.address);
    const names = Array.from({ length: 1000 }, (_, i) => i);
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: Object.fromEntries(
        names.map((i) => [
          `d/web-${i}.yaml`,
          service(path, { ...patient(server.port), port: 10_000 + i, check_interval: 2 }),
        ]),
      ),
    });
    await ready(nerve);
    // READY does not wait for ever for a slow registry, and a busy machine may fail a check or two at first.
    const ports = async (): Promise<readonly number[]> =>
      (await children(session, path))
        .map(({ data }) => (JSON.parse(data) as { port: number }).port)
        .toSorted((a, b) => a - b);
    await expect.poll(ports, { timeout: 30_000 }).toEqual(names.map((i) => 10_000 + i));
    // One file changes: one node changes.
    const before = new Map((await children(session, path)).map(({ path: node, stat }) => [node, stat.mzxid]));
    nerve.write(
      'd/web-7.yaml',
      service(path, { ...patient(server.port), port: 10_007, check_interval: 2, weight: 9 }),
    );
    const changed = async (): Promise<readonly string[]> =>
      (await children(session, path))
        .filter(({ path: node, stat }) => before.get(node) !== stat.mzxid)
        .map(({ data }) => data);
    await expect.poll(changed, { timeout: 10_000 }).toEqual([expect.stringContaining('"weight":9')]);
    const { services } = await nerve.status();
    expect(services.filter(({ health }) => health !== 'up')).toEqual([]);
    await nerve.stop('SIGTERM');
    expect(await nerve.exited).toBe(0);
    expect(await children(session, path)).toEqual([]);
  });
});
