import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { readTopology, topologySettings } from './topology.js';

const read = (value: object) => readTopology(topologySettings().parse(value));

describe('topology in agent.yaml', () => {
  it('tells nobody unless it is said whom', () => {
    expect(read({})).toEqual({
      ...{ everyMs: 10_000, instanceId: hostname(), nerve: undefined, mesh: undefined },
    });
    expect(
      read({ zk_hosts: ['a:2181', 'b:2181/x'], zk_acl: ['auth::cdrwa'], nerve_api: false }),
    ).toMatchObject({
      nerve: [],
      mesh: {
        hosts: ['a:2181', 'b:2181/x'],
        path: '/smartstack/mesh/v1/hosts',
        acl: [{ scheme: 'auth', id: '', permissions: 'cdrwa' }],
        numbers: undefined,
      },
    });
    expect(read({ nerve_api: '/run/x.sock' }).nerve).toEqual([{ socket: '/run/x.sock' }]);
  });

  it('asks others for their numbers where there is a key, and tells its own where it is told an address, too', () => {
    const numbers = (given: object) => read({ zk_hosts: ['a:2181'], numbers: given }).mesh?.numbers;
    expect(numbers({ key_file: '/k' })).toEqual({
      ...{ keyFile: '/k', listen: undefined },
      networks: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'],
    });
    expect(numbers({ key_file: '/k', listen: '[fc00::1]:3457' })?.listen).toEqual({
      host: 'fc00::1',
      port: 3457,
    });
    expect(numbers({ key_file: '/k', listen: '203.0.113.5:1', networks: ['203.0.113.0/24'] })).toMatchObject({
      networks: ['203.0.113.0/24'],
    });
  });

  it.each([
    [{ listen: '10.0.0.5:3457' }, 'key_file'],
    [{ key_file: 'k' }, 'absolute'],
    [{ key_file: '/k', listen: '0.0.0.0:3457' }, 'as other hosts reach it'],
    [{ key_file: '/k', listen: 'vm-1:3457' }, 'as other hosts reach it'],
    [{ key_file: '/k', listen: '/run/x.sock' }, 'as other hosts reach it'],
    [{ key_file: '/k', listen: '10.0.0.5:0' }, 'as other hosts reach it'],
    [{ key_file: '/k', listen: '127.0.0.1:3457' }, 'is in none of networks'],
    [{ key_file: '/k', networks: ['10.0.0.0/33'] }, 'must be an address, or a network'],
    [{ key_file: '/k', networks: [] }, 'networks'],
  ])('refuses numbers of %o', (numbers, problem) => {
    const { error } = topologySettings().safeParse({ zk_hosts: ['a:2181'], numbers });
    expect(JSON.stringify(error?.issues)).toContain(problem);
  });

  it('wants to know where hosts find each other', () => {
    const { error } = topologySettings().safeParse({ numbers: { key_file: '/k' } });
    expect(error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`)).toEqual([
      'numbers needs topology.zk_hosts: that is where hosts find each other',
    ]);
  });

  it.each([
    { instance_id: 'a/b' },
    { instance_id: '..' },
    { instance_id: '' },
    { zk_hosts: [] },
    { zk_hosts: ['a:b:c:d'] },
    { zk_path: 'x' },
    { zk_path: '/x/' },
    { zk_acl: ['all'] },
    { interval: 0 },
    { rates: true },
  ])('refuses %o', (value) => expect(topologySettings().safeParse(value).success).toBe(false));
});
