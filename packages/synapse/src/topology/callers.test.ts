import { describe, expect, it } from 'vitest';
import { type CallerFacts, callerOf, callerUnseen } from './callers.js';
import { unitOf } from './units.js';

const facts = (given: Partial<CallerFacts> = {}): CallerFacts => ({
  ...{ instanceId: 'vm-1', declared: new Map(), users: new Map(), hosted: [], listeners: new Map() },
  ...given,
});
const seen = (given: Partial<CallerFacts>, uid: number | undefined = 5) =>
  Object.values(callerOf({ service: 'orders', uid }, facts(given))).join();
const unseen = (given: Partial<CallerFacts>) => Object.values(callerUnseen('orders', facts(given))).join();

const declared = new Map([['orders', 'checkout']]);
const users = new Map([[5, { user: 'www', unit: 'nginx' }]]);
const web = { name: 'web', port: 80 };
const api = { name: 'api', port: 81 };

describe('a caller that is seen', () => {
  it.each([
    ['is who the configuration says', { declared, users, hosted: [web] }, 'checkout,declared'],
    [
      'serves the service of its user',
      { users, hosted: [web, api], listeners: new Map([[80, 5]]) },
      'web,listener',
    ],
    [
      'is a unit where its user serves nothing',
      { users, hosted: [web], listeners: new Map([[80, 6]]) },
      'nginx,unit',
    ],
    [
      'is a unit where its user serves several',
      {
        users,
        hosted: [web, api],
        listeners: new Map([
          [80, 5],
          [81, 5],
        ]),
      },
      'nginx,unit',
    ],
    ['is a user without a unit', { users: new Map([[5, { user: 'www' }]]), hosted: [web] }, 'www,user'],
    ['is a number without a name', {}, 'uid:5,user'],
  ] as const)('%s', (_, given, expected) => {
    expect(seen(given)).toBe(expected);
  });

  it('is unknown without a socket, whatever else is known', () => {
    expect(
      Object.values(callerOf({ service: 'orders', uid: undefined }, facts({ users, hosted: [web] }))),
    ).toEqual(['unknown', 'unknown']);
    expect(seen({ declared }, undefined)).toBe('checkout,declared');
  });
});

describe('a caller that is not seen', () => {
  it.each([
    ['is who the configuration says', { declared, hosted: [web] }, 'checkout,declared'],
    ["is the host's only service", { hosted: [web, { ...web, port: 82 }] }, 'web,only-service'],
    ['is the host where there are several', { hosted: [web, api] }, 'host:vm-1,host'],
    ['is the host where there is none', {}, 'host:vm-1,host'],
  ] as const)('%s', (_, given, expected) => {
    expect(unseen(given)).toBe(expected);
  });
});

describe('a systemd unit', () => {
  it.each([
    ['of version 2', ['0::/system.slice/nginx.service\n'], 'nginx'],
    ['of version 1', ['12:pids:/x\n1:name=systemd:/system.slice/nginx.service\n'], 'nginx'],
    ['in a slice, with a group below it', ['0::/system.slice/system-web.slice/web@1.service/sub\n'], 'web@1'],
    ['with several processes', ['0::/system.slice/a.service\n', '0::/system.slice/a.service/x\n'], 'a'],
    ['with an escaped name', ['0::/system.slice/my\\x2dweb.service\n'], 'my-web'],
    ['not where there are two', ['0::/system.slice/a.service\n', '0::/system.slice/b.service\n'], undefined],
    [
      'not where one is in a session',
      ['0::/system.slice/a.service\n', '0::/user.slice/user-5.slice/session-3.scope\n'],
      undefined,
    ],
    ["not for a user's own", ['0::/user.slice/user-5.slice/user@5.service/app.slice/x.service\n'], undefined],
    ['not without processes', [], undefined],
    ['not in nonsense', ['', 'x'], undefined],
  ] as const)('%s', (_, cgroups, expected) => {
    expect(unitOf(cgroups)).toBe(expected);
  });
});
