import { describe, expect, it } from 'vitest';
import { planChanges } from './plan.js';
import { plan, steps, twoServers as before, web, withServer } from '../testing/plans.js';
import { afterReload, aServer, aService, aState, haproxy26 } from '../testing/sections.js';
import type { Server } from '../types.js';

const [a, b, c] = [aServer('a'), aServer('b'), aServer('c')];

describe('planChanges', () => {
  it('has nothing to do when all three agree', () => {
    expect(planChanges(before, before, afterReload(before), haproxy26)).toEqual({ commands: [], reload: [] });
    expect(planChanges(before, before, undefined, haproxy26)).toEqual({ commands: [], reload: [] });
  });

  it('adds, removes and re-weights servers without a reload', () => {
    const heavier = { ...b, weight: 7 };
    expect(plan(web([heavier, c]))).toEqual([
      'set-weight web/b 7',
      `add-server web/c ${c.address}:80 id=${c.id} weight=1 checked=true [check]`,
      'remove-server web/a',
    ]);
  });

  it('takes weight 0 as weight, not as removal', () => {
    expect(plan(web([a, { ...b, weight: 0 }]))).toEqual(['set-weight web/b 0']);
    expect(plan(web([a, { ...b, options: ['check', 'weight', '0'] }]))).toEqual(['set-weight web/b 0']);
  });

  it('gives a new server what default-server gives those of the file', () => {
    const lines = ['default-server inter 5s weight 9', 'default-server check backup'];
    const loaded = web([a], lines);
    const added = { ...c, options: ['no-backup', 'inter', '1s'] };
    expect(plan(web([a, added], lines), { loaded })).toEqual([
      `add-server web/c ${c.address}:80 id=${c.id} weight=9 checked=true [check inter 1s]`,
    ]);
    const inherited = ['mode http', 'default-server maxconn 3'];
    expect(plan(web([a, c], undefined, inherited), { loaded: web([a], undefined, inherited) })).toEqual([
      `add-server web/c ${c.address}:80 id=${c.id} weight=1 checked=true [maxconn 3 check]`,
    ]);
  });

  it('keeps a remembered server in maintenance, and brings it back with one command', () => {
    const gone = { ...b, disabled: true };
    expect(plan(web([a, gone]))).toEqual(['set-state web/b maint']);
    expect(plan(web([a, b]), { loaded: web([a, gone]) })).toEqual(['set-state web/b ready']);
    expect(plan(web([a, b, { ...c, disabled: true }]))).toEqual([]);
  });

  it('removes a remembered server that would come back as another', () => {
    const gone = { ...b, disabled: true, options: ['check', 'inter', '9s'] };
    expect(plan(web([a, gone]))).toEqual(['remove-server web/b']);
  });

  it('corrects what hands changed on its own servers', () => {
    const observed = afterReload(before);
    expect(plan(before, { observed: withServer(observed, 'a', { admin: 'drain' }) })).toEqual([
      'set-state web/a ready',
    ]);
    expect(plan(before, { observed: withServer(observed, 'a', { weight: 50 }) })).toEqual([
      'set-weight web/a 1',
    ]);
    const moved = withServer(observed, 'a', { address: '127.0.0.1', port: 1 });
    expect(plan(before, { observed: moved })).toEqual([`set-address web/a ${a.address}:80`]);
  });

  it('leads servers to where their host names resolve now, however many, without a reload', () => {
    const [x, y] = [
      { ...a, address: '10.9.0.1' },
      { ...b, address: '10.9.0.2' },
    ];
    expect(plan(web([x, y]))).toEqual(['set-address web/a 10.9.0.1:80', 'set-address web/b 10.9.0.2:80']);
  });

  it('takes a server back whose removal waits for a connection to end', () => {
    const held = withServer(afterReload(before), 'a', { address: '127.0.0.1', port: 2, admin: 'maint' });
    expect(plan(before, { observed: held })).toEqual([
      `set-address web/a ${a.address}:80`,
      'set-state web/a ready',
    ]);
  });

  it('leaves weight and state to the agent of a server that has one', () => {
    const driven = { ...a, options: ['agent-check', 'agent-port', '9'] };
    const state = web([driven, b]);
    const observed = withServer(afterReload(state), 'a', { admin: 'drain', weight: 50 });
    expect(plan(state, { loaded: state, observed })).toEqual([]);
  });

  it('never touches servers and sections that it did not make (trap 15)', () => {
    const observed = withServer(afterReload(before), 'by-hand', { admin: 'maint', weight: 3 });
    const others = new Map([...observed.backends, ['extra', observed.backends.get('web')!]]);
    expect(plan(web([a, b]), { observed: { ...observed, backends: others } })).toEqual([]);
  });

  it('adds again what was added only halfway', () => {
    const halfway = withServer(afterReload(before), 'a', { admin: 'maint', weight: 0, checked: false });
    expect(plan(before, { observed: halfway })).toEqual([
      'remove-server web/a',
      `add-server web/a ${a.address}:80 id=${a.id} weight=1 checked=true [check]`,
    ]);
  });

  it('replaces a server of which nobody knows how it runs', () => {
    const loaded = web([a, { ...b, unconfirmed: true }]);
    expect(plan(web([a, b]), { loaded })).toEqual([
      'remove-server web/b',
      `add-server web/b ${b.address}:80 id=${b.id} weight=1 checked=true [check]`,
    ]);
  });

  it('replaces changed servers at run time only while others carry the load', () => {
    const slow = (server: Server): Server => ({ ...server, options: ['check', 'inter', '9s'] });
    const loaded = web([a, b, c]);
    expect(plan(web([slow(a), b, c]), { loaded })).toEqual([
      'remove-server web/a',
      `add-server web/a ${a.address}:80 id=${a.id} weight=1 checked=true [check inter 9s]`,
    ]);
    expect(plan(web([slow(a), slow(b)]), { loaded: web([a, b]) })).toEqual(
      [a, b].flatMap(({ name, address, id }) => [
        `remove-server web/${name}`,
        `add-server web/${name} ${address}:80 id=${id} weight=1 checked=true [check inter 9s]`,
      ]),
    );
    expect(plan(web([slow(a), b]), { loaded: web([a]) })).toHaveLength(3);
    const alone = 'RELOAD server-needs-reload: web/a: changed options, and no other server to carry the load';
    expect(plan(web([slow(a)]), { loaded: web([a]) })).toEqual([alone]);
    // One that only a reload brings does not carry it before.
    const withoutId = plan(web([slow(a), { ...b, id: undefined }]), { loaded: web([a]) });
    expect(withoutId).toEqual(['RELOAD server-needs-reload: web/b: no server id', alone]);
  });

  it('reloads for sections and lines, and adds servers at once all the same', () => {
    const other = aService([c], { service: 'api' });
    expect(plan(aState([aService([a, b, c]), other]))).toEqual([
      `add-server web/c ${c.address}:80 id=${c.id} weight=1 checked=true [check]`,
      'RELOAD section-added: backend api',
    ]);
    expect(plan(aState([]))).toEqual(['RELOAD section-removed: backend web']);
    expect(plan(web([a, b], ['balance leastconn']))).toEqual([
      'RELOAD lines-changed: lines of its backend changed',
    ]);
    expect(plan(web([a, b], undefined, ['mode tcp']))).toEqual(['RELOAD base-changed: defaults']);
    expect(plan({ ...before, sharedFrontend: { title: 'frontend shared-frontend', lines: [] } })).toEqual([
      'RELOAD lines-changed: the shared frontend changed',
    ]);
    const renamed = { ...aService([a, b]), backend: { ...aService([a, b]).backend, name: 'web2' } };
    expect(plan(aState([renamed]))).toEqual(['RELOAD lines-changed: backend web becomes web2']);
  });

  it('does not care about the order of services and servers', () => {
    const [one, two] = [aService([a, b]), aService([c], { service: 'api' })];
    expect(plan(aState([two, aService([b, a])]), { loaded: aState([one, two]) })).toEqual([]);
  });

  it('leaves servers of a changing section that are in rotation to the reload', () => {
    expect(plan(web([{ ...a, options: [] }, b], ['balance leastconn']))).toEqual([
      'RELOAD lines-changed: lines of its backend changed',
    ]);
  });

  it.each([
    ['balance static-rr', ['balance static-rr']],
    ['balance source without hash-type consistent', ['balance source']],
    ['balance uri without hash-type consistent', ['balance uri', 'hash-type map-based']],
  ])('names %s as the reason for a reload', (cause, lines) => {
    expect(plan(web([a, b, c], lines), { loaded: web([a, b], lines) })).toEqual([
      `RELOAD no-dynamic-servers: web/c: ${cause}`,
    ]);
    expect(plan(web([a], lines), { loaded: web([a, b], lines) })).toEqual(['remove-server web/b']);
    expect(plan(web([a, { ...b, weight: 3 }], lines), { loaded: web([a, b], lines) })).toEqual([
      `RELOAD server-needs-reload: web/b: weight under ${cause}`,
    ]);
  });

  it('adds servers under a consistent hash', () => {
    const lines = ['balance source', 'hash-type consistent'];
    expect(plan(web([a, b, c], lines), { loaded: web([a, b], lines) })).toHaveLength(1);
  });

  it('reloads for options that only the file can bring, by name (trap 28)', () => {
    expect(plan(web([a, b, { ...c, options: ['check', 'non-stick'] }]))).toEqual([
      'RELOAD server-needs-reload: web/c: option non-stick',
    ]);
    expect(plan(web([a, b, { ...c, options: ['sni', 'str("x y")'] }]))).toEqual([
      'RELOAD server-needs-reload: web/c: option sni (its value cannot be sent as a command)',
    ]);
    expect(plan(web([a, b, { ...c, options: ['brand-new', 'option'] }]))).toEqual([
      'RELOAD server-needs-reload: web/c: option brand-new',
    ]);
    const [moot] = plan(web([a, b, { ...c, options: ['init-addr', 'none', 'no-check', 'cookie', 'x'] }]));
    expect(moot).toMatch(/^add-server .* checked=false \[\]$/);
  });

  it('reloads for cookies before HAProxy 3.0 (trap 28)', () => {
    const lines = ['cookie SRV insert'];
    const added = { ...c, cookie: 'c' };
    const loaded = web([a], lines);
    expect(plan(web([a, added], lines), { loaded })).toEqual(['RELOAD server-needs-reload: web/c: cookie']);
    expect(plan(web([a, added], lines), { loaded, version: '3.0.5' })).toEqual([
      `add-server web/c ${c.address}:80 id=${c.id} weight=1 checked=true [cookie c check]`,
    ]);
  });

  it('takes servers out at once where it cannot delete them', () => {
    expect(plan(web([a]), { version: '2.4.22' })).toEqual([
      'set-state web/b maint',
      'RELOAD no-dynamic-servers: web/b: HAProxy 2.4.22 keeps servers until a reload',
    ]);
    expect(plan(web([a, b, c]), { version: '2.4.22' })).toEqual([
      'RELOAD no-dynamic-servers: web/c: HAProxy 2.4.22 takes no servers at run time',
    ]);
    const lines = ['use-server b if TRUE'];
    expect(plan(web([a], lines), { loaded: web([a, b], lines) })).toEqual([
      'set-state web/b maint',
      'RELOAD server-needs-reload: web/b: a use-server line points to it',
    ]);
  });

  it('reloads when it does not know what runs, or when something else does', () => {
    expect(steps(planChanges(before, undefined, afterReload(before), haproxy26))).toEqual([
      'RELOAD first-configuration: it is not known what HAProxy runs',
    ]);
    const foreign = { ...afterReload(before), backends: new Map() };
    expect(plan(web([a]), { observed: foreign })).toEqual([
      'RELOAD process-not-ours: the running process has no backend web',
    ]);
  });

  it('reloads for servers when there is no Runtime API', () => {
    expect(steps(planChanges(web([a, c]), before, undefined, haproxy26))).toEqual([
      'RELOAD no-dynamic-servers: backend web: its servers changed, and there is no Runtime API to say so',
    ]);
  });
});
