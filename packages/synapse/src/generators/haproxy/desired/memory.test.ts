import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expireMemory } from './expire.js';
import { assignIds } from './ids.js';
import {
  emptyMemory,
  lastDiscovered,
  type Memory,
  parseMemory,
  type RememberedServer,
  sameServers,
  serialiseMemory,
  serviceMemory,
} from './memory.js';

const instance = (host: string): Instance => ({ host, port: 80 });
/** Servers of `web` by host; those seen last (at 100, if nothing is said) were in rotation then. */
const remember = (entries: Readonly<Record<string, Partial<RememberedServer>>>): Memory => {
  const last = Math.max(...Object.values(entries).map(({ seen = 100 }) => seen));
  const servers = Object.entries(entries).map(([host, { serverId, seen = 100 }]) => {
    const remembered = { instance: instance(host), serverId, seen: seen === last ? undefined : seen };
    return [`${host}:80`, remembered] as const;
  });
  return new Map([['web', { block: undefined, seen: last, servers: new Map(servers) }]]);
};
const web = (memory: Memory) => serviceMemory(memory, 'web');

describe("Ruby's state file", () => {
  it('is read back as it was written', () => {
    const memory = remember({ '10.0.0.1': { serverId: 1 }, '10.0.0.2': { serverId: 5, seen: 90 } });
    expect(parseMemory(serialiseMemory(memory))).toEqual(memory);
  });

  it('is written as Ruby does, at any time, with the block and without servers too', () => {
    const { servers } = web(remember({ '10.0.0.1': { serverId: 1 }, '10.0.0.2': { serverId: 5, seen: 90 } }));
    const block = { port: 1, server_options: 'check', backend: ['a', 'b'], labels: {} };
    for (const seen of [100, 200]) {
      const memory: Memory = new Map([
        ['web', { servers, seen, block: undefined }],
        ['api', { servers, seen, block }],
        ['idle', { servers: new Map(), seen, block }],
        ['none', { servers: new Map(), seen, block: undefined }],
      ]);
      const text = serialiseMemory(memory);
      expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, 2)}\n`);
      expect(parseMemory(text).get('web')).toEqual({ servers, seen, block: undefined });
      expect(parseMemory(text).get('api')).toEqual({ servers, seen, block });
    }
    expect(serialiseMemory(new Map())).toBe('{}\n');
  });

  it.each([
    '',
    'null',
    '[]',
    '5',
    '{',
    '{"web":5}',
    '{"web":{"x":5}}',
    '{"web":{"x":{"host":"a b","port":1}}}',
  ])('is no memory when it is %j', (text) => {
    const memory = parseMemory(text);
    expect([...memory.values()].flatMap(({ servers }) => [...servers])).toEqual([]);
  });

  it('keeps what is good beside what is not, and survives hostile keys', () => {
    const text = `{"web": {"__proto__": {"host": "10.0.0.9", "port": 80}, "evil": {"host": "1.2.3.4\\nuser root", "port": 80},
      "10.0.0.1:80": {"host": "10.0.0.1", "port": "80", "haproxy_server_id": "7", "timestamp": "x", "name": null, "labels": []}},
      "__proto__": {"10.0.0.2:80": {"host": "10.0.0.2", "port": 80}}}`;
    const memory = parseMemory(text);
    expect([...web(memory).servers.keys()]).toEqual(['10.0.0.9:80', '10.0.0.1:80']);
    expect(web(memory).servers.get('10.0.0.1:80')).toEqual({
      instance: { host: '10.0.0.1', port: 80 },
      serverId: undefined,
      seen: undefined,
    });
    expect(parseMemory(serialiseMemory(memory))).toEqual(memory);
    expect(({} as Record<string, unknown>)['10.0.0.2:80']).toBeUndefined();
  });

  it('never fails, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.json().map((inner) => `{"web":{"a":${inner}}}`),
        ),
        (text) => {
          const memory = parseMemory(text);
          expect(parseMemory(serialiseMemory(memory))).toEqual(memory);
        },
      ),
    );
  });
});

describe('memory over time', () => {
  it('knows who was in rotation last', () => {
    const memory = remember({
      '10.0.0.1': { seen: 100 },
      '10.0.0.2': { seen: 90 },
      '10.0.0.3': { seen: 100 },
    });
    expect(lastDiscovered(web(memory))).toEqual([instance('10.0.0.1'), instance('10.0.0.3')]);
    expect(lastDiscovered(serviceMemory(memory, 'unknown'))).toEqual([]);
  });

  it('expires servers in both directions of the clock, but not those of services that wait', () => {
    const memory = remember({
      '10.0.0.1': { seen: 100 },
      '10.0.0.2': { seen: 50 },
      '10.0.0.3': { seen: 900 },
    });
    expect([...web(expireMemory(memory, 110, 20, new Set())).servers.keys()]).toEqual(['10.0.0.1:80']);
    expect(expireMemory(memory, 5000, 20, new Set()).size).toBe(0);
    expect(expireMemory(memory, 5000, 20, new Set(['web']))).toEqual(memory);
  });

  it('tells a change that is worth writing from a later time', () => {
    const memory = remember({ '10.0.0.1': { seen: 100 }, '10.0.0.2': { seen: 100 } });
    expect(sameServers(memory, remember({ '10.0.0.1': { seen: 200 }, '10.0.0.2': { seen: 200 } }))).toBe(
      true,
    );
    expect(sameServers(memory, remember({ '10.0.0.1': { seen: 200 }, '10.0.0.2': { seen: 100 } }))).toBe(
      false,
    );
    expect(sameServers(memory, remember({ '10.0.0.1': {}, '10.0.0.2': { serverId: 4 } }))).toBe(false);
    expect(sameServers(memory, emptyMemory)).toBe(false);
  });
});

describe('assignIds', () => {
  const requests = (...names: readonly string[]) => names.map((name) => ({ name, id: undefined }));
  const ids = (result: ReturnType<typeof assignIds>) => Object.fromEntries(result.ids);

  it('counts from 1 in the order given, around ids that options state', () => {
    const wanted = [...requests('a', 'b'), { name: 'c', id: 2 }, ...requests('d')];
    expect(ids(assignIds(wanted, web(emptyMemory), 100))).toEqual({ a: 1, b: 3, c: 2, d: 4 });
  });

  it('keeps remembered ids, and those of vanished servers free of others', () => {
    const memory = web(remember({ '10.0.0.1': { serverId: 2 }, '10.0.0.2': { serverId: 1 } }));
    expect(ids(assignIds(requests('new', '10.0.0.1:80'), memory, 100))).toEqual({ '10.0.0.1:80': 2, new: 3 });
  });

  it('gives a remembered id away to who states it', () => {
    const memory = web(remember({ '10.0.0.1': { serverId: 1 } }));
    const wanted = [...requests('10.0.0.1:80'), { name: 'b', id: 1 }];
    expect(ids(assignIds(wanted, memory, 100))).toEqual({ '10.0.0.1:80': 2, b: 1 });
  });

  it('reuses ids of vanished servers rather than refuse a living one, and refuses beyond the last', () => {
    const memory = web(remember({ '10.0.0.1': { serverId: 1 } }));
    const result = assignIds(requests('a', 'b', 'c'), memory, 2);
    expect(ids(result)).toEqual({ a: 2, b: 1 });
    expect(result.exhausted).toEqual(['c']);
  });

  it("gives no id that a stranger's server has, not even a remembered one", () => {
    const memory = web(remember({ '10.0.0.1': { serverId: 1 }, '10.0.0.2': { serverId: 2 } }));
    const foreign = new Map([
      [1, 'by hand'],
      [3, 'by hand too'],
      [2, '10.0.0.2:80'],
    ]);
    const wanted = requests('10.0.0.1:80', '10.0.0.2:80', 'c');
    expect(ids(assignIds(wanted, memory, 100, foreign))).toEqual({
      '10.0.0.1:80': 4,
      '10.0.0.2:80': 2,
      c: 5,
    });
    expect(assignIds(wanted, memory, 3, foreign).exhausted).toEqual(['10.0.0.1:80', 'c']);
  });

  it('refuses the second server that states an id', () => {
    const twice = ['a', 'b'].map((name) => ({ name, id: 7 }));
    expect(assignIds(twice, web(emptyMemory), 100)).toMatchObject({ conflicting: ['b'] });
  });

  it('gives every server an id of its own', () => {
    const request = fc.record({
      name: fc.constantFrom(...'abcdefgh'.split('')),
      id: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
    });
    const unique = fc.uniqueArray(request, { selector: ({ name }) => name });
    const known = fc.dictionary(
      fc.constantFrom(...'abcdefgh'.split('')),
      fc.record({
        serverId: fc.integer({ min: 1, max: 8 }),
        seen: fc.nat(9),
        instance: fc.constant(instance('h')),
      }),
    );
    fc.assert(
      fc.property(unique, known, fc.integer({ min: 1, max: 9 }), (wanted, remembered, maxId) => {
        const memory = { servers: new Map(Object.entries(remembered)), seen: 9, block: undefined };
        const result = assignIds(wanted, memory, maxId);
        expect(new Set(result.ids.values()).size).toBe(result.ids.size);
        expect(result.ids.size + result.exhausted.length + result.conflicting.length).toBe(wanted.length);
        for (const { name, id: stated } of wanted) {
          const id = result.ids.get(name);
          if (id !== undefined && stated === undefined) expect(id).toBeLessThanOrEqual(maxId);
        }
      }),
    );
  });
});
