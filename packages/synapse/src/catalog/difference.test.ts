import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { difference } from './difference.js';

const instances: readonly Instance[] = Array.from({ length: 8 }, (_, at) => ({
  host: `10.0.0.${at}`,
  port: 80,
}));
const list = fc.uniqueArray(fc.constantFrom(...instances));

describe('difference', () => {
  it('is what one list has and the other has not, whatever their order', () => {
    fc.assert(
      fc.property(list, list, (before, now) => {
        expect(difference(before, now)).toEqual({
          gone: before.filter((one) => !now.includes(one)),
          come: now.filter((one) => !before.includes(one)),
        });
      }),
    );
  });

  it('finds one that comes or goes anywhere', () => {
    for (const [at, one] of instances.entries()) {
      const others = instances.toSpliced(at, 1);
      expect(difference(others, instances)).toEqual({ gone: [], come: [one] });
      expect(difference(instances, others)).toEqual({ gone: [one], come: [] });
    }
  });

  it('takes an equal instance for another one', () => {
    const [first] = instances;
    const copy = { ...first! };
    expect(difference([first!], [copy])).toEqual({ gone: [first], come: [copy] });
  });
});
