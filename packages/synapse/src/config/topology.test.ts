import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { readTopology, topologySettings } from './topology.js';

const read = (value: object) => readTopology(topologySettings.parse(value));

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
      },
    });
    expect(read({ nerve_api: '/run/x.sock' }).nerve).toEqual([{ socket: '/run/x.sock' }]);
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
  ])('refuses %o', (value) => expect(topologySettings.safeParse(value).success).toBe(false));
});
