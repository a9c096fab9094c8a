import type { ZkPath, ZkSession } from '@smartstack/registry';
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { children, childrenOf, type Nerve, type Node, observe, ready, startNerve } from './bed.ts';
import { freshPath, serviceAt, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const service = (path: ZkPath, extra: object = {}): object => serviceAt(bed.address, path, extra);

function home(): string {
  const folder = makeTempDir('nerve');
  onTestFinished(() => removeTempDir(folder));
  return folder;
}

/** Writes an order as an operator does by hand. */
function order(folder: string, name: string, content: object): void {
  writeFileSync(join(folder, 'orders', `${name}.json`), JSON.stringify(content));
}

function weightOf({ data }: Node): number | undefined {
  return (JSON.parse(data) as { weight?: number }).weight;
}

async function onlyChild(session: ZkSession, path: ZkPath): Promise<Node> {
  const [node] = await childrenOf(session, path, 1);
  if (!node) throw new Error('no node');
  return node;
}

async function summary(nerve: Nerve): Promise<string> {
  return JSON.stringify((await nerve.status()).services[0]);
}

describe('a drained service', () => {
  it('is withdrawn, stays so over kill -9 and a new start, and comes back when the order goes', async () => {
    const [path, folder] = [freshPath(), home()];
    const session = observe(bed.address);
    const options = { main: { services: { web: service(path) } }, folder, env: { STATE_DIRECTORY: folder } };
    const first = await startNerve(options);
    await childrenOf(session, path, 1);
    order(folder, 'web', { drain: { reason: 'new disk', by: 'ann' } });
    await childrenOf(session, path, 0);
    await first.stop('SIGKILL');
    const second = await startNerve(options);
    await ready(second);
    expect(await summary(second)).toMatch(/"health":"up".*"drain":\{"reason":"new disk","by":"ann"/);
    await holds(async () => (await children(session, path)).length === 0, {
      what: 'it stays out',
      forMs: 500,
    });
    rmSync(join(folder, 'orders', 'web.json'));
    await childrenOf(session, path, 1);
    expect(await summary(second)).not.toContain('drain');
  });

  it('is brought back by a start at which nobody may read its order, which is told, and drained as soon as that can be read', async () => {
    const [path, other, folder] = [freshPath(), freshPath(), home()];
    const session = observe(bed.address);
    const services = {
      web: service(path, { node_type: 'persistent' }),
      api: service(other),
    };
    const options = { main: { services, state_dir: folder }, folder };
    const first = await startNerve(options);
    const before = await onlyChild(session, path);
    await first.stop('SIGKILL');
    await childrenOf(session, other, 0);
    const [orders, aside] = [join(folder, 'orders'), join(folder, 'aside')];
    renameSync(orders, aside);
    // Nobody can read a link to itself, root included.
    symlinkSync('orders', orders);
    const second = await startNerve(options);
    await childrenOf(session, other, 1);
    expect(second.output).toContain('orders cannot be read, services are registered without them');
    writeFileSync(join(aside, 'api.json'), JSON.stringify({ drain: { reason: 'new disk' } }));
    rmSync(orders);
    renameSync(aside, orders);
    await childrenOf(session, other, 0);
    expect((await onlyChild(session, path)).stat.czxid).toBe(before.stat.czxid);
    expect(JSON.stringify((await second.status()).services)).toContain('"reason":"new disk"');
  });

  it('is drained with the whole host, unless it is excluded', async () => {
    const [path, folder] = [freshPath(), home()];
    const session = observe(bed.address);
    const services = {
      web: service(path),
      agent: service(path, { port: 8081, exclude_from_drain_all: true }),
    };
    await startNerve({ main: { services, state_dir: folder }, folder });
    await childrenOf(session, path, 2);
    order(folder, '@host', { drain: {} });
    expect((await onlyChild(session, path)).data).toContain('8081');
    rmSync(join(folder, 'orders', '@host.json'));
    await childrenOf(session, path, 2);
  });
});

describe('a weight', () => {
  it('set at run time is written in place, and survives kill -9 and a new start', async () => {
    const [path, folder] = [freshPath(), home()];
    const session = observe(bed.address);
    const options = { main: { services: { web: service(path, { weight: 7 }) }, state_dir: folder }, folder };
    const first = await startNerve(options);
    const before = await onlyChild(session, path);
    expect(weightOf(before)).toBe(7);
    order(folder, 'web', { weight: { value: 0 } });
    const after = await eventually(
      async () => {
        const node = await onlyChild(session, path);
        return weightOf(node) === 0 ? node : undefined;
      },
      { what: 'the weight is written' },
    );
    expect(after.path).toBe(before.path);
    expect(after.stat.czxid).toBe(before.stat.czxid);
    await first.stop('SIGKILL');
    const second = await startNerve(options);
    await ready(second);
    const nodes = await children(session, path);
    expect(nodes.map(weightOf)).toEqual(nodes.map(() => 0));
  });

  it('grows after a registration, in the same node, for every caller to see', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const web = service(path, { weight: 100, slow_start: { duration: 3, shape: 'linear' } });
    await startNerve({ main: { services: { web } } });
    const seen: Node[] = [await onlyChild(session, path)];
    await eventually(
      async () => {
        const node = await onlyChild(session, path);
        if (weightOf(node) !== weightOf(seen.at(-1) ?? node)) seen.push(node);
        return weightOf(node) === 100;
      },
      { what: 'it has its whole weight', intervalMs: 5, timeoutMs: 10_000 },
    );
    const weights = seen.map((node) => weightOf(node) ?? 0);
    // Of twenty; on a busy machine we come late, and miss some.
    expect(weights.length).toBeGreaterThan(3);
    expect(weights).toEqual(weights.toSorted((a, b) => a - b));
    expect(new Set(seen.map(({ path: node, stat }) => `${node} ${stat.czxid}`)).size).toBe(1);
    // No weight was written twice; creation is version 0, and the latest one wins on a busy machine.
    expect(seen.at(-1)?.stat.version).toBeLessThanOrEqual(19);
  });
});

describe('drain_on_stop', () => {
  const drained = (path: ZkPath, command: string): object => ({
    drain_on_stop: true,
    services: { web: service(path, { drain: { min_time: 0.3, done_command: command, done_interval: 0.1 } }) },
  });

  it('withdraws at once, and ends when callers have let go (trap 27: only where it is asked to)', async () => {
    const [path, folder] = [freshPath(), home()];
    const session = observe(bed.address);
    const gone = join(folder, 'gone');
    const nerve = await startNerve({ main: drained(path, `test -e ${gone}`), folder });
    await childrenOf(session, path, 1);
    nerve.signal('SIGTERM');
    await childrenOf(session, path, 0);
    await eventually(() => nerve.output.includes('callers have not let go yet'), { what: 'it has asked' });
    await holds(() => nerve.running, { what: 'it waits', forMs: 300 });
    writeFileSync(gone, '');
    expect(await nerve.exited).toBe(0);
  });

  it('is cut short by a second signal, which leaves nothing behind', async () => {
    const [path, folder] = [freshPath(), home()];
    const session = observe(bed.address);
    const pid = join(folder, 'pid');
    const nerve = await startNerve({ main: drained(path, `sleep 1000 & echo $! >${pid}; wait`), folder });
    await childrenOf(session, path, 1);
    nerve.signal('SIGTERM');
    await eventually(() => existsSync(pid) && readFileSync(pid, 'utf8').endsWith('\n'), { what: 'it asks' });
    expect(await children(session, path)).toEqual([]);
    nerve.signal('SIGTERM');
    expect(await nerve.exited).toBe(1);
    const left = `/proc/${readFileSync(pid, 'utf8').trim()}/status`;
    await eventually(() => !existsSync(left) || /^State:\s+[ZX]/m.test(readFileSync(left, 'utf8')), {
      what: 'the command is gone',
    });
  });
});
