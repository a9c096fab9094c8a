import { describe, expect, it } from 'vitest';
import { observedState, parseStat } from './observed.js';

// As HAProxy 2.6.12 answers.
const info =
  'Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: 4711\nUptime_sec: 12\nnode: host: with colon\n\n';
const serversState = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
2 be 1 s0 127.0.0.1 0 0 1 1 0 8 2 0 6 0 0 1 - 1 - 0 0 - - 0
2 be 2 s1 127.0.0.1 0 5 1 1 0 1 0 0 14 0 0 1 - 1 - 0 0 - - 0
2 be 3 s2 127.0.0.1 2 4 10 10 0 1 0 2 6 0 0 1 - 1 - 0 0 - - 0
2 be 4 s3 127.0.0.1 2 8 256 10 0 1 0 2 0 0 0 1 - 65535 - 0 0 - - 0
2 be 79 n9 127.0.0.1 0 1 0 1 0 1 0 0 2 0 0 1 - 4 - 0 0 - - 0
7 l1 2 u2 127.0.0.1 0 2 1 1 0 1 0 2 0 0 0 1 - 1 - 0 0 - - 0
7 l1 4 u4 2001:db8:0:0::1 2 0 1 1 0 1 0 2 0 0 0 1 - 80 - 0 0 - - 0
`;
const backends = '# name\nbe\nempty\nl1\n';

describe('observedState', () => {
  const observed = observedState({ info, serversState, backends })!;

  it('knows the process and every backend, also those without servers', () => {
    expect(observed.process).toEqual({ pid: 4711, version: '2.6.12-1+deb12u4', uptimeSeconds: 12 });
    expect([...observed.backends].map(([name, servers]) => [name, servers.size])).toEqual([
      ['be', 5],
      ['empty', 0],
      ['l1', 2],
    ]);
  });

  it.each([
    ['be', 's0', { id: 1, port: 1, weight: 1, admin: 'ready', operational: 'down', checked: true }],
    // `disabled` in the file; its checks pause.
    ['be', 's1', { admin: 'maint', operational: 'down', checked: true }],
    // Made ready again: that the file disabled it is only history.
    ['be', 's2', { admin: 'ready', weight: 10, checked: true }],
    ['be', 's3', { admin: 'drain', weight: 256, port: 65_535, operational: 'up', checked: false }],
    // Added at run time, not yet enabled.
    ['be', 'n9', { id: 79, admin: 'maint', weight: 0, checked: false }],
    // Its maintenance is the tracked server's.
    ['l1', 'u2', { admin: 'ready' }],
    ['l1', 'u4', { address: '2001:db8::1' }],
  ])('reads %s/%s', (backend, name, expected) => {
    expect(observed.backends.get(backend)?.get(name)).toMatchObject({ name, ...expected });
  });

  it('finds columns by name, whatever a version adds or leaves out', () => {
    const other =
      '1\n# srv_name new be_name srv_addr srv_port srv_id srv_uweight srv_admin_state srv_op_state\na x be 10.0.0.1 80 3 7 0 2\n';
    const servers = observedState({ info, serversState: other, backends })!.backends.get('be');
    expect(servers?.get('a')).toMatchObject({
      id: 3,
      weight: 7,
      port: 80,
      operational: 'up',
      checked: false,
    });
  });

  it("ignores lines that it cannot read, and answers that are not HAProxy's", () => {
    const cut = serversState.slice(0, serversState.indexOf('2 be 2') + 12);
    expect([...observedState({ info, serversState: cut, backends })!.backends.get('be')!.keys()]).toEqual([
      's0',
    ]);
    expect(observedState({ info: 'Unknown command', serversState, backends })).toBeUndefined();
    expect(observedState({ info, serversState: 'Unknown command', backends: '' })!.backends.size).toBe(0);
  });
});

describe('parseStat', () => {
  it('reads quoted fields', () => {
    const rows = parseStat('# pxname,svname,desc,last\nbe,s0,"a ""b"", c",9\nbe,BACKEND,,\n\n');
    expect(rows.map((row) => [row('svname'), row('desc'), row('last'), row('none')])).toEqual([
      ['s0', 'a "b", c', '9', undefined],
      ['BACKEND', '', '', undefined],
    ]);
  });
});
