import type { Instance } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import type { SeenServer } from '../runtime/look.js';
import type { DesiredState, Server, ServiceSections } from '../types.js';
import { membershipOf, tiersOf, tierSteps } from './tiers.js';

const serverOf = (name: string): Server => ({
  ...{ name, address: '10.0.0.1', port: 80, id: 1, options: [], disabled: false },
});
const sectionsOf = (service: string, backend: string, names: readonly string[]): ServiceSections => ({
  service,
  backend: { name: backend, lines: [], servers: names.map(serverOf) },
});
const choose = (name: string, level: string): string =>
  `use_backend ${name} if { nbsrv(${name}) ge 2 } !{ be_conn_free(${name}) eq 0 } # locality: ${level}`;
const web: ServiceSections = {
  ...sectionsOf('web', 'web', ['n1', 'n2', 'r1', 'f1']),
  frontend: { title: 'frontend web', lines: [choose('web.zone', 'zone'), choose('web.region', 'region')] },
};
const desired: DesiredState = {
  base: [],
  services: [
    web,
    sectionsOf('web@zone', 'web.zone', ['n1', 'n2']),
    sectionsOf('web@region', 'web.region', ['n1', 'n2', 'r1']),
  ],
};
const location = new Map([
  ['zone', 'a'],
  ['region', '1'],
]);
const row = (name: string, more: Partial<SeenServer> = {}): SeenServer => ({
  ...{ name, address: undefined, status: 'up', weight: 1, check: undefined, seconds: 1, free: undefined },
  ...more,
});
const process = (zone: readonly SeenServer[]) =>
  new Map([
    ['web.zone', zone],
    ['web.region', [row('n1'), row('n2'), row('r1')]],
  ]);
const tiersWith = (...zones: (readonly SeenServer[])[]) =>
  tiersOf({ service: 'web', sections: web, desired, processes: zones.map(process) });
const state = (...zones: (readonly SeenServer[])[]) =>
  tiersWith(...zones).map(({ trace: { tier, serving, active, reason } }) => [tier, serving, active, reason]);
const instance = (labels?: Instance['labels']): Instance => ({
  ...{ host: '10.0.0.1', port: 80, ...(labels && { labels }) },
});

describe('tiersOf', () => {
  it('finds the nearest that requests can go to, and says why not to a nearer one', () => {
    const down = row('n1', { status: 'down' });
    expect(state([row('n1'), row('n2')])).toEqual([
      ['zone', 2, true, 'requests go here'],
      ['region', 3, false, 'a nearer one serves'],
    ]);
    expect(state([down, row('n2')])).toEqual([
      ['zone', 1, false, 'too few: it takes 2'],
      ['region', 3, true, 'requests go here'],
    ]);
    const full = ['n1', 'n2'].map((name) => row(name, { free: 0 }));
    expect(state(full)[0]).toEqual(['zone', 2, false, 'full: no server takes another connection at once']);
    expect(state([row('n1', { free: 0 }), row('n2')])[0]?.[2]).toBe(true);
    expect(state([row('n1', { weight: 0 }), row('n2')])[0]?.[2]).toBe(false);
  });

  it('does not guess where nobody can be asked, and has none where no frontend chooses', () => {
    expect(state()).toEqual([
      ['zone', 0, false, 'not asked'],
      ['region', 0, false, 'not asked'],
    ]);
    const sections = sectionsOf('web', 'web', []);
    expect(tiersOf({ service: 'web', sections, desired, processes: [] })).toEqual([]);
    expect(tierSteps([], 'web')).toEqual([]);
  });

  it('says where requests go when no tier can have them', () => {
    const tiers = tiersOf({ service: 'web', sections: web, desired, processes: [new Map()] });
    expect(tierSteps(tiers, 'web').map(({ detail }) => detail)).toEqual([
      'zone: backend web.zone, 0 of 2 servers take traffic; too few: it takes 2',
      'region: backend web.region, 0 of 3 servers take traffic; too few: it takes 2',
      'all: backend web; requests go here: no tier can have them',
    ]);
  });
});

describe('membershipOf', () => {
  const member = (name: string, labels?: Instance['labels']) => {
    const { steps, ...rest } = membershipOf(
      name,
      instance(labels),
      tiersWith([row('n1'), row('n2')]),
      location,
    );
    return { ...rest, details: steps.map(({ detail }) => detail) };
  };

  it('says in which tiers a server is, and which label keeps it out of a nearer one', () => {
    expect(member('n1', { zone: 'a', region: '1' })).toMatchObject({
      ...{ tier: 'zone', standsBy: false },
      details: ['in zone: backend web.zone, up', 'in region: backend web.region, up'],
    });
    expect(member('r1', { zone: 'b', region: '1' })).toMatchObject({
      ...{ tier: 'region', standsBy: true },
      details: ['not in zone: its zone is "b", here it is "a"', 'in region: backend web.region, up'],
    });
    expect(member('f1', { zone: 'a', region: 2 }).details).toEqual([
      'not in zone: its region is "2", here it is "1"',
      'not in region: its region is "2", here it is "1"',
    ]);
    expect(member('f1')).toMatchObject({
      details: ['not in zone: it has no label zone, here it is "a"', expect.any(String)],
    });
    expect(member('f1')).not.toHaveProperty('tier');
  });

  it('sees a server that HAProxy has out of the tier that serves, whatever it is elsewhere', () => {
    const zone = [row('n1', { status: 'maint' }), row('n2'), row('n3')];
    const { steps, active } = membershipOf('n1', instance(), tiersWith(zone), location);
    expect(steps[0]).toEqual({ step: 'tier', ok: false, detail: 'in zone: backend web.zone, maint' });
    expect(active.map(({ status }) => status)).toEqual(['maint']);
  });
});
