import type { Instance } from '@smartstack/registry';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Snapshot } from '../catalog/types.js';
import { createResolver, type ResolverOptions, resolverSchema } from './index.js';
import type { ResolverInput, ResolverSource } from './types.js';
import { chooseByWeight, parseWeights, weightsProblem } from './weights.js';

const host = (name: string): Instance => ({ host: name, port: 1 });
const source = (
  name: string,
  status: Snapshot['status'],
  hosts = '',
  waitedFor = false,
  generatorConfig?: Record<string, unknown>,
): ResolverSource => ({
  name,
  waitedFor,
  snapshot:
    status === 'pending'
      ? { status }
      : {
          status,
          instances: hosts === '' ? [] : hosts.split(' ').map(host),
          ...(generatorConfig && { generatorConfig }),
        },
});

function resolve(
  options: ResolverOptions,
  sources: readonly ResolverSource[],
  more: Partial<ResolverInput> = {},
) {
  const resolution = createResolver(options).resolve({ sources, seed: 'me', ...more });
  if (resolution.kind === 'wait') return 'wait';
  const { status, instances } = resolution.snapshot;
  return `${status} ${instances.map((one) => one.host).join(' ')} of ${resolution.used.join(' ')}`;
}

describe('union', () => {
  const union: ResolverOptions = { method: 'union' };

  it('is everything that its watchers know, the first of each', () => {
    const sources = [source('a', 'live', 'x y'), source('b', 'live', 'y z')];
    expect(resolve(union, sources)).toBe('live x y z of a b');
  });

  it('waits for a watcher that told nothing yet, for a time', () => {
    const known = source('a', 'live', 'x');
    expect(resolve(union, [known, source('b', 'pending', '', true)])).toBe('wait');
    expect(resolve(union, [known, source('b', 'pending')])).toBe('stale x of a');
    expect(resolve(union, [source('a', 'pending'), source('b', 'pending')])).toBe('wait');
  });

  it('keeps what a lost watcher knew, and says so', () => {
    expect(resolve(union, [source('a', 'live', 'x'), source('b', 'stale', 'y')])).toBe('stale x y of a b');
  });

  it('takes the first generator blocks that there are', () => {
    const resolution = createResolver(union).resolve({
      seed: '',
      sources: [
        source('a', 'live', 'x', false, {}),
        source('b', 'live', 'y', false, { haproxy: { port: 1 } }),
        source('c', 'live', 'z', false, { haproxy: { port: 2 } }),
      ],
    });
    expect(resolution).toMatchObject({ snapshot: { generatorConfig: { haproxy: { port: 1 } } } });
  });
});

describe('sequential', () => {
  const sequential: ResolverOptions = { method: 'sequential', sequential_order: ['a', 'b'] };

  it.each([
    ['the first that has instances', [source('b', 'live', 'y'), source('a', 'live', 'x')], 'live x of a'],
    ['the next one when the first has none', [source('a', 'live'), source('b', 'live', 'y')], 'live y of b'],
    [
      'neither while the first told nothing yet',
      [source('a', 'pending', '', true), source('b', 'live', 'y')],
      'wait',
    ],
    ['the next one when its time is up', [source('a', 'pending'), source('b', 'live', 'y')], 'live y of b'],
    [
      'the first while it is lost, for a time',
      [source('a', 'stale', 'x', true), source('b', 'live', 'y')],
      'stale x of a',
    ],
    ['the next one when that is up', [source('a', 'stale', 'x'), source('b', 'live', 'y')], 'live y of b'],
    ['a lost one rather than an empty one', [source('a', 'stale', 'x'), source('b', 'live')], 'stale x of a'],
    ['nothing when those that answer have none', [source('a', 'stale'), source('b', 'live')], 'live  of b'],
    ['nothing when all are empty', [source('a', 'live'), source('b', 'live')], 'live  of a'],
    ['nothing while nobody knows anything', [source('a', 'pending'), source('b', 'pending')], 'wait'],
    [
      'what a lost one knew, though the other is pending',
      [source('a', 'stale', 'x'), source('b', 'pending')],
      'stale x of a',
    ],
  ] as const)('takes %s', (_, sources, expected) => {
    expect(resolve(sequential, sources)).toBe(expected);
  });

  it('wants each watcher once in its order', () => {
    const check = (order: readonly string[], watchers: readonly string[]) =>
      createResolver({ method: 'sequential', sequential_order: [...order] })
        .check(watchers)
        .map(({ path, message }) => `${path.join('.')}: ${message}`);
    expect(check(['a', 'b'], ['b', 'a'])).toEqual([]);
    expect(check(['a', 'c', 'a'], ['a', 'b'])).toEqual([
      'sequential_order.1: There is no watcher c: a, b',
      'sequential_order.2: a stands twice',
      'sequential_order: The watcher b has no place in the order: add it, or remove the watcher',
    ]);
  });

  it('never has fewer instances than the watcher it would be without the others', () => {
    const status = fc.constantFrom('pending', 'live', 'stale');
    const arbitrary = fc.record({ status, hosts: fc.constantFrom('', 'x', 'x y'), waitedFor: fc.boolean() });
    fc.assert(
      fc.property(arbitrary, arbitrary, (first, second) => {
        const sources = [
          source('a', first.status, first.hosts, first.waitedFor),
          source('b', second.status, second.hosts, second.waitedFor),
        ];
        const resolution = createResolver(sequential).resolve({ sources, seed: '' });
        const isAnyKnown = sources.some(
          ({ snapshot }) => snapshot.status !== 'pending' && snapshot.instances.length > 0,
        );
        // Empty only when all that spoke are.
        return resolution.kind === 'wait' || !isAnyKnown || resolution.snapshot.instances.length > 0;
      }),
    );
  });
});

describe.each<ResolverOptions>([
  { method: 'file_toggle', file: '/toggle.yaml' },
  { method: 's3_toggle', s3_url: 's3://bucket/a/key', s3_polling_interval_seconds: 5 },
])('$method', (options) => {
  const primary = source('primary', 'live', 'p');
  const other = source('other', 'live', 'o');

  it('takes the watcher that the weights choose', () => {
    const weights = new Map([
      ['other', 1],
      ['primary', 0],
    ]);
    expect(resolve(options, [primary, other], { weights })).toBe('live o of other');
  });

  it('waits for the weights for a time, then takes primary, or else the first', () => {
    expect(resolve(options, [other, primary], { waitsForWeights: true })).toBe('wait');
    expect(resolve(options, [other, primary])).toBe('live p of primary');
    expect(resolve(options, [other, source('more', 'live', 'm')])).toBe('live o of other');
  });

  it('waits for a chosen watcher that told nothing yet', () => {
    const weights = new Map([['other', 1]]);
    expect(resolve(options, [primary, source('other', 'pending')], { weights })).toBe('wait');
  });

  it('knows where its weights are', () => {
    expect(createResolver(options).weights).toEqual(
      options.method === 'file_toggle'
        ? { kind: 'file', file: '/toggle.yaml' }
        : { kind: 's3', bucket: 'bucket', key: 'a/key', everyMs: 5000 },
    );
  });
});

describe('weights', () => {
  it('deal hosts out in proportion', () => {
    const weights = new Map([
      ['a', 1],
      ['b', 3],
      ['none', 0],
    ]);
    const chosen = Array.from({ length: 4000 }, (_, index) => chooseByWeight(weights, `host-${index}`));
    expect(chosen).not.toContain('none');
    const share = chosen.filter((name) => name === 'b').length / chosen.length;
    expect(share).toBeGreaterThan(0.72);
    expect(share).toBeLessThan(0.78);
  });

  it('move hosts only to the watcher whose weight grows', () => {
    const weight = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(fc.string(), weight, weight, fc.integer({ min: 1, max: 100 }), (seed, a, b, more) => {
        const before = chooseByWeight(
          new Map([
            ['a', a],
            ['b', b],
          ]),
          seed,
        );
        const after = chooseByWeight(
          new Map([
            ['b', b + more],
            ['a', a],
          ]),
          seed,
        );
        return after === 'b' || after === before;
      }),
    );
  });

  it.each([
    [
      'a: 1\nb: 0\n',
      [
        ['a', 1],
        ['b', 0],
      ],
    ],
    ['{"a": 5}', [['a', 5]]],
    ['{}', []],
  ])('are read from %j', (text, expected) => {
    expect([...parseWeights(text)]).toEqual(expected);
  });

  it.each([
    ['', /file is empty/],
    ['a: [', /line 1/],
    ['a: -1', /weight of "a" is not a whole number/],
    ['a: 1.5', /whole number/],
    ['a: many', /whole number/],
    ['- a', /expected a mapping/],
    ['a', /expected a mapping/],
    ['a: &x [*x]', /./],
    ['<!doctype html><html></html>', /./],
  ])('are not read from %j', (text, reason) => {
    expect(() => parseWeights(text)).toThrow(reason);
  });

  it('say what is wrong with them', () => {
    const watchers = ['a', 'b'];
    expect(weightsProblem(new Map([['a', 1]]), watchers)).toBeUndefined();
    expect(weightsProblem(new Map([['a', 0]]), watchers)).toBe('no weight is above 0');
    expect(weightsProblem(new Map([['c', 1]]), watchers)).toBe('no watcher is called "c": there are a, b');
  });
});

describe('resolverSchema', () => {
  it.each([
    [{ method: 'fallback' }, /There is no resolver fallback: .*use sequential with a sequential_order/],
    [{ method: 7 }, /Expected a method: union, sequential/],
    [{ method: 's3_toggle', s3_url: 'http://x', s3_polling_interval_seconds: 1 }, /s3:\/\/bucket\/key/],
    [{ method: 'file_toggle', file: 'relative' }, /absolute path/],
  ])('refuses %j with the way out', (options, message) => {
    const result = resolverSchema(options).safeParse(options);
    expect(result.error?.issues.map((issue) => issue.message).join()).toMatch(message);
  });

  it('knows the base of the Ruby pair, which has no instances', () => {
    expect(resolve({ method: 'base' }, [source('a', 'live', 'x')])).toBe('live  of ');
  });
});
