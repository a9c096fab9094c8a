import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Snapshot, Watcher } from '../catalog/types.js';
import { createResolver, type ResolverOptions } from '../resolvers/index.js';
import { createMulti } from './multi/run.js';
import type { WatcherContext } from './types.js';

const instances = (hosts: string): readonly Instance[] =>
  hosts === '' ? [] : hosts.split(' ').map((host) => ({ host, port: 1 }));
const live = (hosts: string): Snapshot => ({ status: 'live', instances: instances(hosts) });
const stale = (hosts: string): Snapshot => ({ status: 'stale', instances: instances(hosts) });

let clock: FakeClock;
let logger: RecordingLogger;
let snapshots: Snapshot[];
let stop: AbortController;
let done: Promise<void>;
let folder: string;
/** What each watcher may tell, by name. */
const tell: Record<string, (snapshot: Snapshot) => void> = {};
const failing = new Map<string, (error: Error) => void>();

beforeEach(() => {
  clock = new FakeClock();
  logger = new RecordingLogger();
  snapshots = [];
  stop = new AbortController();
  failing.clear();
  folder = mkdtempSync(join(tmpdir(), 'synapse-multi-'));
});
afterEach(async () => {
  stop.abort();
  await done;
  rmSync(folder, { recursive: true });
  expect(clock.pending).toBe(0);
});

function start(resolver: ResolverOptions, names: readonly string[], real = false): void {
  const watchers = new Map(
    names.map((name) => [
      name,
      {
        create: () => ({
          run: (emit: (snapshot: Snapshot) => void, signal: AbortSignal) =>
            new Promise<void>((resolve, reject) => {
              tell[name] = emit;
              failing.set(name, reject);
              signal.addEventListener('abort', () => resolve());
            }),
        }),
        labelFilters: name === 'filtered' ? [{ label: 'az', value: 'a', condition: 'equals' as const }] : [],
      },
    ]),
  );
  const context = {
    patienceMs: real ? 200 : 5_000,
    clock: real ? systemClock : clock,
    logger,
    protect: (watcher: Watcher) => watcher,
  } as unknown as WatcherContext;
  const options = { watchers, resolver: createResolver(resolver), host: 'me' };
  done = createMulti(options, context).run((snapshot) => void snapshots.push(snapshot), stop.signal);
}

function last(): string {
  const snapshot = snapshots.at(-1);
  if (snapshot === undefined || snapshot.status === 'pending') return 'pending';
  return `${snapshot.status} ${snapshot.instances.map(({ host }) => host).join(' ')}`;
}
const parts = () =>
  (snapshots.at(-1)?.parts ?? []).map(
    ({ name, status, instances: count, used }) => `${name} ${status} ${count}${used ? ' used' : ''}`,
  );

describe('multi', () => {
  const sequential: ResolverOptions = { method: 'sequential', sequential_order: ['a', 'b'] };

  it('waits for the first of a sequence until the patience of the start is over', async () => {
    start(sequential, ['a', 'b']);
    tell.b?.(live('y'));
    expect(last()).toBe('pending');
    expect(parts()).toEqual(['a pending 0', 'b live 1']);
    await clock.advance(3_999);
    expect(last()).toBe('pending');
    await clock.advance(1);
    expect(last()).toBe('live y');
    expect(parts()).toEqual(['a pending 0', 'b live 1 used']);
    tell.a?.(live('x'));
    expect(last()).toBe('live x');
    expect(logger.records.map(({ message, fields }) => [message, fields.watchers])).toEqual([
      ['the service has its instances from other watchers now', ['a']],
    ]);
  });

  it('goes on to the next one when the first is lost for longer than it is waited for', async () => {
    start({ ...sequential, sequential_patience: 10 }, ['a', 'b']);
    tell.a?.(live('x'));
    tell.b?.(live('y'));
    tell.a?.(stale('x'));
    expect(last()).toBe('stale x');
    await clock.advance(6_000);
    // Said again, it is not lost anew.
    tell.a?.(stale('x'));
    await clock.advance(4_000);
    expect(last()).toBe('live y');
    tell.a?.(live('x'));
    expect(last()).toBe('live x');
    tell.a?.(stale('x'));
    await clock.advance(9_999);
    expect(last()).toBe('stale x');
  });

  it('starts a watcher that failed again, and calls what it told stale', async () => {
    start({ method: 'union' }, ['a', 'b']);
    tell.a?.(live('x'));
    tell.b?.(live('y'));
    expect(last()).toBe('live x y');
    failing.get('a')?.(new Error('a bug'));
    await vi.waitFor(() => expect(last()).toBe('stale x y'));
    await clock.advance(60_000);
    tell.a?.(live('z'));
    expect(last()).toBe('live z y');
  });

  it('filters what a watcher tells by its own labels', () => {
    start({ method: 'union' }, ['filtered', 'b']);
    tell.b?.(live('y'));
    tell.filtered?.({
      status: 'live',
      instances: [
        { host: 'in', port: 1, labels: { az: 'a' } },
        { host: 'out', port: 1, labels: { az: 'b' } },
      ],
    });
    expect(last()).toBe('live in y');
  });

  it('shows what is wrong in any of its sources', () => {
    start({ method: 'union' }, ['a', 'b']);
    tell.a?.({ ...live('x'), problems: [{ path: '/a', reason: 'bad' }] } as Snapshot);
    tell.b?.(live('y'));
    expect(snapshots.at(-1)).toMatchObject({ problems: [{ path: '/a', reason: 'bad' }] });
  });
});

describe('file_toggle', () => {
  const file = () => join(folder, 'toggle.yaml');
  const put = (text: string): void => {
    writeFileSync(`${file()}.tmp`, text);
    renameSync(`${file()}.tmp`, file());
  };
  const startToggle = (): void => {
    start({ method: 'file_toggle', file: file() }, ['primary', 'other'], true);
    tell.primary?.(live('p'));
    tell.other?.(live('o'));
  };
  const messages = () => logger.records.map(({ message }) => message);
  const awaited = (expected: string) => vi.waitFor(() => expect(last()).toBe(expected), { timeout: 10_000 });

  it('follows its file, and keeps its choice while that is bad or gone', async () => {
    put('primary: 0\nother: 1\n');
    startToggle();
    await awaited('live o');
    put('primary: [');
    await vi.waitFor(
      () => expect(messages()).toContain('weights cannot be used, the choice of a watcher stays'),
      { timeout: 10_000 },
    );
    expect(last()).toBe('live o');
    expect(snapshots.at(-1)).toMatchObject({ problems: [{ path: file() }] });
    put('primary: 1\nother: 0\n');
    await awaited('live p');
    expect(snapshots.at(-1)).not.toHaveProperty('problems');
    rmSync(file());
    await vi.waitFor(() => expect(snapshots.at(-1)).toMatchObject({ problems: [{ path: file() }] }), {
      timeout: 10_000,
    });
    expect(last()).toBe('live p');
  });

  it.each([
    ['names a watcher that there is not', 'other: 1\nnobody: 99\n', 'live o'],
    ['has nothing but zeros', 'other: 0\nprimary: 0\n', 'live p'],
    ['is too large', `other: 1\n${'# filler\n'.repeat(10_000)}`, 'live p'],
  ])('says that its file %s', async (_, text, expected) => {
    put(text);
    startToggle();
    await vi.waitFor(() => expect(snapshots.at(-1)).toMatchObject({ problems: [{ path: file() }] }));
    await awaited(expected);
  });
});
