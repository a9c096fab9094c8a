import { describe, expect, it } from 'vitest';
import { render, renderServer } from './render.js';
import { ownerOf, tierName } from './tierNames.js';
import { aView, desire as desireAt, instance } from '../testing/desire.js';
import type { ServiceView } from '../../../catalog/types.js';
import type { DesiredResult } from './desired.js';
import type { DesiredState } from '../types.js';

const location = new Map([
  ['zone', 'a'],
  ['region', '1'],
]);
const labels = (zone: string, region: string) => ({ labels: { zone, region } });
const near = instance(1, labels('a', '1'));
const wide = instance(2, labels('b', '1'));
const far = instance(3, labels('a', '2'));
const bare = instance(4);
const all = [near, wide, far, bare];
const locality = { levels: ['zone', 'region'] };
const block = { port: 3213, backend_order: 'asc', server_options: 'check', locality };

const notice = 'default-server observe layer4 error-limit 3 on-error mark-down';

type Given = Parameters<typeof desireAt>[1];
const desire = (views: readonly ServiceView[], given: Given = {}): DesiredResult =>
  desireAt(views, { location, ...given });
const web = (haproxy: unknown = block, instances = all): ServiceView => aView(instances, haproxy);
const names = ({ services }: DesiredState) => services.map(({ service }) => service);
const frontend = ({ services }: DesiredState, name = 'web'): readonly string[] =>
  services.find(({ service }) => service === name)?.frontend?.lines ?? [];
const hosts = ({ services }: DesiredState, name: string): readonly string[] | undefined =>
  services.find(({ service }) => service === name)?.backend.servers.map(({ address }) => address);
const chosen = (state: DesiredState): readonly string[] =>
  frontend(state).flatMap((line) => (line.startsWith('use_backend') ? [line.split(' ')[1]!] : []));

describe('the tiers of a service', () => {
  it('are backends of its own near instances, and its frontend chooses the nearest that will do', () => {
    const { desired, issues } = desire([web({ ...block, listen: ['mode http'] })]);
    expect(issues).toEqual([]);
    const sections = render(desired)
      .split('\n\n')
      .slice(-4)
      .map((text) => text.trim().split('\n\t'));
    expect(sections).toEqual([
      [
        'frontend web',
        'mode http',
        'bind localhost:3213',
        'use_backend web.zone if { nbsrv(web.zone) ge 2 } !{ be_conn_free(web.zone) eq 0 } # locality: zone',
        'use_backend web.region if { nbsrv(web.region) ge 2 } !{ be_conn_free(web.region) eq 0 } # locality: region',
        'default_backend web',
      ],
      [
        'backend web',
        'mode http',
        'server 10.0.0.1:80 10.0.0.1:80 id 1 check',
        'server 10.0.0.2:80 10.0.0.2:80 id 2 check',
        'server 10.0.0.3:80 10.0.0.3:80 id 3 check',
        'server 10.0.0.4:80 10.0.0.4:80 id 4 check',
      ],
      ['backend web.zone', notice, 'mode http', 'server 10.0.0.1:80 10.0.0.1:80 id 1 check'],
      [
        'backend web.region',
        notice,
        'mode http',
        'server 10.0.0.1:80 10.0.0.1:80 id 1 check',
        'server 10.0.0.2:80 10.0.0.2:80 id 2 check',
      ],
    ]);
  });

  it('are there whoever is in them: what comes and goes changes servers alone', () => {
    const lines = (instances: typeof all): string => {
      const { desired } = desire([web(block, instances)]);
      const bare = desired.services.map(({ backend, ...rest }) => ({
        ...rest,
        backend: { ...backend, servers: [] },
      }));
      return render({ ...desired, services: bare });
    };
    const whole = lines(all);
    for (const instances of [[], [near], [far], [bare], [near, wide]]) expect(lines(instances)).toBe(whole);
  });

  it('have the name and the lines of the backend, and nothing of the frontend', () => {
    const stated = {
      ...{
        ...block,
        backend_name: 'b',
        bind_address: '10.0.0.9',
        bind_options: 'ssl',
        frontend: ['maxconn 9'],
      },
      ...{
        backend: ['balance leastconn'],
        cookie_value_method: 'hash',
        listen: ['cookie C insert', 'maxconn 7'],
      },
      shared_frontend: ['acl x path /x'],
      locality: { levels: ['region'], minimum: '1' },
    };
    const { desired } = desire([web(stated)], { top: { stats: false, shared_frontend: [] } });
    expect(names(desired)).toEqual(['web', 'web@region']);
    const [own, tier] = desired.services;
    expect(tier?.frontend).toBeUndefined();
    expect(tier?.backend).toMatchObject({ name: 'b.region', lines: [notice, ...(own?.backend.lines ?? [])] });
    expect(tier?.backend.servers.map(renderServer)).toEqual(
      own?.backend.servers.slice(0, 2).map(renderServer),
    );
    expect(frontend(desired)).toContain(
      'use_backend b.region if { nbsrv(b.region) ge 1 } !{ be_conn_free(b.region) eq 0 } # locality: region',
    );
    expect(desired.sharedFrontend?.lines).toEqual(['acl x path /x']);
  });

  it('need all that is wider than they: without it this host is near to nothing, and that is said once', () => {
    const views = [web(), { ...web({ ...block, port: 3214 }), name: 'api' }];
    const cases = [
      [new Map([['zone', 'a']]), [], ['`region`']],
      [new Map([['region', '1']]), ['web.region'], ['`zone`']],
      [new Map(), [], ['`zone`, `region`']],
    ] as const;
    for (const [somewhere, tiers, missing] of cases) {
      const { desired, issues } = desire(views, { location: somewhere });
      expect(chosen(desired)).toEqual(tiers);
      expect(names(desired)).toHaveLength(2 + 2 * tiers.length);
      const reason = `locality: the location of this host (agent.yaml) has no ${missing[0]}: these levels, and those within them, are left out`;
      expect(issues).toEqual([{ severity: 'warning', reason }]);
    }
  });

  it.each([
    ['its server_options', { server_options: 'check observe layer7' }, {}],
    ['its default-server', { listen: ['default-server observe layer7'] }, {}],
    ['the defaults', {}, { presets: { extra_defaults: ['default-server observe layer7'] } }],
  ])('leave what errors mean for a server to the operator where %s say it', (_, more, top) => {
    const { desired } = desire([web({ ...block, ...more })], { top: { stats: false, ...top } });
    const [own, tier] = desired.services;
    expect(tier?.backend.lines).toEqual(own?.backend.lines);
  });

  it('exist for services prepared ahead', () => {
    const top = { stats: false, prepared_services: { web: block } };
    const { desired } = desire([], { top });
    expect(names(desired)).toEqual(['web', 'web@zone', 'web@region']);
    const arrived = desire([web(null)], { top }).desired;
    expect(frontend(arrived)).toEqual(frontend(desired));
  });

  it('are told where a service has no frontend that could choose', () => {
    const { desired, issues } = desire([web({ locality })]);
    expect(names(desired)).toEqual(['web', 'web@zone', 'web@region']);
    expect(issues).toMatchObject([{ severity: 'warning', service: 'web' }]);
  });

  it('go with a service that is disabled, refused, or has no such key', () => {
    for (const haproxy of [{ ...block, disabled: true }, { ...block, port: 'x' }, null])
      expect(desire([web(haproxy)]).desired.services).toEqual([]);
    const without = { ...block, locality: undefined };
    const { desired } = desire([web(without)]);
    expect(render(desired)).toBe(render(desireAt([web(without)]).desired));
    expect(names(desired)).toEqual(['web']);
    expect(render(desire([web({ ...block, locality: null })]).desired)).toBe(render(desired));
  });

  it('report what is wrong with an instance or a line once', () => {
    const bad = { ...near, host: 'a b' };
    const { issues } = desire([web({ ...block, listen: ['nonsense'], unknown: 1 }, [bad, wide])]);
    expect(issues.map(({ severity }) => severity)).toEqual(['warning', 'warning', 'error']);
  });

  it.each<[unknown, string]>([
    [{ levels: [] }, 'must name a level'],
    [{}, 'levels'],
    [{ levels: ['zone', 'zone'] }, 'must name each level once'],
    [{ levels: ['a\n\tserver evil 10.0.0.1:1'] }, 'must be the name of a label'],
    [{ levels: ['a@b'] }, 'must be the name of a label'],
    [{ levels: ['zone'], minimum: 0 }, 'must be an integer from 1 to 65535'],
    [{ levels: ['zone'], spill: true }, 'spill'],
    [['zone'], 'locality'],
  ])('are refused: %j', (stated, why) => {
    const { desired, issues } = desire([web({ ...block, locality: stated })]);
    expect(desired.services).toEqual([]);
    expect(issues.map(({ reason }) => reason).join()).toContain(why);
  });

  it('hold nothing of what labels say', () => {
    const evil = 'a\n\tserver evil 10.9.9.9:80\n# locality: }';
    const instances = [{ ...near, labels: { zone: evil, region: evil } }];
    const { desired } = desire([web(block, instances)], {
      location: new Map([
        ['zone', evil],
        ['region', evil],
      ]),
    });
    expect(hosts(desired, 'web@zone')).toEqual(['10.0.0.1']);
    expect(render(desired)).not.toContain('evil');
  });
});

describe('names', () => {
  it('of a tier lead back to its service, which may hold anything but the separator', () => {
    expect(ownerOf(tierName('web.zone', 'zone'))).toBe('web.zone');
    expect(ownerOf('web')).toBe('web');
  });

  it('belong to services first: a tier whose name is taken is left out, with its line', () => {
    const other = { ...web({ port: 3215 }, [bare]), name: 'web.zone' };
    for (const views of [
      [web(), other],
      [other, web()],
    ]) {
      const { desired, issues } = desire(views);
      expect(chosen(desired)).toEqual(['web.region']);
      expect(hosts(desired, 'web.zone')).toEqual(['10.0.0.4']);
      const reason =
        'locality: there is no tier zone: its backend web.zone is already that of service web.zone: it is left out';
      expect(issues).toEqual([{ severity: 'error', reason, service: 'web' }]);
    }
  });

  it('that a tier has already stay its own when a service comes that wants one', () => {
    const { desired: lastGood } = desire([web()]);
    const other = { ...web({ port: 3215 }, [bare]), name: 'web.zone' };
    const { desired, issues } = desire([other, web()], { lastGood });
    expect(chosen(desired)).toEqual(['web.zone', 'web.region']);
    expect(issues).toMatchObject([{ severity: 'error', service: 'web.zone' }]);
  });

  it('that are those of services with the separator in them are no danger', () => {
    const odd = { ...web({ port: 3215 }, [bare]), name: 'web@zone' };
    const { desired, issues } = desire([web(), odd]);
    expect(names(desired)).toEqual(['web', 'web@zone', 'web@region']);
    expect(hosts(desired, 'web@zone')).toEqual(['10.0.0.1']);
    expect(issues).toMatchObject([{ severity: 'error', service: 'web@zone' }]);
  });

  it('that are too long are no section names', () => {
    const { desired, issues } = desire([web({ ...block, backend_name: 'x'.repeat(251) })]);
    expect(names(desired)).toEqual(['web']);
    expect(chosen(desired)).toEqual([]);
    expect(issues).toHaveLength(2);
  });
});
