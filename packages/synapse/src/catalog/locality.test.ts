import type { Instance, Json } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import { instancesWithin, knownLevels, levelName, type Location, nowhere } from './locality.js';

const here: Location = new Map([
  ['zone', 'a'],
  ['region', '1'],
]);
const at = (host: string, labels?: Readonly<Record<string, Json>>): Instance => ({
  ...{ host, port: 80 },
  ...(labels && { labels }),
});

describe('instancesWithin', () => {
  const near = at('near', { zone: 'a', region: '1', rack: 'r' });
  const wide = at('wide', { zone: 'b', region: '1' });
  const all = [at('bare'), wide, at('far', { zone: 'a', region: '2' }), near, at('half', { zone: 'a' })];

  it('takes those that agree at all levels, in their order; one without the labels is far', () => {
    expect(instancesWithin(all, ['zone', 'region'], here)).toEqual([near]);
    expect(instancesWithin(all, ['region'], here)).toEqual([wide, near]);
    expect(instancesWithin(all, [], here)).toEqual(all);
  });

  it('compares values as text, and nothing but plain values', () => {
    const values: readonly Json[] = [1, '1', '1 ', true, null, [1], { a: '1' }, ''];
    const instances = values.map((region) => at(JSON.stringify(region), { region }));
    expect(instancesWithin(instances, ['region'], here).map(({ host }) => host)).toEqual(['1', '"1"']);
  });

  it("sees no label that is Object's own", () => {
    const location = new Map([['constructor', String(Object)]]);
    expect(instancesWithin([at('x', {}), at('y')], ['constructor'], location)).toEqual([]);
  });
});

describe('knownLevels', () => {
  it.each<[Location, readonly string[]]>([
    [here, ['zone', 'region']],
    [new Map([['region', '1']]), ['region']],
    // Two zones may well have one name in two regions.
    [new Map([['zone', 'a']]), []],
    [nowhere, []],
  ])('at %o', (location, levels) => {
    expect(knownLevels(['zone', 'region'], location)).toEqual(levels);
  });
});

it.each(['zone\n\tserver evil', 'a b', '', 'a@b', 'x'.repeat(65)])(
  '%j cannot be the name of a level',
  (name) => {
    expect(levelName.test(name)).toBe(false);
  },
);
