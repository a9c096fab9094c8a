import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { untangled } from './untangle.js';

type Call = readonly [string, string];
const layersOf = (...names: readonly string[]) =>
  names.map((layer) => Array.from(layer).map((id) => ({ id })));
const order = (layers: ReturnType<typeof layersOf>, calls: readonly Call[]) =>
  untangled(
    layers,
    calls.map(([from, to]) => ({ from, to })),
  ).map((layer) => layer.map(({ id }) => id).join(''));

describe('layers', () => {
  it('have everybody beside whom it is connected with', () => {
    expect(
      order(layersOf('abc', 'xyz'), [
        ['a', 'z'],
        ['b', 'y'],
        ['c', 'x'],
      ]),
    ).toEqual(['abc', 'zyx']);
  });

  it('keep their order where nothing is won', () => {
    expect(
      order(layersOf('h', 'abc'), [
        ['h', 'a'],
        ['h', 'b'],
        ['h', 'c'],
      ]),
    ).toEqual(['h', 'abc']);
  });

  it('lose and invent nobody', () => {
    const name = fc.constantFrom(...Array.from('abcdefghi'));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, name), { maxLength: 30 }), (calls) => {
        const sorted = order(layersOf('abc', 'def', 'ghi'), calls);
        expect(sorted.map((layer) => Array.from(layer).sort().join(''))).toEqual(['abc', 'def', 'ghi']);
      }),
    );
  });
});
