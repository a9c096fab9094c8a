import { type FileHandle, mkdtemp, open as openFile, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hashOf } from '../file/fileHash.js';
import { aServer, aService, aState } from '../testing/sections.js';
import type { DesiredState } from '../types.js';
import { BeliefStore } from './beliefStore.js';
import { withIntended } from './loadedState.js';

const process = { pid: 10, startedAt: 1_000 };
const state = aState([aService([aServer('a')])]);
const service = 'web';

const stores: BeliefStore[] = [];

async function open(path: string): Promise<BeliefStore> {
  const store = await BeliefStore.open(path, ['/sock']);
  stores.push(store);
  return store;
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

describe('BeliefStore, between snapshots', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'beliefs-'));
    path = join(dir, 'loaded.json');
  });
  afterEach(() => rm(dir, { recursive: true }));

  const api = aService([aServer('x')], { service: 'api' });
  const { base } = state;
  const written = (desired: DesiredState, at: number) => ({ desired, sha256: hashOf(String(at)), at });
  /** The same frame with web having these servers, and maybe others than `api`. */
  const withWeb = (names: readonly string[], others = [api]): DesiredState => ({
    base,
    services: [aService(names.map((name) => aServer(name))), ...others],
  });

  /** A store with a snapshot of web having `a`. */
  async function begun(): Promise<BeliefStore> {
    const store = await open(path);
    const first = withWeb(['a']);
    store.written = written(first, 1);
    store.setRunning('/sock', process, first);
    await store.save();
    return store;
  }

  /** Everything that is known of the file and the process, by whoever reads it anew. */
  async function known(): Promise<unknown> {
    const { written: file, ...next } = await open(path).then((store) => ({
      written: store.written,
      running: store.running('/sock', process),
    }));
    return { written: file, ...next };
  }

  it('keeps what changed, and that alone', async () => {
    const store = await begun();
    const size = (await readFile(path)).length;
    for (let at = 2; at < 12; at += 1) {
      const now = withWeb(['a', `b${at}`]);
      store.written = at === 7 ? { ...written(now, at), unchecked: true } : written(now, at);
      // It is told of servers before the file has them.
      if (at % 3 > 0) store.setRunning('/sock', process, at % 3 === 1 ? now : withWeb(['c']));
      await store.save();
      const running = store.running('/sock', process);
      expect(await known()).toEqual({ written: store.written, running });
    }
    expect((await readFile(path)).length).toBe(size);
    expect(await readFile(path, 'utf8')).not.toContain('"b2"');
  });

  it.each<[string, DesiredState]>([
    ['a service comes', withWeb(['a'], [api, aService([], { service: 'new' })])],
    ['a service goes', withWeb(['a'], [])],
    ['the frame is another one', aState([...withWeb(['a']).services], ['mode tcp'])],
    ['there is a shared frontend', { ...withWeb(['a']), sharedFrontend: { title: 'x', lines: ['y'] } }],
  ])('keeps all of it where %s', async (_, now) => {
    const store = await begun();
    store.written = written(now, 2);
    await store.save();
    expect(await known()).toMatchObject({ written: { desired: now } });
    expect((await readFile(path, 'utf8')).includes(hashOf('2'))).toBe(true);
  });

  it('keeps all of it once changes are long', async () => {
    const store = await begun();
    const names = Array.from({ length: 500 }, (_, index) => `s${index}`);
    for (let at = 2; at < 12; at += 1) {
      store.written = written(withWeb(names.slice(at)), at);
      await store.save();
    }
    expect(await known()).toMatchObject({ written: store.written });
    expect(await readFile(path, 'utf8')).toContain('s400');
    const journals = await Promise.all(
      [0, 1].map((each) => readFile(`${path}.intents-${each}`, 'utf8').catch(() => '')),
    );
    expect(journals.join('').length).toBeLessThan(512 * 1024);
  });

  it('loses no server that is about to be added while a change is being kept', async () => {
    const store = await begun();
    const now = withWeb(['a', 'b']);
    store.written = written(now, 2);
    store.setRunning('/sock', process, now);
    const saving = store.save();
    await Promise.resolve();
    const both = withWeb(['a', 'b', 'c']);
    store.setRunning('/sock', process, withIntended(now, both, new Map([['web', new Set(['c'])]])));
    await store.intend('/sock', process, [{ service, server: aServer('c') }]);
    await saving;
    const running = (await open(path)).running('/sock', process);
    expect(running?.services[0]?.backend.servers.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    // Nor does it come back once a change says what came of it.
    store.setRunning('/sock', process, withWeb(['b']));
    await store.save();
    expect((await open(path)).running('/sock', process)).toEqual(withWeb(['b']));
  });

  it.each([
    ['was cut short', (line: string) => line.slice(0, -9)],
    ['is missing', () => ''],
  ])('stops at a change that %s: what comes after it would say what is not so', async (_, damage) => {
    const store = await begun();
    for (const at of [2, 3]) {
      store.written = written(withWeb(['a', `b${at}`]), at);
      await store.save();
    }
    const journal = `${path}.intents-1`;
    const lines = (await readFile(journal, 'utf8')).split('\n');
    const first = lines.findIndex((line) => line.includes('b2'));
    await writeFile(journal, lines.map((line, at) => (at === first ? damage(line) : line)).join('\n'));
    expect(await known()).toMatchObject({ written: { at: 1 } });
  });

  it('writes all of it again after a change that may or may not be there', async () => {
    const store = await begun();
    const handle = await openFile(path);
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    vi.spyOn(prototype, 'datasync').mockRejectedValueOnce(new Error('EIO'));
    store.written = written(withWeb(['a', 'b']), 2);
    await expect(store.save()).rejects.toThrow(/Cannot write .*intents-1: EIO/);
    store.written = written(withWeb(['c']), 3);
    await store.save();
    expect(await readFile(path, 'utf8')).toContain(hashOf('3'));
    store.written = written(withWeb(['d']), 4);
    await store.save();
    expect(await known()).toMatchObject({ written: store.written });
  });

  it('does not take a change for written of which a full disk took a part', async () => {
    const store = await begun();
    const handle = await openFile(path);
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    // What `write` does then: it is content.
    const part = vi.spyOn(prototype, 'write').mockResolvedValue({ bytesWritten: 3, buffer: '' });
    store.written = written(withWeb(['a', 'b']), 2);
    await store.save();
    part.mockRestore();
    expect(await known()).toMatchObject({ written: store.written });
  });
});
