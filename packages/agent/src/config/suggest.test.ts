import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { knownKeys } from './knownKeys.js';
import { closest } from './suggest.js';

describe('closest', () => {
  const keys = ['zk_hosts', 'zk_path', 'checks', 'check_interval', 'host', 'port', 'rise', 'fall'];

  it.each([
    ['zk_host', 'zk_hosts'],
    ['zkHosts', 'zk_hosts'],
    ['ZK-HOSTS', 'zk_hosts'],
    ['chekcs', 'checks'],
    ['prot', 'port'],
    ['checkinterval', 'check_interval'],
    ['x', undefined],
    ['', undefined],
    ['haproxy', undefined],
    ['frontend', undefined],
  ])('takes %j for %j', (word, key) => expect(closest(word, keys)).toBe(key));

  it('does not dwell on a very long word', () => {
    const started = performance.now();
    expect(closest('x'.repeat(1_000_000), keys)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('knownKeys', () => {
  interface Tree {
    readonly [name: string]: Tree;
  }
  const tree: z.ZodType<Tree> = z.lazy(() => z.record(z.string(), tree));
  const schema = z.preprocess(
    (value) => value,
    z
      .strictObject({
        one: z.object({ a: z.string() }).optional(),
        list: z
          .array(z.union([z.object({ b: z.string() }), z.object({ c: z.string() }).nullable()]))
          .default([]),
        pair: z.tuple([z.object({ d: z.string() })]).readonly(),
        both: z.intersection(z.object({ e: z.string() }), z.object({ f: z.string() })),
        any: z.looseObject({ g: z.string() }).transform((value) => value.g),
        tree,
      })
      .catchall(z.object({ h: z.string() })),
  );

  it.each([
    [[], ['one', 'list', 'pair', 'both', 'any', 'tree']],
    [['one'], ['a']],
    [
      ['list', 3],
      ['b', 'c'],
    ],
    [['pair', 0], ['d']],
    [['both'], ['e', 'f']],
    [['any'], ['g']],
    [['other'], ['h']],
    [['tree', 'x', 'y'], []],
    [['one', 'a', 'deeper'], []],
  ])('at %j are %j', (path, keys) => expect([...knownKeys(schema, path)]).toEqual(keys));
});
