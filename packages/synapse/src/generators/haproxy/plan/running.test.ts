import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outlineOf } from '../desired/outline.js';
import { aService } from '../testing/sections.js';
import { replacedSince, type Running, runningIn, withReplaced } from './running.js';

const names = ['a', 'b', 'c', 'unknown'];
const pool: readonly Running[] = [new Map(), new Map(), new Map()];
const states = [
  ['a', 'b', 'c'],
  ['c', 'a'],
  ['b', 'lacking'],
].map((services) => services.map((service) => aService([], { service })));

const look = fc.record({
  replaced: fc.dictionary(fc.constantFrom(...names), fc.constantFrom(...pool)),
  services: fc.constantFrom(...states),
});

describe('what runs of each service', () => {
  it('is what the process has under its name, whatever was read again before', () => {
    fc.assert(
      fc.property(fc.array(look), (looks) => {
        let backends: ReadonlyMap<string, Running> = new Map(names.map((name) => [name, pool[0]!]));
        for (const { replaced, services } of looks) {
          const before = backends;
          backends = withReplaced(before, new Map(Object.entries(replaced)));
          const expected = services.map(({ backend }) => backends.get(backend.name));
          const found = runningIn(backends, outlineOf(services));
          expect(found.length).toBe(expected.length);
          found.forEach((each, index) => expect(each).toBe(expected[index]));
          expect(Object.fromEntries(replacedSince(before, backends))).toEqual(replaced);
          expect(replacedSince(new Map(), backends)).toBe(backends);
        }
      }),
    );
  });
});
