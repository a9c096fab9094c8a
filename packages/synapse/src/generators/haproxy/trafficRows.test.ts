import { describe, expect, it } from 'vitest';
import { familiesOf, serversOf } from './trafficRows.js';
import type { Server, ServiceSections } from './types.js';

function sections(service: string, names: readonly string[]): ServiceSections {
  const servers = names.map((name): Server => {
    return { name, address: '10.0.0.1', port: 80, id: undefined, options: [], disabled: false };
  });
  return { service, backend: { name: service, lines: [], servers } };
}

describe('serversOf', () => {
  it('has those of a service and of its tiers', () => {
    const tier = sections('web@zone', ['b']);
    const families = familiesOf([sections('web', ['a', 'b']), tier, sections('api', ['c'])]);
    const [web, api] = [families.get('web')!, families.get('api')!];
    expect([...serversOf(web)].map(([name, keys]) => [name, keys.length])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    // What is kept of one family is not taken for another's.
    expect([...serversOf(api).keys()]).toEqual(['c']);
    expect([...serversOf(web).keys()]).toEqual(['a', 'b']);
  });

  it('is put together once for all servers of a family: for each it would take the square of their number', () => {
    const family = [sections('web', ['a', 'b'])];
    expect(serversOf(family)).toBe(serversOf(family));
    expect(serversOf([...family])).toEqual(serversOf(family));
  });
});
