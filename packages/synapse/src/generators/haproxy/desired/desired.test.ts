import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyMemory } from './memory.js';
import { render } from './render.js';
import { at, aView, desire, instance, lines } from '../testing/desire.js';

const [one, two] = [instance(1), instance(2)];

describe('desiredState', () => {
  it('builds a frontend only for a port (trap 11), and leaves out what is not ours', () => {
    const views = [
      aView([], { port: 80 }, { name: 'port' }),
      aView([], { port: null, bind_address: '/run/x.sock', bind_options: 'mode 666' }, { name: 'socket' }),
      aView([], {}, { name: 'none' }),
      aView([], { disabled: true, port: 80 }, { name: 'disabled' }),
      aView([], undefined, { name: 'other', blocks: { file_output: {} } }),
    ];
    const { desired, issues } = desire(views);
    expect(issues).toEqual([]);
    expect(desired.services.map(({ service, frontend }) => [service, frontend?.lines])).toEqual([
      ['port', ['bind localhost:80', 'default_backend port']],
      ['socket', ['bind /run/x.sock mode 666', 'default_backend socket']],
      ['none', undefined],
    ]);
  });

  it('refuses single instances, and says which and why', () => {
    const bad = [
      instance(3, { port: 70_000, name: 'p' }),
      instance(4, { host: 'a\nb' }),
      instance(5, { haproxyServerOptions: 'check\nserver evil 6.6.6.6:6' }),
      instance(6, { host: 'unknown.example' }),
      instance(7, { haproxyServerOptions: 'id 9' }),
      instance(8, { haproxyServerOptions: 'id 9' }),
    ];
    const result = desire([aView([one, ...bad, one, two], { backend_order: 'asc' })]);
    expect(lines(result)).toEqual([
      'server 10.0.0.1:80 10.0.0.1:80 id 1',
      'server 10.0.0.2:80 10.0.0.2:80 id 2',
      'server 10.0.0.7:80 10.0.0.7:80 id 9',
    ]);
    expect(
      result.issues.map(({ service, instance: who, reason }) => `${service}: ${who}: ${reason}`),
    ).toEqual([
      'web: p 10.0.0.3:70000: port 70000 is not an integer from 1 to 65535',
      String.raw`web: "a\nb:80": host "a\nb" is neither an IP address nor a host name`,
      'web: 10.0.0.5:80: haproxy_server_options: must be a single line without control characters',
      'web: unknown.example:80: host "unknown.example" is not resolved',
      'web: 10.0.0.8:80: another instance has the same id 9 in its options',
    ]);
  });

  it('connects to the address of a host name, under the name', () => {
    const addresses = new Map([['web.example', '2001:db8::7']]);
    const result = desire([aView([instance(1, { host: 'web.example' })])], { addresses });
    expect(lines(result)).toEqual(['server web.example:80 [2001:db8::7]:80 id 1']);
  });

  it("lets the registry's weight replace others only when asked, and within HAProxy's bounds", () => {
    const weighted = [
      instance(1, { weight: 9, haproxyServerOptions: 'weight 999 backup' }),
      instance(2, { weight: 5000 }),
      instance(3),
    ];
    const block = { server_options: 'weight 3 check', backend_order: 'asc' };
    expect(lines(desire([aView(weighted, block)], { top: { use_nerve_weights: true } }))).toEqual([
      'server 10.0.0.1:80 10.0.0.1:80 id 1 check backup weight 9',
      'server 10.0.0.2:80 10.0.0.2:80 id 2 check weight 256',
      'server 10.0.0.3:80 10.0.0.3:80 id 3 weight 3 check',
    ]);
    expect(lines(desire([aView([two], block)]))).toEqual([
      'server 10.0.0.2:80 10.0.0.2:80 id 1 weight 3 check',
    ]);
  });

  it('keeps instances that their source lost only where HAProxy checks them', () => {
    const lost = [one, instance(2, { held: true })];
    const names = (block: object) => lines(desire([aView(lost, block)])).length;
    expect(names({ server_options: 'inter 1s' })).toBe(1);
    expect(names({ server_options: 'check inter 1s' })).toBe(2);
    expect(names({ server_options: 'check no-check' })).toBe(1);
    expect(names({ server_options: 'track web/x' })).toBe(2);
    expect(names({ listen: ['default-server check'] })).toBe(2);
    expect(names({ server_options: 'no-check', listen: ['default-server check'] })).toBe(1);
    const own = [instance(2, { held: true, haproxyServerOptions: 'check' })];
    expect(lines(desire([aView(own)]))).toHaveLength(1);
    expect(desire([aView(lost, {})]).issues).toEqual([]);
  });

  it('writes cookies only where the backend has a cookie directive', () => {
    const cookies = (block: object, top?: unknown) =>
      lines(desire([aView([one], block)], { top }))[0]?.includes(' cookie ');
    expect(cookies({ listen: ['cookie SRV insert'] })).toBe(true);
    expect(cookies({ listen: ['mode http'] })).toBe(false);
    expect(cookies({ listen: ['mode tcp', 'cookie SRV insert'] })).toBe(false);
    expect(cookies({}, { presets: { extra_defaults: ['cookie SRV insert'] } })).toBe(true);
  });

  it('keeps ids from look to look, and gives a new server another than one that just left had', () => {
    const first = desire([aView([one, two], { backend_order: 'asc' })]);
    const second = desire([aView([instance(3), two], { backend_order: 'asc' })], {
      memory: first.memory,
      now: at + 1000,
    });
    expect(lines(second)).toEqual([
      'server 10.0.0.2:80 10.0.0.2:80 id 2',
      'server 10.0.0.3:80 10.0.0.3:80 id 3',
    ]);
    const third = desire([aView([one], {})], { memory: second.memory, now: at + 2000 });
    expect(lines(third)).toEqual(['server 10.0.0.1:80 10.0.0.1:80 id 1']);
  });

  it("keeps vanished servers as disabled lines for their time, only with a state file of the operator's", () => {
    const top = { state_file_path: '/s', state_file_ttl: 60 };
    const block = { backend_order: 'no_shuffle' };
    const first = desire([aView([two, one], block)], { top });
    const later = (seconds: number) =>
      desire([aView([one], block)], { top, memory: first.memory, now: at + seconds * 1000 });
    expect(lines(later(60))).toEqual([
      'server 10.0.0.2:80 10.0.0.2:80 id 1 disabled',
      'server 10.0.0.1:80 10.0.0.1:80 id 2',
    ]);
    expect(lines(later(61))).toHaveLength(1);
  });

  it('forgets the oldest of very many vanished servers: memory is bounded under churn', () => {
    let memory = emptyMemory;
    for (let round = 0; round < 30; round += 1) {
      const fresh = Array.from({ length: 100 }, (_, n) => instance(n + 1, { port: 1000 + round }));
      memory = desire([aView(fresh)], { memory, now: at + round * 1000 }).memory;
    }
    const { servers } = memory.get('web')!;
    expect(servers.size).toBe(1100);
    expect([...servers.values()].every(({ instance: { port } }) => port >= 1000 + 19)).toBe(true);
    expect(Math.max(...[...servers.values()].map(({ serverId }) => serverId!))).toBeLessThanOrEqual(1200);
  });

  it('serves a pending service with what it remembers, however old, without making it fresh', () => {
    const first = desire([aView([one, two])]);
    const second = desire([aView([one])], { memory: first.memory, now: at + 10_000 });
    const pending = aView([], {}, { source: 'pending' });
    const third = desire([pending], { memory: second.memory, now: at + 1e9 });
    expect(lines(third)).toEqual(['server 10.0.0.1:80 10.0.0.1:80 id 1']);
    expect(third.memory).toEqual(second.memory);
    expect(lines(desire([pending]))).toEqual([]);
    // The source is empty, and has been since this agent started: what it served before goes on.
    const previous = aView([], {}, { source: 'previous' });
    expect(desire([previous], { memory: second.memory, now: at + 1e9 })).toEqual(third);
    expect(lines(desire([aView([])], { memory: second.memory, now: at + 1e9 }))).toEqual([]);
  });

  it('refuses what would make HAProxy refuse the file, or share a port, without touching others', () => {
    const views = [
      aView([one], { port: 80 }, { name: 'first' }),
      aView([one], { port: '080', bind_address: '127.0.0.1' }, { name: 'same-port' }),
      aView([one], { backend_name: 'first' }, { name: 'same-backend' }),
      aView([one], {}, { name: 'bad name' }),
      aView([one], { port: 70_000 }, { name: 'bad-block' }),
      aView([one], { port: 3212, bind_address: '127.0.0.1' }, { name: 'stats-port' }),
      aView([one], { port: 81 }, { name: 'last' }),
    ];
    const { desired, issues, refused } = desire(views, { top: {} });
    expect(desired.services.map(({ service, frontend }) => [service, frontend !== undefined])).toEqual([
      ['first', true],
      ['same-port', false],
      ['stats-port', false],
      ['last', true],
    ]);
    expect(refused).toEqual(['same-backend', 'bad name', 'bad-block']);
    expect(issues.map(({ service, reason }) => `${service}: ${reason}`)).toEqual([
      'same-port: 127.0.0.1:80 already belongs to service first: the service gets no frontend',
      'same-backend: its backend first is already that of service first: it is left out',
      "bad name: its name cannot be a section's: only letters, digits, '_', '.', ':' and '-' can",
      expect.stringMatching(/^bad-block: haproxy\.port: /),
      "stats-port: 127.0.0.1:3212 already belongs to section 'listen synapse-stats': the service gets no frontend",
    ]);
  });

  describe('where two services want the same', () => {
    const a = (block: object) => aView([one], block, { name: 'a' });
    const b = (block: object, rest: object = {}) => aView([two], block, { name: 'b', ...rest });
    const lastGood = desire([b({ port: 80, backend_name: 'pool' })]).desired;
    const frontends = (views: Parameters<typeof desire>[0], given = { lastGood }) =>
      desire(views, given).desired.services.map(
        ({ service, frontend, backend }) =>
          `${service} ${backend.name} ${frontend === undefined ? '-' : '+'}`,
      );

    it('gives it to whoever has it, whatever the order', () => {
      const views = [a({ port: 80 }), b({ port: '80', backend_name: 'pool' })];
      expect(frontends(views)).toEqual(['a a -', 'b pool +']);
      expect(frontends(views, { lastGood: desire([a({ port: 80 })]).desired })).toEqual([
        'a a +',
        'b pool -',
      ]);
      expect(frontends([a({ port: 81, backend_name: 'pool' }), views[1]!])).toEqual(['b pool +']);
      expect(desire(views, { lastGood }).issues).toEqual([
        {
          severity: 'error',
          service: 'a',
          reason: '127.0.0.1:80 already belongs to service b: the service gets no frontend',
        },
      ]);
    });

    it('gives it to the first, once whoever had it is gone, is disabled, or wants something else', () => {
      const taking = a({ port: 80, backend_name: 'pool' });
      expect(frontends([taking])).toEqual(['a pool +']);
      expect(frontends([taking, b({ disabled: true, port: 80 })])).toEqual(['a pool +']);
      expect(frontends([taking, b({ port: 82 })])).toEqual(['a pool +', 'b b +']);
    });

    it('keeps it for a service of which nothing is known now, or whose block has errors', () => {
      const pending = b({}, { source: 'pending', instances: [] });
      expect(frontends([a({ port: 80 }), pending])[0]).toBe('a a -');
      expect(frontends([a({ port: 80 }), b({ port: 'x' })])[0]).toBe('a a -');
    });
  });

  it('prepares sections of services to come, and takes no line of one that is there', () => {
    const prepared_services = {
      web: { port: 81, backend: ['timeout server 3s'] },
      bare: { port: 82 },
      later: { port: 83, server_options: 'check' },
    };
    const views = [
      aView([one], { port: 80 }),
      aView([two], undefined, { name: 'bare', blocks: {} }),
      aView([], { disabled: true }, { name: 'off' }),
    ];
    const { desired, issues } = desire(views, {
      top: { stats: false, prepared_services: { ...prepared_services, off: { port: 84 } } },
    });
    expect(issues).toEqual([]);
    expect(
      desired.services.map(({ service, frontend, backend }) => [
        service,
        frontend?.lines[0],
        backend.servers.length,
      ]),
    ).toEqual([
      ['web', 'bind localhost:80', 1],
      ['bare', 'bind localhost:82', 1],
      ['later', 'bind localhost:83', 0],
    ]);
  });

  it('collects the shared frontend, if there is one', () => {
    const views = [aView([], { shared_frontend: ['acl a path /', 'bogus'] })];
    const without = desire(views);
    expect(without.desired.sharedFrontend).toBeUndefined();
    expect(without.issues).toHaveLength(1);
    const { desired } = desire(views, { top: { shared_frontend: ['bind *:80'] } });
    expect(desired.sharedFrontend).toEqual({
      title: 'frontend shared-frontend',
      lines: ['bind *:80', 'acl a path /'],
    });
  });

  it('renders the same bytes for any order of instances, where the order is by name', () => {
    const all = Array.from({ length: 12 }, (_, i) => instance(i + 1));
    const remembered = desire([aView(all)]).memory;
    for (const backend_order of ['asc', 'desc']) {
      const text = (instances: readonly Instance[]) =>
        render(desire([aView(instances, { backend_order })], { memory: remembered }).desired);
      const expected = text(all);
      fc.assert(
        fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (shuffled) => {
          expect(text(shuffled)).toBe(expected);
        }),
        { numRuns: 20 },
      );
    }
  });
});
