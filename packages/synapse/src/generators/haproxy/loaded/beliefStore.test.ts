import { appendFile, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hashOf } from '../file/fileHash.js';
import { loadedBy } from './beliefs.js';
import { BeliefStore } from './beliefStore.js';
import { withIntended } from './loadedState.js';
import { aServer, aService, aState } from '../testing/sections.js';

const process = { pid: 10, startedAt: 1_000 };
const state = aState([aService([aServer('a')])]);
const service = state.services[0]!.service;

const stores: BeliefStore[] = [];

async function open(path: string, sockets: readonly string[] = ['/sock']): Promise<BeliefStore> {
  const store = await BeliefStore.open(path, sockets);
  stores.push(store);
  return store;
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

/** How many descriptors of this process lead to files whose path begins with `path`. */
async function openFiles(path: string): Promise<number> {
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(links)).filter((link) => link.startsWith(path)).length;
}

const eventuallyOpen = async (path: string): Promise<number> =>
  vi.waitFor(async () => {
    const count = await openFiles(path);
    expect(count).toBeGreaterThan(0);
    return count;
  });

describe('BeliefStore', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'beliefs-'));
    path = join(dir, 'loaded.json');
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('knows after a restart what it knew before, of the same process only', async () => {
    const store = await open(path);
    store.written = { desired: state, sha256: hashOf('x'), at: 5 };
    store.setRunning('/sock', process, state);
    await store.save();
    const next = await open(path);
    expect(next.written).toEqual(store.written);
    expect(next.running('/sock', process)).toEqual(state);
    expect(next.running('/sock', { ...process, startedAt: 1_001 })).toBeUndefined();
    expect(next.running('/sock', { ...process, pid: 11 })).toBeUndefined();
    expect(next.running('/other', process)).toBeUndefined();
    expect(next.lastServers).toEqual([...state.services, ...state.services]);
  });

  it('owns servers that were about to be added when it was killed', async () => {
    const store = await open(path);
    store.setRunning('/sock', process, state);
    await store.save();
    await store.intend('/sock', process, [{ service, server: aServer('b') }]);
    await appendFile(`${path}.intents-1`, '{"socket":"/sock","pro');
    const next = await open(path);
    const names = next.running('/sock', process)?.services[0]?.backend.servers.map(({ name }) => name);
    expect(names).toEqual(['a', 'b']);
    expect(await open(path).then((again) => again.running('/sock', { ...process, pid: 9 }))).toBeUndefined();
  });

  it('remembers servers of a process of which it had written nothing else', async () => {
    const store = await open(path);
    await store.intend('/sock', process, [{ service, server: aServer('b') }]);
    const next = await open(path);
    expect(next.running('/sock', process)).toBeUndefined();
    expect(next.lastServers).toEqual([{ service, backend: { servers: [aServer('b')] } }]);
    expect(next.serversOf(service)).toEqual([aServer('b')]);
    expect(next.serversOf('other')).toBeUndefined();
    expect((await open(path, ['/another'])).serversOf(service)).toBeUndefined();
    // More is known now: it runs without.
    next.setRunning('/sock', process, state);
    expect(next.serversOf(service)).toEqual([aServer('a')]);
    await next.save();
    expect((await open(path)).lastServers).toEqual(state.services);
    expect((await open(path, ['/another'])).lastServers).toEqual([]);
  });

  it('does not know which one runs of a server that was being replaced when it was killed', async () => {
    const store = await open(path);
    store.setRunning('/sock', process, state);
    await store.save();
    await store.intend('/sock', process, [{ service, server: { ...aServer('a'), options: ['backup'] } }]);
    const next = await open(path);
    const expected = { ...aServer('a'), unconfirmed: true };
    expect(next.running('/sock', process)?.services[0]?.backend.servers).toEqual([expected]);
    // It is remembered, until it is known.
    await next.save();
    const later = await open(path);
    expect(later.running('/sock', process)?.services[0]?.backend.servers).toEqual([expected]);
  });

  it('keeps what is intended while a snapshot is being written', async () => {
    const store = await open(path);
    store.setRunning('/sock', process, state);
    const saving = store.save();
    await Promise.resolve();
    const both = aState([aService([aServer('a'), aServer('b')])]);
    store.setRunning('/sock', process, withIntended(state, both, new Map([['web', new Set(['b'])]])));
    await store.intend('/sock', process, [{ service, server: aServer('b') }]);
    await saving;
    const next = await open(path);
    const names = next.running('/sock', process)?.services[0]?.backend.servers.map(({ name }) => name);
    expect(names).toEqual(['a', 'b']);
  });

  it('notes intents in whichever journal is in use, and lets go of the files when it is closed', async () => {
    const store = await open(path);
    store.setRunning('/sock', process, state);
    await store.save();
    // Open before it is needed.
    expect(await eventuallyOpen(path)).toBe(1);
    for (const name of ['b', 'c']) {
      await store.intend('/sock', process, [{ service, server: aServer(name) }]);
    }
    await store.close();
    expect(await openFiles(path)).toBe(0);
    const next = await open(path);
    const names = next.running('/sock', process)?.services[0]?.backend.servers.map(({ name }) => name);
    expect(names).toEqual(['a', 'b', 'c']);
  });

  it('goes on where its folder is gone, and notes again once it is back', async () => {
    const gone = join(dir, 'gone', 'loaded.json');
    const store = await open(gone);
    store.setRunning('/sock', process, state);
    await store.intend('/sock', process, [{ service, server: aServer('b') }]);
    await mkdir(join(dir, 'gone'));
    await store.intend('/sock', process, [{ service, server: aServer('c') }]);
    await store.close();
    expect(await readFile(`${gone}.intents-0`, 'utf8')).toContain('"name":"c"');
  });

  it('forgets intents once a snapshot holds them, and writes nothing twice', async () => {
    const store = await open(path);
    await store.intend('/sock', process, [{ service, server: aServer('b') }]);
    store.setRunning('/sock', process, state);
    await store.save();
    await expect(readFile(`${path}.intents-0`)).rejects.toThrow(/ENOENT/);
    await rm(path);
    await store.save();
    await expect(readFile(path)).rejects.toThrow(/ENOENT/);
  });

  it.each([
    '',
    '{',
    '[]',
    '{"format":1,"written":{"desired":3}}',
    '{"format":2}',
    '{"format":1,"running":[{"socket":"x"}]}',
    'null',
    '{"format":1,"written":{"desired":{"base":[],"services":[{}]},"sha256":"h","at":1},"running":[]}',
    '{"format":1,"running":[{"socket":"x","desired":{"base":[],"services":[]}}]}',
  ])('takes a damaged file (%j) for ignorance', async (text) => {
    await writeFile(path, text);
    const store = await open(path);
    expect(store.written).toBeUndefined();
    expect(store.running('x', process)).toBeUndefined();
  });
});

describe('BeliefStore, on what another version wrote', () => {
  it('knows nothing of servers that lack what this one needs', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'beliefs-'));
    const path = join(dir, 'loaded.json');
    const store = await open(path);
    store.setRunning('/sock', process, state);
    await store.save();
    await writeFile(path, (await readFile(path, 'utf8')).replace('"options"', '"words"'));
    expect((await open(path)).running('/sock', process)).toBeUndefined();
    const fresh = await open(join(dir, 'other.json'));
    fresh.setRunning('/sock', process, state);
    await fresh.save();
    const intent = { socket: '/sock', process, service, server: { name: 'b' } };
    await appendFile(join(dir, 'other.json.intents-0'), `${JSON.stringify(intent)}\n`);
    expect((await open(join(dir, 'other.json'))).running('/sock', process)).toEqual(state);
    await rm(dir, { recursive: true });
  });
});

describe('loadedBy', () => {
  const written = { desired: state, sha256: 'h', at: 99_500 };
  const start = (startedAt: number) => ({ startedAt, uptimeSeconds: 0, now: startedAt * 1000 + 5_000 });

  it('trusts the file on disk only when it is ours and older than the worker', () => {
    expect(loadedBy(start(100), written, 'h')).toBe(state);
    expect(loadedBy(start(99), written, 'h')).toBeUndefined();
    expect(loadedBy(start(100), written, 'other')).toBeUndefined();
    expect(loadedBy(start(100), written, undefined)).toBeUndefined();
    expect(loadedBy(start(100), undefined, 'h')).toBeUndefined();
  });

  it('does not trust a start that lies in the future because the clock was set back', () => {
    const worker = { startedAt: 200, uptimeSeconds: 10, now: 100_000 };
    expect(loadedBy(worker, written, 'h')).toBeUndefined();
  });
});
