import { describe, expect, it } from 'vitest';
import { desiredState, type DesiredResult } from './desired.js';
import { emptyMemory } from './memory.js';
import { render } from './render.js';
import { SectionCache } from './sectionCache.js';
import { withoutLostTiers } from './tiers.js';
import { readHaproxyBlock } from '../block/blocks.js';
import { at, aView, desire as desireAt, instance } from '../testing/desire.js';
import type { ServiceView } from '../../../catalog/types.js';
import type { DesiredState } from '../types.js';

const location = new Map([
  ['zone', 'a'],
  ['region', '1'],
]);
const near = instance(1, { labels: { zone: 'a', region: '1' } });
const wide = instance(2, { labels: { zone: 'b', region: '1' } });
const far = instance(3, { labels: { zone: 'a', region: '2' } });
const all = [near, wide, far];
const block = {
  ...{ port: 3213, backend_order: 'asc', server_options: 'check' },
  locality: { levels: ['zone', 'region'] },
};

const desire = (views: readonly ServiceView[], given: Parameters<typeof desireAt>[1] = {}): DesiredResult =>
  desireAt(views, { location, ...given });
const web = (haproxy: unknown = block, instances = all): ServiceView => aView(instances, haproxy);
const frontend = ({ services }: DesiredState): readonly string[] => services[0]?.frontend?.lines ?? [];
const hosts = ({ services }: DesiredState, name: string): readonly string[] | undefined =>
  services.find(({ service }) => service === name)?.backend.servers.map(({ address }) => address);
const chosen = (state: DesiredState): readonly string[] =>
  frontend(state).flatMap((line) => (line.startsWith('use_backend') ? [line.split(' ')[1]!] : []));

describe('tiers over time', () => {
  it('keep ids of their own, and are remembered without a block', () => {
    const first = desire([web(block, [wide, near])]);
    const { desired, memory } = desire([web(block, [near, wide])], { memory: first.memory });
    const ids = (name: string) =>
      desired.services.find(({ service }) => service === name)?.backend.servers.map(({ id }) => id);
    expect([ids('web'), ids('web@zone'), ids('web@region')]).toEqual([[2, 1], [1], [2, 1]]);
    expect([...memory.keys()]).toEqual(['web', 'web@zone', 'web@region']);
    expect(memory.get('web@zone')?.block).toBeUndefined();
  });

  it('serve from memory while nothing is known, and are empty when nobody is near', () => {
    const { memory } = desire([web()]);
    const pending = { ...web(block, []), source: 'pending' } as const;
    const { desired } = desire([pending], { memory });
    expect(hosts(desired, 'web@zone')).toEqual(['10.0.0.1']);
    // What is kept of a service that lost all of its instances is known as well.
    const previous = { ...web(block, [far]), source: 'previous' } as const;
    expect(hosts(desire([previous], { memory }).desired, 'web@zone')).toEqual([]);
  });

  it('keep their memory as long as a service that cannot be read', () => {
    const { memory } = desire([web()]);
    const { config } = readHaproxyBlock({ stats: false }, 'h', { location });
    const later = at + 10 * 86_400_000;
    const view = { services: [], unreadable: ['web'] };
    expect(desiredState(config!, view, memory, new Map(), later).memory).toEqual(memory);
    expect(desiredState(config!, { services: [] }, memory, new Map(), later).memory).toEqual(new Map());
  });

  it('follow the last good block while that of the service has errors', () => {
    const { memory, desired: before } = desire([web()]);
    const { desired } = desire([web({ ...block, port: 'x' })], { memory });
    expect(render(desired)).toBe(render(before));
  });

  it('stay the same values while nothing changes', () => {
    const { config } = readHaproxyBlock({ stats: false }, 'h', { location });
    const cache = new SectionCache();
    const view = { services: [web({ ...block, locality: { levels: ['zone', 'region'] } })] };
    const look = (memory = emptyMemory) => desiredState(config!, view, memory, new Map(), at, { cache });
    const first = look();
    const second = look(first.memory);
    const third = look(second.memory);
    expect(third.desired.services).toHaveLength(3);
    third.desired.services.forEach((each, index) => expect(each).toBe(second.desired.services[index]));
  });
});

describe('withoutLostTiers', () => {
  const { desired } = desire([web()]);

  it('changes nothing while all are there', () => {
    expect(withoutLostTiers(desired)).toBe(desired);
  });

  it('takes out the lines of those that are not, and no line of the operator', () => {
    const own = 'use_backend web.zone if { path /x }';
    const [service, ...tiers] = desired.services;
    const sections = {
      ...service!,
      frontend: { ...service!.frontend!, lines: [own, ...service!.frontend!.lines] },
    };
    const state = { ...desired, services: [sections, tiers[1]!] };
    const once = withoutLostTiers(state);
    expect(frontend(once)[0]).toBe(own);
    expect(chosen(once)).toEqual(['web.zone', 'web.region']);
    expect(frontend(once)).toHaveLength(4);
    expect(withoutLostTiers(state).services[0]).toBe(once.services[0]);
    expect(withoutLostTiers(once)).toBe(once);
  });

  it('does not take the backend of another service for a tier', () => {
    const [service] = desired.services;
    const other = { service: 'web.zone', backend: { name: 'web.zone', lines: [], servers: [] } };
    expect(chosen(withoutLostTiers({ ...desired, services: [service!, other] }))).toEqual([]);
  });
});
