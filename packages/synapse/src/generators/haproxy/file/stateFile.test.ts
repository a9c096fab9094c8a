import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyMemory, type Memory } from '../desired/memory.js';
import { StateFile } from './stateFile.js';

function memoryOf(seen: number, ...ports: readonly number[]): Memory {
  const servers = new Map(
    ports.map((port) => [
      `10.0.0.1:${port}`,
      { instance: { host: '10.0.0.1', port }, serverId: port, seen: undefined },
    ]),
  );
  return new Map([['web', { servers, seen, block: undefined }]]);
}

describe('StateFile', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'state-'));
    path = join(dir, 'sub', 'state.json');
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('reads back what it wrote', async () => {
    const file = new StateFile(path, new FakeClock());
    await file.write(memoryOf(5, 80, 81));
    const again = await new StateFile(path, new FakeClock()).read();
    expect([...(again.get('web')?.servers.keys() ?? [])]).toEqual(['10.0.0.1:80', '10.0.0.1:81']);
  });

  it('is refreshed each minute, and soon after servers changed', async () => {
    const clock = new FakeClock();
    const file = new StateFile(path, clock);
    const text = async (): Promise<string> => readFile(path, 'utf8');
    await file.refresh(memoryOf(1, 80));
    const first = await text();
    await clock.advance(500);
    await file.refresh(memoryOf(2, 80, 81));
    expect(await text()).toBe(first);
    await clock.advance(500);
    await file.refresh(memoryOf(2, 80, 81));
    expect(await text()).toContain('10.0.0.1:81');
    await clock.advance(59_000);
    const before = await text();
    await file.refresh(memoryOf(9, 80, 81));
    expect(await text()).toBe(before);
    await clock.advance(1_000);
    await file.refresh(memoryOf(9, 80, 81));
    expect(await text()).toContain('"timestamp": 9');
  });

  it('starts from nothing when the file is missing, damaged or not wanted', async () => {
    expect(await new StateFile(path, new FakeClock()).read()).toEqual(emptyMemory);
    expect(await new StateFile(undefined, new FakeClock()).read()).toEqual(emptyMemory);
    await new StateFile(undefined, new FakeClock()).write(memoryOf(1, 80));
    await new StateFile(path, new FakeClock()).write(memoryOf(1, 80));
    await writeFile(path, '{"web": {');
    expect(await new StateFile(path, new FakeClock()).read()).toEqual(emptyMemory);
    expect((await stat(path)).isFile()).toBe(true);
  });
});
