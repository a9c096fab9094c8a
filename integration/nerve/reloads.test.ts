import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { children, childrenOf, type Nerve, observe, ready, startNerve } from './bed.ts';
import { freshPath, serviceAt, zooKeeperForAll } from './services.ts';

/** With sessions as long as nerve asks for: what is tested is that no change of a file costs a registration. */
const bed = zooKeeperForAll([]);
/** Ten thousand states of files, each of which is seen to be applied; it reads no more than 20 times in a second. */
const [files, rounds] = [500, 20];

/** What a process holds of the machine: memory in MB, and descriptors. */
function held({ pid }: Nerve): { readonly memory: number; readonly descriptors: number } {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return { memory: Number(kilobytes) / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** Puts a folder in the place of the one that is read, with one rename, as a mounted ConfigMap is changed. */
function publish(home: string, version: number, definitions: readonly object[]): void {
  const folder = join(home, `v${version}`);
  mkdirSync(folder);
  for (const [index, definition] of definitions.entries())
    writeFileSync(join(folder, `s${index}.json`), JSON.stringify(definition));
  symlinkSync(folder, join(home, 'next'));
  renameSync(join(home, 'next'), join(home, 'd'));
  rmSync(join(home, `v${version - 1}`), { recursive: true, force: true });
}

describe('a configuration that changes ten thousand times', () => {
  it('is applied each time, and leaves one registration for each service, and nothing else', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const folder = makeTempDir('nerve-reloads');
    onTestFinished(() => removeTempDir(folder));
    const change = (weight: number): void => {
      const all = Array.from({ length: files }, (_, index) =>
        serviceAt(bed.address, path, { port: 10_000 + index, weight, check_interval: 30 }),
      );
      publish(folder, weight, all);
    };
    change(1);
    // What is said of each change would be most of the work.
    const main = { service_conf_dir: 'd', log: { level: 'warn' } };
    const nerve = await startNerve({ main, folder });
    await ready(nerve);
    const nodes = async (): Promise<ReadonlyMap<string, bigint>> =>
      new Map((await childrenOf(session, path, files)).map(({ path: at, stat }) => [at, stat.czxid]));
    const before = await nodes();
    let early = held(nerve);
    for (let round = 2; round <= rounds; round += 1) {
      change(round);
      const isApplied = ({ data }: { readonly data: string }): boolean => data.includes(`"weight":${round}}`);
      await eventually(async () => (await children(session, path)).every(isApplied), {
        what: `all files of round ${round} are applied`,
        timeoutMs: 15_000,
        intervalMs: 40,
      });
      if (round === rounds / 2) early = held(nerve);
    }
    await ready(nerve);
    // Not one of them was ever withdrawn.
    const after = await nodes();
    expect([...before].filter(([at, czxid]) => after.get(at) !== czxid)).toHaveLength(0);
    await eventually(() => Math.abs(held(nerve).descriptors - early.descriptors) < 5, {
      what: 'no descriptor is left behind',
    });
    expect(held(nerve).memory - early.memory).toBeLessThan(80);
    expect((await nerve.status()).config).toMatchObject({ valid: true, issues: [] });
    const { body } = await nerve.get('/metrics');
    const [, reloads] = /^smartstack_config_reload_total\{result="ok"\} (\d+)$/m.exec(body) ?? [];
    expect(Number(reloads)).toBeGreaterThanOrEqual(rounds - 1);
  }, 180_000);
});
