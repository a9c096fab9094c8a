import { describe, expect, it } from 'vitest';
import { callersIn, Clients, sharedClients } from './clients.js';
import { RuntimeApiError } from './runtime/runtimeError.js';
import type { DesiredState, ServiceSections } from './types.js';

const signal = new AbortController().signal;

const session = (src: string, fe: string, be: string, proto = 'tcpv4'): string =>
  `0x5: proto=${proto} src=${src} fe=${fe} be=${be} srv=a ts=00 epoch=0 age=2s calls=2 rate=0 cpu=0 lat=0 rq[f=1,i=0]`;
const sessions = [
  session('127.0.0.1:40000', 'hall', 'orders'),
  session('::ffff:10.0.0.1:40001', 'hall', 'users.zone', 'tcpv6'),
  session('fe80::1:40002', 'hall', 'orders', 'tcpv6'),
  session('127.0.0.1:40003', 'other', 'orders'),
  session('127.0.0.1:40004', 'hall', '<NONE>'),
  session('unix:1', 'hall', 'orders', 'unix_stream'),
  '0x6: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none>',
  '',
].join('\n');

describe('what show sess says', () => {
  it('tells of clients at these frontends for which service they are', () => {
    const services = new Map([
      ['orders', 'orders'],
      ['users.zone', 'users'],
    ]);
    expect(sharedClients(sessions, new Set(['hall']), services)).toEqual([
      { frontend: 'hall', client: { host: '127.0.0.1', port: 40_000 }, service: 'orders' },
      { frontend: 'hall', client: { host: '10.0.0.1', port: 40_001 }, service: 'users' },
      { frontend: 'hall', client: { host: 'fe80::1', port: 40_002 }, service: 'orders' },
    ]);
  });
});

const stat = (...rows: readonly (readonly [string, number, number])[]): string =>
  [
    '# pxname,svname,qcur,scur,stot,type',
    ...rows.map(([name, open, total]) => `web,${name},,${open},${total},3`),
  ]
    .join('\n')
    .concat('\n');

it('what show stat says of listeners tells of callers', () => {
  const text = stat(['sock-1', 5, 9], ['caller-batch', 1, 3], ['caller-batch', 0, 4], ['caller-a:b', 0, 0]);
  expect([...callersIn(text)]).toEqual([
    ['batch', { open: 1, total: 7 }],
    ['a:b', { open: 0, total: 0 }],
  ]);
  expect(callersIn('').size).toBe(0);
});

describe('clients', () => {
  const service = (name: string, lines?: readonly string[]): ServiceSections => ({
    service: name,
    ...(lines && { frontend: { title: `frontend ${name}`, lines } }),
    backend: { name, lines: [], servers: [] },
  });
  const desired: DesiredState = {
    base: [],
    services: [
      service('web', ['bind :80', 'bind :81 name caller-batch', 'default_backend web']),
      service('plain', ['bind :82', 'default_backend plain']),
      service('orders'),
      service('users'),
    ],
    sharedFrontend: {
      title: 'frontend hall',
      lines: ['bind :8080', 'use_backend orders if a', 'use_backend users'],
    },
  };
  function bed() {
    const state = { connections: 7, asked: [] as string[], total: 4, pid: 1, open: 0, closed: 0 };
    const target = {
      socketPath: '/run/haproxy.sock',
      connect: async () => {
        if (state.pid === 0) throw new RuntimeApiError('runtime-closed', 'gone');
        return {
          reply: `Name: HAProxy\nPid: ${state.pid}\nCurrConns: ${state.connections}`,
          session: {
            ask: (command: string) => {
              state.asked.push(command);
              return Promise.resolve(
                command === 'show sess' ? sessions : stat(['caller-batch', state.open, state.total]),
              );
            },
            close: () => void (state.closed += 1),
          },
        };
      },
    };
    const clients = new Clients();
    const look = (...active: readonly string[]) =>
      clients.look({ targets: [target as never], desired, active: new Set(active) }, signal);
    return { state, look, clients, target };
  }

  it('are not asked for where their sockets tell all', async () => {
    const { state, look } = bed();
    expect(await look('plain')).toEqual({ shared: [], own: [], isCut: false });
    expect(await look()).toEqual({ shared: [], own: [], isCut: false });
    expect(state.asked).toEqual([]);
  });

  it('of an entrance of several services are those of show sess, unless these are too many', async () => {
    const { state, look } = bed();
    expect((await look('users')).shared.map(({ service: name }) => name)).toEqual(['orders', 'orders']);
    expect(state.asked).toEqual(['show sess']);
    state.connections = 2_001;
    expect(await look('users')).toEqual({ shared: [], own: [], isCut: true });
    expect(state.asked).toEqual(['show sess']);
    expect(state.closed).toBe(2);
  });

  it('are callers whose own listener has a connection, or had one since the last look', async () => {
    const { state, look } = bed();
    const batch = [{ caller: 'batch', service: 'web' }];
    // What was before the first look may have been long ago.
    expect((await look('web')).own).toEqual([]);
    expect(state.asked).toEqual(['show stat web 8 -1']);
    state.total = 5;
    expect((await look('web')).own).toEqual(batch);
    expect((await look('web')).own).toEqual([]);
    state.open = 1;
    expect((await look('web')).own).toEqual(batch);
    // Another worker begins anew, and all that it counted came after the last look.
    Object.assign(state, { pid: 2, open: 0, total: 0 });
    expect((await look('web')).own).toEqual([]);
    state.total = 1;
    expect((await look('web')).own).toEqual(batch);
    Object.assign(state, { pid: 3, total: 1 });
    expect((await look('web')).own).toEqual(batch);
    expect((await look('web')).own).toEqual([]);
  });

  it('are callers that call so seldom that looks lie between, with nothing to ask or no answer', async () => {
    const { state, look } = bed();
    const batch = [{ caller: 'batch', service: 'web' }];
    await look('web');
    for (const idle of [['orders'], [], ['plain']]) {
      await look(...idle);
      state.total += 1;
      expect([idle, (await look('web')).own]).toEqual([idle, batch]);
    }
    state.pid = 0;
    expect((await look('web')).own).toEqual([]);
    Object.assign(state, { pid: 1, total: state.total + 1 });
    expect((await look('web')).own).toEqual(batch);
    // A reload, after which others call first.
    Object.assign(state, { pid: 2, total: 0 });
    await look('orders');
    state.total = 1;
    expect((await look('web')).own).toEqual(batch);
    expect((await look('web')).own).toEqual([]);
  });

  it('are not guessed of what was not wanted for a while', async () => {
    const { state, look, clients, target } = bed();
    await look('web');
    const without = { ...desired, services: desired.services.slice(1) };
    await clients.look({ targets: [target as never], desired: without, active: new Set(['orders']) }, signal);
    state.total = 9;
    expect((await look('web')).own).toEqual([]);
    await clients.look(
      { targets: [{ ...target, socketPath: '/other' } as never], desired, active: new Set(['web']) },
      signal,
    );
    Object.assign(state, { pid: 2, total: 10 });
    expect((await look('web')).own).toEqual([]);
  });

  it('of an HAProxy that does not answer are unknown', async () => {
    const { clients } = bed();
    const dead = { connect: () => Promise.reject(new RuntimeApiError('runtime-closed', 'gone')) };
    const active = new Set(['users', 'web']);
    expect(await clients.look({ targets: [dead as never], desired, active }, signal)).toMatchObject({
      own: [],
    });
    expect(await clients.look({ targets: [], desired: undefined, active }, signal)).toMatchObject({
      own: [],
    });
  });
});
