import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashOf } from '../file/fileHash.js';
import { loadedBy } from './beliefs.js';
import { BeliefStore } from './beliefStore.js';
import { withIntended } from './loadedState.js';
import { aServer, aService, aState } from '../testing/sections.js';

const process = { pid: 10, startedAt: 1_000 };
const state = aState([aService([aServer('a')])]);
const service = state.services[0]!.service;

describe('BeliefStore', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'beliefs-'));
    path = join(dir, 'loaded.json');
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('knows after a restart what it knew before, of the same process only', async () => {
    const store = await BeliefStore.open(path);
    store.written = { desired: state, sha256: hashOf('x'), at: 5 };
    store.setRunning('/sock', process, state);
    await store.save();
    const next = await BeliefStore.open(path);
    expect(next.written).toEqual(store.written);
    expect(next.running('/sock', process)).toEqual(state);
    expect(next.running('/sock', { ...process, startedAt: 1_001 })).toBeUndefined();
    expect(next.running('/sock', { ...process, pid: 11 })).toBeUndefined();
    expect(next.running('/other', process)).toBeUndefined();
  });

  it('owns servers that were about to be added when it was killed', async () => {
    const store = await BeliefStore.open(path);
    store.setRunning('/sock', process, state);
    await store.save();
    await store.intend('/sock', process, [{ service, server: aServer('b') }]);
    await appendFile(`${path}.intents-1`, '{"socket":"/sock","pro');
    const next = await BeliefStore.open(path);
    const names = next.running('/sock', process)?.services[0]?.backend.servers.map(({ name }) => name);
    expect(names).toEqual(['a', 'b']);
    expect(
      await BeliefStore.open(path).then((again) => again.running('/sock', { ...process, pid: 9 })),
    ).toBeUndefined();
  });

  it('does not know which one runs of a server that was being replaced when it was killed', async () => {
    const store = await BeliefStore.open(path);
    store.setRunning('/sock', process, state);
    await store.save();
    await store.intend('/sock', process, [{ service, server: { ...aServer('a'), options: ['backup'] } }]);
    const next = await BeliefStore.open(path);
    const expected = { ...aServer('a'), unconfirmed: true };
    expect(next.running('/sock', process)?.services[0]?.backend.servers).toEqual([expected]);
    // It is remembered, until it is known.
    await next.save();
    const later = await BeliefStore.open(path);
    expect(later.running('/sock', process)?.services[0]?.backend.servers).toEqual([expected]);
  });

  it('keeps what is intended while a snapshot is being written', async () => {
    const store = await BeliefStore.open(path);
    store.setRunning('/sock', process, state);
    const saving = store.save();
    await Promise.resolve();
    const both = aState([aService([aServer('a'), aServer('b')])]);
    store.setRunning('/sock', process, withIntended(state, both, new Map([['web', new Set(['b'])]])));
    await store.intend('/sock', process, [{ service, server: aServer('b') }]);
    await saving;
    const next = await BeliefStore.open(path);
    const names = next.running('/sock', process)?.services[0]?.backend.servers.map(({ name }) => name);
    expect(names).toEqual(['a', 'b']);
  });

  it('forgets intents once a snapshot holds them, and writes nothing twice', async () => {
    const store = await BeliefStore.open(path);
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
    const store = await BeliefStore.open(path);
    expect(store.written).toBeUndefined();
    expect(store.running('x', process)).toBeUndefined();
  });
});

describe('BeliefStore, on what another version wrote', () => {
  it('knows nothing of servers that lack what this one needs', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'beliefs-'));
    const path = join(dir, 'loaded.json');
    const store = await BeliefStore.open(path);
    store.setRunning('/sock', process, state);
    await store.save();
    await writeFile(path, (await readFile(path, 'utf8')).replace('"options"', '"words"'));
    expect((await BeliefStore.open(path)).running('/sock', process)).toBeUndefined();
    const fresh = await BeliefStore.open(join(dir, 'other.json'));
    fresh.setRunning('/sock', process, state);
    await fresh.save();
    const intent = { socket: '/sock', process, service, server: { name: 'b' } };
    await appendFile(join(dir, 'other.json.intents-0'), `${JSON.stringify(intent)}\n`);
    expect((await BeliefStore.open(join(dir, 'other.json'))).running('/sock', process)).toEqual(state);
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
