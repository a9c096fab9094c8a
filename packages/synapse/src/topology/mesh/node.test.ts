import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeNode, encodeNode, type HostNode, maxNodeBytes } from './node.js';

const node = (given: Partial<HostNode> = {}): HostNode => ({
  ...{ instanceId: 'vm-1', zone: 'a', agent: '1.0', api: undefined, services: ['web'], isCut: false },
  edges: [{ source: 'web', destination: 'orders', identity: 'listener' }],
  ...given,
});
const read = (value: unknown) => decodeNode(Buffer.from(JSON.stringify(value)));
const least = { v: 1, instance_id: 'a', edges: [] };

describe('the node of a host', () => {
  it('is compact JSON, which is read back', () => {
    expect(encodeNode(node()).toString()).toBe(
      '{"v":1,"instance_id":"vm-1","zone":"a","agent":"1.0","services":["web"],"edges":[["web","orders","listener"]]}',
    );
    expect(decodeNode(encodeNode(node()))).toEqual(node());
  });

  it('is cut, and says so, rather than too large, as close to the limit as it can be', () => {
    const name = 'x'.repeat(90);
    const edges = Array.from({ length: 1_000 }, (_, index) => ({
      ...{ source: `${name}${index}`, destination: name, identity: 'user' as const },
    }));
    const data = encodeNode(node({ edges }));
    expect(data.length).toBeLessThanOrEqual(maxNodeBytes);
    expect(data.length).toBeGreaterThan(maxNodeBytes - 300);
    const back = decodeNode(data) as HostNode;
    expect(back).toMatchObject({ isCut: true, services: ['web'] });
    expect(back.edges).toEqual(edges.slice(0, back.edges.length));
    const services = Array.from({ length: 1_000 }, (_, index) => `${name}${name}${index}`);
    expect(decodeNode(encodeNode(node({ services, edges })))).toMatchObject({ isCut: true });
  });

  it('that somebody else wrote is understood as far as it can be', () => {
    expect(read({ ...least, more: 1, services: 7, agent: 3 })).toMatchObject({
      ...{ instanceId: 'a', services: [], agent: 'unknown' },
    });
    expect(
      read({
        ...least,
        edges: [
          ['a', 'b'],
          ['c', 'd', 'telepathy'],
        ],
      }),
    ).toMatchObject({
      edges: [{ identity: 'unknown' }, { source: 'c', identity: 'unknown' }],
    });
  });

  it.each([
    [{ ...least, v: 2 }, 'version'],
    [{ v: 2 }, 'version'],
    [{ ...least, v: '1' }, 'malformed'],
    [{ ...least, edges: [['a']] }, 'malformed'],
    [{ ...least, edges: [['a', 'x'.repeat(300)]] }, 'malformed'],
    [{ ...least, edges: Array.from({ length: 1_001 }, () => ['a', 'b']) }, 'malformed'],
    [{ ...least, instance_id: '' }, 'malformed'],
    [null, 'malformed'],
    [[], 'malformed'],
    ['x'.repeat(maxNodeBytes), 'tooLarge'],
  ])('is not used when it is another, or makes no sense: %#', (value, expected) => {
    expect(read(value)).toBe(expected);
  });

  it('never throws, whatever it holds', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeNode(Buffer.from(bytes))));
    fc.assert(fc.property(fc.json(), (text) => void decodeNode(Buffer.from(text))));
  });
});
