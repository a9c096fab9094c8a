import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { aServer, aService, aState } from '../testing/sections.js';
import type { DesiredState, Server, ServiceSections } from '../types.js';
import { isVouchedFor } from './vouched.js';

const server = (name: string, more: Partial<Server> = {}): Server => aServer(`${name}:80`, more);
const [a, b, c] = [server('a'), server('b'), server('c')];
const api = aService([server('x')], { service: 'api' });

/** What was checked: web with a and b, and api. */
const checked = aState([aService([a, b]), api]);

/** The same with another web. */
function withWeb(servers: readonly Server[], lines?: readonly string[]): DesiredState {
  const web = aService(servers, { ...(lines && { lines }) });
  return { ...checked, services: [web, api] };
}

/** The same with lines of another service's frontend. */
function withLines(state: DesiredState, lines: readonly string[]): DesiredState {
  const [web, other] = state.services as [ServiceSections, ServiceSections];
  const frontend = { title: 'frontend api', lines: [...(other.frontend?.lines ?? []), ...lines] };
  return { ...state, services: [web, { ...other, frontend }] };
}

describe('isVouchedFor', () => {
  it.each<[string, readonly Server[]]>([
    ['the same', [a, b]],
    ['in another order', [b, a]],
    ['one more', [a, b, c]],
    ['one less', [a]],
    ['all others', [c]],
    ['one that moved', [a, { ...b, address: '10.9.9.9', port: 81, id: 77 }]],
    ['one that vanished, and stays', [a, { ...b, disabled: true }]],
  ])('takes what was checked for enough: servers are %s', (_, servers) => {
    expect(isVouchedFor(withWeb(servers), checked)).toBe(true);
  });

  it.each<[string, DesiredState]>([
    [
      'options that no line of the backend had',
      withWeb([a, b, server('c', { options: ['check', 'backup'] })]),
    ],
    ['options in another order', withWeb([server('a', { options: ['inter', '2s', 'check'] })])],
    ['a weight where none was', withWeb([a, { ...b, weight: 3 }])],
    ['a cookie where none was', withWeb([a, { ...b, cookie: 'b' }])],
    ['an id from its options, where others have their own', withWeb([a, { ...b, id: undefined }])],
    ['the name of another', withWeb([a, b, { ...b, id: 99 }])],
    ['the id of another', withWeb([a, b, { ...c, id: a.id }])],
    ['no servers at all', withWeb([])],
    ['other lines of the backend', withWeb([a, b, c], ['balance leastconn'])],
    ['other lines of a frontend', withLines(checked, ['timeout client 3s'])],
    ['other defaults', { ...aState(checked.services, ['mode tcp']) }],
    ['a service less', { ...checked, services: [api] }],
    ['services in another order', { ...checked, services: [api, ...checked.services.slice(0, 1)] }],
    ['a shared frontend', { ...checked, sharedFrontend: { title: 'frontend shared-frontend', lines: [] } }],
  ])('does not: %s', (_, now) => {
    expect(isVouchedFor(now, checked)).toBe(false);
  });

  it.each([
    ['goes', 'use-server b:80 if { always_true }', [a], false],
    ['goes, in a sample', 'http-request deny if !{ srv_is_up(web/b:80) }', [a], false],
    ['comes', 'use-server c:80 if { always_true }', [a, b, c], false],
    ['goes that is not it', 'use-server a:80 if { always_true }', [a], true],
    ['goes whose name is a part of it', 'use-server ab:80 if { always_true }', [a], true],
    ['goes, and the line may mean any', 'use-server "$PRIMARY" if { always_true }', [a], false],
    ['goes, and the variable is none', "http-request deny if { path_reg '^/a$' }", [a], true],
  ])('asks again where a line mentions a server that %s', (_, line, servers, expected) => {
    const before = withLines(checked, [line]);
    const now = withLines(withWeb(servers), [line]);
    expect(isVouchedFor(now, before)).toBe(expected);
  });

  it('asks again where a server that goes is followed by another one', () => {
    const follower = aService([server('y', { options: ['track', 'web/b:80'] })], { service: 'follower' });
    const before = { ...checked, services: [...checked.services, follower] };
    const without = (servers: readonly Server[]): DesiredState => ({
      ...checked,
      services: [aService(servers), api, follower],
    });
    expect(isVouchedFor(without([a]), before)).toBe(false);
    expect(isVouchedFor(without([b]), before)).toBe(true);
  });

  it.each(['server a:80 10.0.0.1:80', '\tserver-template s 3 example.com:80'])(
    'asks again where the operator has servers of his own: %s',
    (line) => {
      const lines = ['balance roundrobin', line];
      expect(isVouchedFor(withWeb([a, b, c], lines), withWeb([a, b], lines))).toBe(false);
    },
  );

  it('keeps nothing of what was checked before the last check', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    let before = withWeb([a, b]);
    const first = new WeakRef(before.services[0]!);
    for (let round = 0; round < 3; round += 1) {
      const now = withWeb([a, b, server(`c${round}`)]);
      isVouchedFor(now, before);
      before = now;
    }
    // A value that was looked at in this turn of the loop is kept until its end.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(first.deref()).toBeUndefined();
    expect(isVouchedFor(before, before)).toBe(true);
  });
});
