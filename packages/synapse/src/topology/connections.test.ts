import { describe, expect, it } from 'vitest';
import { connectionsOf, listenersOf } from './connections.js';
import type { End, Socket } from './socketTable.js';
import type { Entrance } from './types.js';

const end = (text: string): End => {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
};
const socket = (
  local: string,
  remote: string,
  uid: number,
  state: Socket['state'] = 'established',
): Socket => ({
  ...{ local: end(local), remote: end(remote), uid, state },
});
/** Both ends of a connection of a user of this host, through an HAProxy that runs as 99. */
const pair = (client: string, server: string, uid: number) => [
  socket(client, server, uid),
  socket(server, client, 99),
];
const entrance = (service: string, at: string, bothFamilies = false): Entrance => {
  const { host, port } = end(at);
  return { service, services: [service], frontend: service, host, port, bothFamilies };
};
const web = entrance('web', '127.0.0.1:3213');

describe('connections', () => {
  it('are known by the socket of the proxy, and their users by that of the client', () => {
    const found = connectionsOf(pair('127.0.0.1:50000', '127.0.0.1:3213', 1001), [web]);
    expect(found).toEqual([
      { service: 'web', uid: 1001, isLocal: true, key: '127.0.0.1 50000 127.0.0.1 3213' },
    ]);
  });

  it('to the same port of another host, or of another address of this one, are none to the service', () => {
    const sockets = [
      socket('10.0.0.5:50000', '10.0.0.9:3213', 1001),
      ...pair('10.0.0.5:50001', '10.0.0.5:3213', 1001),
    ];
    expect(connectionsOf(sockets, [web])).toEqual([]);
    expect(connectionsOf(sockets, [entrance('web', '0.0.0.0:3213')])).toHaveLength(1);
  });

  it('have no user where the client is not of this host, or has gone', () => {
    const found = connectionsOf(
      [
        socket('10.0.0.5:3213', '172.17.0.2:40000', 99),
        socket('127.0.0.1:3213', '127.0.0.1:40001', 99),
        // The client closed: no process has its socket.
        socket('127.0.0.1:3213', '127.0.0.1:40002', 99, 'closing'),
      ],
      [entrance('web', '0.0.0.0:3213')],
    );
    expect(found.map(({ uid, isLocal }) => ({ uid, isLocal }))).toEqual([
      { uid: undefined, isLocal: false },
      { uid: undefined, isLocal: true },
    ]);
  });

  it('at an entrance of several services are for whatever the proxy says, and for none where it says nothing', () => {
    const hall: Entrance = { ...web, service: undefined, services: ['orders', 'users'], frontend: 'hall' };
    const sockets = [
      ...pair('127.0.0.1:1', '127.0.0.1:3213', 7),
      ...pair('127.0.0.1:2', '127.0.0.1:3213', 8),
      ...pair('127.0.0.1:3', '127.0.0.1:3213', 9),
    ];
    const told = (port: number, service: string, frontend = 'hall') => ({
      ...{ frontend, client: { host: '127.0.0.1', port }, service },
    });
    const clients = [
      ...[told(1, 'orders'), told(2, 'users'), told(2, 'orders'), told(2, 'orders')],
      ...[told(3, 'orders', 'another'), told(4, 'users')],
    ];
    expect(connectionsOf(sockets, [hall])).toEqual([]);
    expect(connectionsOf(sockets, [hall], clients).map(({ service, uid }) => [service, uid])).toEqual([
      ['orders', 7],
      ['users', 8],
      ['orders', 8],
    ]);
  });

  it('of both families meet where one takes both', () => {
    const sockets = [...pair('127.0.0.1:1', '127.0.0.1:3213', 7), ...pair('::1:2', '::1:3213', 8)];
    const uids = (at: string, both = false) =>
      connectionsOf(sockets, [entrance('web', at, both)]).map(({ uid }) => uid);
    expect(uids('0.0.0.0:3213')).toEqual([7]);
    expect(uids(':::3213')).toEqual([8]);
    expect(uids(':::3213', true)).toEqual([7, 8]);
  });

  it('tell nothing where two services share an address', () => {
    const shared = [web, { ...web, service: 'api', frontend: 'api' }];
    expect(connectionsOf(pair('127.0.0.1:1', '127.0.0.1:3213', 7), shared)).toEqual([]);
  });
});

describe('listeners', () => {
  it('are the users of ports that one user listens on', () => {
    const listen = (at: string, uid: number) => socket(at, '0.0.0.0:0', uid, 'listening');
    const found = listenersOf([
      ...[listen('0.0.0.0:80', 5), listen(':::80', 5), listen('127.0.0.1:81', 6), listen('10.0.0.1:81', 7)],
      socket('127.0.0.1:82', '127.0.0.1:1', 8),
    ]);
    expect([...found]).toEqual([[80, 5]]);
  });
});
