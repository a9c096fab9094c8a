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
        const { gone, come, alikeAtStart, alikeAtEnd } = difference(before, now);
        expect(gone).toEqual(before.filter((one) => !now.includes(one)));
        expect(come).toEqual(now.filter((one) => !before.includes(one)));
        expect(now.slice(0, alikeAtStart)).toEqual(before.slice(0, alikeAtStart));
        expect(now.slice(now.length - alikeAtEnd)).toEqual(before.slice(before.length - alikeAtEnd));
        expect(alikeAtStart + alikeAtEnd).toBeLessThanOrEqual(Math.min(before.length, now.length));
      }),
    );
  });

  it('finds one that comes or goes anywhere', () => {
    for (const [at, one] of instances.entries()) {
      const others = instances.toSpliced(at, 1);
      expect(difference(others, instances)).toMatchObject({ gone: [], come: [one], alikeAtStart: at });
      expect(difference(instances, others)).toMatchObject({ gone: [one], come: [], alikeAtStart: at });
    }
  });

  it('takes an equal instance for another one', () => {
    const [first] = instances;
    const copy = { ...first! };
    expect(difference([first!], [copy])).toMatchObject({ gone: [first], come: [copy] });
  });
});
