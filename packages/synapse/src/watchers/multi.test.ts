import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { identityOf } from '../catalog/select.js';
import type { Snapshot } from '../catalog/types.js';
import type { ResolverOptions } from '../resolvers/index.js';
import { MultiBed, said } from '../testing/multiBed.js';

let bed: MultiBed;
let folder: string;

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'synapse-multi-'))));
afterEach(async () => {
  await bed.stop();
  rmSync(folder, { recursive: true });
  expect(bed.clock.pending).toBe(0);
});

describe('multi', () => {
  const sequential: ResolverOptions = { method: 'sequential', sequential_order: ['a', 'b'] };

  it('waits for the first of a sequence until the patience of the start is over', async () => {
    bed = new MultiBed(sequential, ['a', 'b']);
    bed.live('b', 'y');
    expect(bed.last).toBe('pending');
    expect(bed.parts).toEqual(['a pending 0', 'b live 1']);
    await bed.clock.advance(3_999);
    expect(bed.last).toBe('pending');
    await bed.clock.advance(1);
    expect(bed.last).toBe('live y');
    expect(bed.parts).toEqual(['a pending 0', 'b live 1 used']);
    bed.live('a', 'x');
    expect(bed.last).toBe('live x');
    expect(bed.logger.records.map(({ message, fields }) => [message, fields.watchers])).toEqual([
      ['the service has its instances from other watchers now', ['a']],
    ]);
  });

  it('counts each change of the watcher that counts, beginning with the first of the order, as Ruby does', async () => {
    bed = new MultiBed(sequential, ['a', 'b']);
    const to = (watcher: string): string =>
      `synapse.watcher.multi.resolver.sequential.switch result:success watcher:${watcher}`;
    bed.live('a', '');
    bed.live('b', 'y');
    expect(bed.sent).toEqual(['synapse.watcher.multi.start', to('b')]);
    bed.live('b', 'y z');
    bed.live('a', 'x');
    bed.live('a', 'x w');
    await bed.stop();
    expect(bed.sent.slice(2)).toEqual([to('a'), 'synapse.watcher.multi.stop']);
  });

  it('counts nothing where the first of the order counts from the start', () => {
    bed = new MultiBed(sequential, ['a', 'b']);
    bed.live('a', 'x');
    expect(bed.sent).toEqual(['synapse.watcher.multi.start']);
  });

  it('goes on to the next one when the first is lost for longer than it is waited for', async () => {
    bed = new MultiBed({ ...sequential, sequential_patience: 10 }, ['a', 'b']);
    bed.live('a', 'x');
    bed.live('b', 'y');
    bed.tell('a', said('stale', 'x'));
    expect(bed.last).toBe('stale x');
    await bed.clock.advance(6_000);
    // Said again, it is not lost anew.
    bed.tell('a', said('stale', 'x'));
    await bed.clock.advance(4_000);
    expect(bed.last).toBe('live y');
    bed.live('a', 'x');
    expect(bed.last).toBe('live x');
    bed.tell('a', said('stale', 'x'));
    await bed.clock.advance(9_999);
    expect(bed.last).toBe('stale x');
  });

  it('starts a watcher that failed again, and calls what it told stale', async () => {
    bed = new MultiBed({ method: 'union' }, ['a', 'b']);
    bed.live('a', 'x');
    bed.live('b', 'y');
    expect(bed.last).toBe('live x y');
    bed.fail('a', new Error('a bug'));
    await vi.waitFor(() => expect(bed.last).toBe('stale x y'));
    await bed.clock.advance(60_000);
    bed.live('a', 'z');
    expect(bed.last).toBe('live z y');
  });

  it('filters what a watcher tells by its own labels', () => {
    bed = new MultiBed({ method: 'union' }, ['filtered', 'b']);
    bed.live('b', 'y');
    bed.tell('filtered', {
      status: 'live',
      instances: [
        { host: 'in', port: 1, labels: { az: 'a' } },
        { host: 'out', port: 1, labels: { az: 'b' } },
      ],
    });
    expect(bed.last).toBe('live in y');
  });

  it('shows what is wrong in any of its sources', () => {
    bed = new MultiBed({ method: 'union' }, ['a', 'b']);
    bed.tell('a', { ...said('live', 'x'), problems: [{ path: '/a', reason: 'bad' }] } as Snapshot);
    bed.live('b', 'y');
    expect(bed.snapshots.at(-1)).toMatchObject({ problems: [{ path: '/a', reason: 'bad' }] });
  });
});

describe('entries', () => {
  it('are those of all watchers', () => {
    bed = new MultiBed({ method: 'union' }, ['a', 'b']);
    expect(bed.watcher.entries?.()).toEqual([{ place: 'a: /a/1' }, { place: 'b: /b/1' }]);
  });
});

describe('file_toggle', () => {
  const file = () => join(folder, 'toggle.yaml');
  const put = (text: string): void => {
    writeFileSync(`${file()}.tmp`, text);
    renameSync(`${file()}.tmp`, file());
  };
  const startToggle = (): void => {
    bed = new MultiBed({ method: 'file_toggle', file: file() }, ['primary', 'other'], { real: true });
    bed.live('primary', 'p');
    bed.live('other', 'o');
  };
  const messages = () => bed.logger.records.map(({ message }) => message);
  const awaited = (expected: string) =>
    vi.waitFor(() => expect(bed.last).toBe(expected), { timeout: 10_000 });

  it('follows its file, and keeps its choice while that is bad or gone', async () => {
    put('primary: 0\nother: 1\n');
    startToggle();
    await awaited('live o');
    put('primary: [');
    await vi.waitFor(
      () => expect(messages()).toContain('weights cannot be used, the choice of a watcher stays'),
      { timeout: 10_000 },
    );
    expect(bed.last).toBe('live o');
    expect(bed.snapshots.at(-1)).toMatchObject({ problems: [{ path: file() }] });
    put('primary: 1\nother: 0\n');
    await awaited('live p');
    expect(bed.snapshots.at(-1)).not.toHaveProperty('problems');
    rmSync(file());
    await vi.waitFor(() => expect(bed.snapshots.at(-1)).toMatchObject({ problems: [{ path: file() }] }), {
      timeout: 10_000,
    });
    expect(bed.last).toBe('live p');
  });

  it.each([
    ['names a watcher that there is not', 'other: 1\nnobody: 99\n', 'live o'],
    ['has nothing but zeros', 'other: 0\nprimary: 0\n', 'live p'],
    ['is too large', `other: 1\n${'# filler\n'.repeat(10_000)}`, 'live p'],
  ])('says that its file %s', async (_, text, expected) => {
    put(text);
    startToggle();
    await vi.waitFor(() => expect(bed.snapshots.at(-1)).toMatchObject({ problems: [{ path: file() }] }));
    await awaited(expected);
  });
});

it('says from which watcher each instance comes: the first of those that are used', () => {
  bed = new MultiBed({ method: 'union' }, ['a', 'b']);
  expect(bed.watcher.origins?.()).toEqual(new Map());
  bed.live('a', 'x y');
  bed.live('b', 'y z');
  const origins = ['x', 'y', 'z'].map((host) => [identityOf({ host, port: 1 }), host === 'z' ? 'b' : 'a']);
  expect([...(bed.watcher.origins?.() ?? [])]).toEqual(origins);
});

it('says so of those that are held or kept, too', async () => {
  bed = new MultiBed({ method: 'sequential', sequential_order: ['a', 'b'] }, ['a', 'b'], { holds: true });
  bed.live('b', 'p q r s');
  bed.live('a', '');
  await bed.clock.advance(5_000);
  bed.live('b', 'p');
  expect(bed.last).toBe('live p q* r* s*');
  expect([...(bed.watcher.origins?.() ?? new Map()).values()]).toEqual(['b', 'b', 'b', 'b']);
});
