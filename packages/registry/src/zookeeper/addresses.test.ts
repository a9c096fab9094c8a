import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import type { Resolve } from '../nameLookups.js';
import { ensembleKey, parseHosts, resolveServers } from './addresses.js';

describe('parseHosts', () => {
  it.each([
    [
      ['a:1', 'b:2'],
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      '',
    ],
    [
      ['a', 'b:2/jail'],
      [
        { host: 'a', port: 2181 },
        { host: 'b', port: 2 },
      ],
      '/jail',
    ],
    [
      ['a:1,b:2/jail/deep/'],
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      '/jail/deep',
    ],
    [
      ['[::1]:5', '::2', '[fe80::1%eth0]'],
      [
        { host: '::1', port: 5 },
        { host: '::2', port: 2181 },
        { host: 'fe80::1%eth0', port: 2181 },
      ],
      '',
    ],
    [[' a:1 ', ''], [{ host: 'a', port: 1 }], ''],
    [['a:1/'], [{ host: 'a', port: 1 }], ''],
  ] as const)('%j', (hosts, servers, chroot) => {
    expect(parseHosts(hosts)).toEqual({ servers, chroot });
  });

  it.each([
    [[]],
    [['']],
    [['/jail']],
    [['a:0']],
    [['a:70000']],
    [['a:port']],
    [['a:']],
    [['a b:1']],
    [['a:1/jail', 'b:2']],
    [['a:1/x//y']],
    [['a:1/../etc']],
    [['[::1:5']],
  ])('refuses %j', (hosts) => {
    expect(() => parseHosts(hosts)).toThrow(expect.objectContaining({ code: 'zookeeper.BadHosts' }) as Error);
  });
});

describe('ensembleKey', () => {
  it('ignores order and repetition, but not the chroot, which is taken off before sorting', () => {
    const key = (...hosts: string[]): string => ensembleKey(parseHosts(hosts));
    expect(key('b:1', 'b:1', 'a:1')).toBe('a:1,b:1');
    expect(key('b:1', 'a:1')).toBe('a:1,b:1');
    expect(key('a:1', 'b:1/jail')).toBe('a:1,b:1/jail');
    expect(key('b:1', 'a:1/jail')).toBe('a:1,b:1/jail');
    expect(key('[::1]:2')).toBe('[::1]:2');
  });
});

describe('resolveServers', () => {
  const limitMs = 1_000;
  const as = (resolve: Resolve) => ({ resolve, random: Math.random, clock: new FakeClock(), limitMs });

  it('takes every address of every host, once, and reports the rest', async () => {
    const answers: Record<string, readonly string[]> = { a: ['1.1.1.1', '::1'], b: ['1.1.1.1'] };
    const { addresses, problems, silent } = await resolveServers(
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 1 },
        { host: 'c', port: 1 },
      ],
      as((host) => (answers[host] ? Promise.resolve(answers[host]) : Promise.reject(new Error('NXDOMAIN')))),
    );
    expect(addresses.map(({ address }) => address).sort()).toEqual(['1.1.1.1', '::1']);
    expect([problems, [...silent]]).toEqual([['c: NXDOMAIN'], []]);
  });

  it('waits for no host longer than it may, and takes what the others have said', async () => {
    const options = as((host) => (host === 'a' ? new Promise(() => undefined) : Promise.resolve([host])));
    const servers = ['a', 'b'].map((host) => ({ host, port: 1 }));
    const resolving = resolveServers(servers, options);
    await options.clock.advance(limitMs);
    expect(await resolving).toEqual({
      addresses: [{ host: 'b', address: 'b', port: 1 }],
      problems: ['a: the resolver does not answer'],
      silent: new Set(['a']),
    });
    expect(options.clock.pending).toBe(0);
  });

  it('shuffles', async () => {
    const first = new Set<string>();
    for (let i = 0; i < 200; i += 1) {
      const { addresses } = await resolveServers(
        [{ host: 'a', port: 1 }],
        as(() => Promise.resolve(['1', '2', '3'])),
      );
      first.add(addresses.map(({ address }) => address).join(''));
    }
    expect(first.size).toBe(6);
  });
});
