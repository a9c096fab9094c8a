import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { children, childrenOf, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, tcp, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const minuteMs = 60_000;

/** Shifts the wall clock of a process by the milliseconds in a file, as setting the host's would. */
const shift = (file: string): string => `
import { readFileSync } from 'node:fs';
const real = Date.now.bind(Date);
Date.now = () => real() + Number(readFileSync(${JSON.stringify(file)}, 'utf8') || 0);
`;

describe('a clock that is set', () => {
  it('changes no registration in ZooKeeper, and a file counts again within a second', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const { port } = await app();
    const folder = makeTempDir('nerve-clock');
    onTestFinished(() => removeTempDir(folder));
    const [registry, offset, preload] = ['registry', 'offset', 'shift.mjs'].map((name) => join(folder, name));
    if (!registry || !offset || !preload) throw new Error('three names');
    writeFileSync(offset, '0');
    writeFileSync(preload, shift(offset));
    const services = {
      web: serviceAt(bed.address, path, tcp(port)),
      file: { ...serviceAt(bed.address, path, tcp(port)), reporter_type: 'file', file_directory: registry },
    };
    const env = { NODE_OPTIONS: `--import=${preload}` };
    const nerve = await startNerve({ main: { services }, env });
    await ready(nerve);
    const [before] = await childrenOf(session, path, 1);
    const name = 'file@i-0abc.json';
    const file = join(registry, name);
    const content = readFileSync(file, 'utf8');
    for (const jumpMs of [60 * minuteMs, -60 * minuteMs, 1e6 * minuteMs, -1e6 * minuteMs]) {
      writeFileSync(offset, String(jumpMs));
      await eventually(() => Math.abs(statSync(file).mtimeMs - (Date.now() + jumpMs)) < 2_000, {
        what: `it is fresh after a jump by ${jumpMs} ms`,
        timeoutMs: 5_000,
        intervalMs: 20,
      });
      await holds(
        async () => {
          expect(await children(session, path)).toEqual([before]);
          return readdirSync(registry).includes(name);
        },
        { what: 'both stand', forMs: 300 },
      );
      await ready(nerve);
    }
    expect(readFileSync(file, 'utf8')).toBe(content);
    const transitions = (await nerve.status()).services.map((one) => one.transitions.map(({ to }) => to));
    expect(transitions).toEqual([['up'], ['up']]);
  });
});
