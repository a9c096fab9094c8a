import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { dedupe, discoveredInstances, electLeader, filterByLabels } from './select.js';

const instance = (host: string, extra: Partial<Instance> = {}): Instance => ({ host, port: 80, ...extra });
const a = instance('10.0.0.1', { name: 'a', id: 7, labels: { az: 'a', canary: true } });
const b = instance('10.0.0.2', { name: 'b', id: 3, labels: { az: 'b' } });
const c = instance('10.0.0.3', { name: 'c', id: 5 });

describe('filterByLabels', () => {
  it.each([
    [{ label: 'az', value: 'a', condition: 'equals' }, [a]],
    [{ label: 'az', value: 'a', condition: 'not-equals' }, [b, c]],
    [{ label: 'az', value: null, condition: 'equals' }, [c]],
    [{ label: 'canary', value: true, condition: 'equals' }, [a]],
    [{ label: 'canary', value: 'true', condition: 'equals' }, []],
    [{ label: 'constructor', value: null, condition: 'equals' }, [a, b, c]],
  ] as const)('%j keeps the right instances', (filter, kept) => {
    expect(filterByLabels([a, b, c], [filter])).toEqual(kept);
  });

  it('needs all filters to agree', () => {
    const filters = [
      { label: 'az', value: 'b', condition: 'not-equals' },
      { label: 'canary', value: true, condition: 'not-equals' },
    ] as const;
    expect(filterByLabels([a, b, c], filters)).toEqual([c]);
  });

  it('compares structured labels by value', () => {
    const tagged = instance('h', { labels: { tags: ['x', 'y'] } });
    const filter = { label: 'tags', value: ['x', 'y'], condition: 'equals' } as const;
    expect(filterByLabels([tagged, a], [filter])).toEqual([tagged]);
  });
});

describe('dedupe', () => {
  it('keeps the first of each host, port and name', () => {
    const again = { ...a, weight: 9 };
    expect(dedupe([a, again, { ...a, name: 'z' }, { ...a, port: 81 }, b])).toEqual([
      a,
      { ...a, name: 'z' },
      { ...a, port: 81 },
      b,
    ]);
  });

  it('does not confuse fields that would join to the same text', () => {
    expect(dedupe([instance('h', { name: '","x' }), instance('h","', { name: 'x' })])).toHaveLength(2);
  });
});

describe('discoveredInstances', () => {
  it('leaves out those that say that they take no requests (trap 29)', () => {
    const rules = { keepDefaultServers: false, defaultServers: [] };
    expect(discoveredInstances([a, { ...b, available: false }, c], rules)).toEqual([a, c]);
    expect(discoveredInstances([{ ...b, available: false }], rules)).toEqual([]);
  });

  const rules = { keepDefaultServers: true, defaultServers: [instance('9.9.9.9')] };

  it('overrides the port of discovered and kept default servers, then drops duplicates', () => {
    const told = [a, { ...a, port: 8080 }];
    expect(discoveredInstances(told, { ...rules, backendPortOverride: 7 })).toEqual([
      { ...a, port: 7 },
      instance('9.9.9.9', { port: 7 }),
    ]);
  });
});

describe('electLeader', () => {
  it('chooses the smallest id, as a number', () => {
    expect(electLeader([{ ...a, id: 10 }, { ...b, id: 9 }, c])).toEqual({ leader: c });
  });

  it('chooses nobody when the order is incomplete (trap 29) or there is nobody', () => {
    expect(electLeader([a, instance('no-id')])).toEqual({ failure: 'an instance has no id' });
    expect(electLeader([])).toEqual({ failure: 'no instance' });
  });

  it('is the same on every host, in whatever order it lists the instances', () => {
    const ids = fc.uniqueArray(fc.nat(), { minLength: 1 });
    const shuffled = ids.chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        const elect = (order: number[]) => electLeader(order.map((id) => instance(`h${id}`, { id })));
        expect(elect(list)).toEqual(elect(other));
      }),
    );
  });
});
