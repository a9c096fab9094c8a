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
    const families = familiesOf([sections('web', ['a', 'b']), sections('api', ['c'])]);
    expect([...serversOf(families.get('web')!).keys()]).toEqual(['a', 'b']);
    expect([...serversOf(families.get('api')!).keys()]).toEqual(['c']);
    expect([...serversOf(families.get('web')!).keys()]).toEqual(['a', 'b']);
  });

  it('is put together once for all servers of a family: for each it would take the square of their number', () => {
    const family = [sections('web', ['a', 'b'])];
    expect(serversOf(family)).toBe(serversOf(family));
    expect(serversOf([...family])).toEqual(serversOf(family));
  });
});
