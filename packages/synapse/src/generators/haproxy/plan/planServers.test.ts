import { describe, expect, it } from 'vitest';
import { plan, web, withServer } from '../testing/plans.js';
import { afterReload, aServer, aService, aState } from '../testing/sections.js';

const [a, b, c] = [aServer('a'), aServer('b'), aServer('c')];

describe('servers that are all replaced by others that only a reload brings', () => {
  it.each([
    [
      'an HAProxy without servers at run time',
      '2.4.0',
      undefined,
      'HAProxy 2.4.0 takes no servers at run time',
    ],
    ['static balancing', '2.6.12', ['balance static-rr'], 'balance static-rr'],
  ])('serve until that reload: %s', (_, version, lines, why) => {
    const loaded = web([a, b], lines);
    const reload = `RELOAD no-dynamic-servers: web/c: ${why}`;
    expect(plan(web([c], lines), { loaded, version })).toEqual([reload]);
    // Also those that stay in the file as vanished.
    const gone = [a, b].map((server) => ({ ...server, disabled: true }));
    expect(plan(web([...gone, c], lines), { loaded, version })).toEqual([reload]);
    // One that is wanted and serves is enough for the others to go at once.
    const steps = plan(web([a, c], lines), { loaded, version });
    expect(steps).toContain(version === '2.4.0' ? 'set-state web/b maint' : 'remove-server web/b');
    // One that is down is not; and where none is to come, those that are to go, go.
    const observed = withServer(afterReload(loaded), 'a', { operational: 'down' });
    expect(plan(web([a, c], lines), { loaded, observed, version })).toEqual([reload]);
    expect(plan(web([], lines), { loaded, version })).toHaveLength(version === '2.4.0' ? 3 : 2);
    // One that is down and comes back changed is awaited as well.
    const changed = { ...a, options: ['check', 'inter', '9s'] };
    expect(plan(web([changed], lines), { loaded, observed, version })).toEqual([reload.replace('/c', '/a')]);
  });
});

it('the only server of a tier is replaced without a reload: the wider ones carry the load', () => {
  const state = (service: string, options: readonly string[]) =>
    aState([aService([aServer('a', { options })], { service })]);
  const steps = (service: string) =>
    plan(state(service, ['check', 'inter', '9s']), { loaded: state(service, ['check']) });
  expect(steps('web')).toEqual([expect.stringMatching(/^RELOAD server-needs-reload: web\/a/)]);
  expect(steps('web@zone')).toEqual([
    'remove-server web@zone/a',
    expect.stringMatching(/^add-server web@zone\/a .*\[check inter 9s\]/),
  ]);
});
