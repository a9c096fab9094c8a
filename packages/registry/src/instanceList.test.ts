import { describe, expect, it } from 'vitest';
import type { Instance } from './instance.js';
import { instanceList } from './instanceList.js';
import { instanceListSchema } from './instanceListSchema.js';

const instance = (host: string, port: number, more: object = {}): Instance => ({ host, port, ...more });

describe('instanceList', () => {
  it('is in the order of host, port, name and id, whatever the order of the registry', () => {
    const wanted = [
      instance('a', 80, { name: 'x', id: 1 }),
      instance('a', 80, { name: 'x', id: 2 }),
      instance('a', 80, { name: 'y' }),
      instance('a', 81),
      instance('b', 80),
    ];
    const found = { service: 'web', source: 'live' as const, instances: wanted.toReversed(), problems: [] };
    expect(instanceList(found).instances).toEqual(wanted);
  });

  it('has only what its schema says, and the first 50 problems', () => {
    const problems = Array.from({ length: 60 }, (_, index) => ({ path: `/${index}`, reason: 'bad' }));
    const odd = instance('a', 80, { weight: 0, labels: { az: 'x' }, haproxyServerOptions: 'x', secret: 1 });
    const list = instanceList({ service: 'web', source: 'stale', instances: [odd], problems });
    expect(instanceListSchema.parse(list)).toEqual(list);
    expect(list.instances).toEqual([
      { host: 'a', port: 80, weight: 0, labels: { az: 'x' }, haproxyServerOptions: 'x' },
    ]);
    expect(list.problems).toHaveLength(50);
  });
});
