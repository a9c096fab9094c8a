import { RecordingLogger } from '@smartstack/agent/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sameSnapshot } from './childrenSnapshot.js';
import { sameEndpoint } from './endpoint.js';
import { isZooKeeperError, serverError } from './errors.js';
import { Limiter } from './limiter.js';
import { Listeners } from './listeners.js';
import { addChroot, baseName, childPath, isSequenced, parentOf, removeChroot } from './paths.js';
import { requestProblem } from './transportLimits.js';
import type { ChildResult, ChildrenSnapshot, Stat } from './types.js';

describe('paths', () => {
  it('come apart and together again', () => {
    expect([parentOf('/'), parentOf('/a'), parentOf('/a/b')]).toEqual(['/', '/', '/a']);
    expect([baseName('/a'), baseName('/a/b')]).toEqual(['a', 'b']);
    expect([childPath('/', 'a'), childPath('/a', 'b')]).toEqual(['/a', '/a/b']);
  });

  it('survive a chroot there and back', () => {
    const segment = fc.stringMatching(/^[a-z]{1,4}$/);
    const path = fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join('/')}` as const);
    fc.assert(
      fc.property(path, path, (chroot, inside) => {
        const root = chroot === '/' ? '' : chroot;
        expect(removeChroot(root, addChroot(root, inside))).toBe(inside);
      }),
    );
    expect(removeChroot('/jail', '/jailbreak/x')).toBe('/jailbreak/x');
  });

  it.each([
    ['i_0000000001', 'i_', true],
    ['i_-2147483648', 'i_', true],
    ['i_000000001', 'i_', false],
    ['i_x0000000001', 'i_', false],
    ['i_10000000001', 'i_', false],
    ['i_10000000001', 'i_1', true],
    ['i_', 'i_', false],
    ['j_0000000001', 'i_', false],
  ])('%s as a sequenced %s: %s', (child, prefix, expected) => {
    expect(isSequenced(child, prefix)).toBe(expected);
  });
});

describe('sameEndpoint', () => {
  const of = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  it.each([
    [of({ host: 'h', port: 1 }), of({ port: 1, host: 'h', weight: 3 }), true],
    [of({ host: 'h', port: '1' }), of({ host: 'h', port: 1 }), true],
    [of({ host: 'h', port: 1 }), of({ host: 'h', port: 2 }), false],
    [of({ host: 'h' }), of({ host: 'h' }), true],
    [of({ host: 'h' }), of({ host: 'h', x: 1 }), false],
    [of(null), of(7), false],
    [Buffer.from('not json'), Buffer.from('nor this'), false],
    [Buffer.from('same'), Buffer.from('same'), true],
  ])('case %#', (a, b, expected) => {
    expect(sameEndpoint(a, b)).toBe(expected);
  });
});

describe('sameSnapshot', () => {
  const stat = (mzxid: bigint): Stat => ({ mzxid }) as Stat;
  const data = (text: string, mzxid = 1n): ChildResult => ({
    kind: 'data',
    data: Buffer.from(text),
    stat: stat(mzxid),
  });
  const of = (...children: [string, ChildResult][]): ChildrenSnapshot => ({
    exists: true,
    data: Buffer.alloc(0),
    children: new Map(children),
  });
  it('looks at content and order, not at versions', () => {
    expect(sameSnapshot(of(['a', data('1')]), of(['a', data('1', 9n)]))).toBe(true);
    expect(sameSnapshot(of(['a', data('1')]), of(['a', data('2')]))).toBe(false);
    expect(sameSnapshot(of(['a', data('1')], ['b', data('1')]), of(['b', data('1')], ['a', data('1')]))).toBe(
      false,
    );
    expect(sameSnapshot(of(), { ...of(), exists: false })).toBe(false);
    expect(sameSnapshot(of(), { ...of(), data: Buffer.from('x') })).toBe(false);
    expect(sameSnapshot(of(['a', { kind: 'skipped' }]), of(['a', { kind: 'skipped' }]))).toBe(true);
    expect(sameSnapshot(of(['a', { kind: 'skipped' }]), of(['a', data('1')]))).toBe(false);
    const error = (message: string): ChildResult => ({ kind: 'error', error: new Error(message) });
    expect(sameSnapshot(of(['a', error('x')]), of(['a', error('x')]))).toBe(true);
    expect(sameSnapshot(of(['a', error('x')]), of(['a', error('y')]))).toBe(false);
  });
});

describe('Limiter', () => {
  it('never runs more than its limit, runs all, in order, and outlives failures', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 7 })), { maxLength: 30 }),
        async (limit, tasks) => {
          const fails = tasks.map(([fail]) => fail);
          const limiter = new Limiter(limit);
          let running = 0;
          let most = 0;
          const started: number[] = [];
          const results = await Promise.allSettled(
            tasks.map(([fail, weight], i) =>
              limiter.run(async () => {
                // One that is heavier than the limit runs alone.
                const own = Math.min(weight, limit);
                started.push(i);
                running += own;
                most = Math.max(most, running);
                await new Promise((resolve) => setImmediate(resolve));
                running -= own;
                if (fail) throw new Error('x');
              }, weight),
            ),
          );
          expect(most).toBeLessThanOrEqual(limit);
          expect(started).toEqual(fails.map((_, i) => i));
          expect(results.map(({ status }) => status === 'rejected')).toEqual(fails);
          expect(limiter.waiting).toBe(0);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('Listeners', () => {
  it('go on after one that throws, and forget one that was taken away', () => {
    const log = new RecordingLogger();
    const listeners = new Listeners<[number]>(log);
    const heard: number[] = [];
    listeners.add(() => {
      throw new Error('bug');
    });
    const remove = listeners.add((value) => void heard.push(value));
    listeners.emit(1);
    remove();
    listeners.emit(2);
    expect(heard).toEqual([1]);
    expect(log.records).toHaveLength(2);
  });
});

describe('errors', () => {
  it('map every code, known or not', () => {
    fc.assert(
      fc.property(fc.integer({ min: -200, max: 200 }), (code) => {
        const error = serverError(code, { op: 'getData', path: '/x' });
        expect(isZooKeeperError(error)).toBe(true);
        expect(error.message).toContain('getData /x: ');
      }),
    );
    expect(serverError(-101, { op: 'exists' })).toMatchObject({
      kind: 'NoNode',
      code: 'zookeeper.NoNode',
      retriable: false,
    });
    expect(serverError(-999, { op: 'exists' }).kind).toBe('Other');
  });
});

describe('requestProblem', () => {
  it('refuses what a server would hang up on', () => {
    expect(
      requestProblem('create', { path: '/a', data: Buffer.alloc(1_048_400), mode: 'persistent' }),
    ).toBeUndefined();
    expect(
      requestProblem('create', { path: '/a', data: Buffer.alloc(1_048_500), mode: 'persistent' })?.kind,
    ).toBe('TooLarge');
    expect(requestProblem('exists', { path: '/a\u0000b', watch: false })?.kind).toBe('BadArguments');
    expect(requestProblem('exists', { path: '/ä-ö', watch: false })).toBeUndefined();
  });
});
