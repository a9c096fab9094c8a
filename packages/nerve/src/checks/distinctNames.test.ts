import { describe, expect, it } from 'vitest';
import { distinctNames } from './distinctNames.js';

describe('names of checks', () => {
  it.each([
    [[], []],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [
      ['http', 'http', 'tcp', 'http'],
      ['http', 'http-2', 'tcp', 'http-3'],
    ],
    [
      ['a', 'a', 'a-2'],
      ['a', 'a-3', 'a-2'],
    ],
    [
      ['a-2', 'a', 'a', 'a-2'],
      ['a-2', 'a', 'a-3', 'a-2-2'],
    ],
    [
      ['', ''],
      ['', '-2'],
    ],
  ])('%j are told apart', (names, distinct) => {
    expect(distinctNames(names)).toEqual(distinct);
  });
});
