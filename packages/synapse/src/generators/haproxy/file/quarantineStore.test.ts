import { describe, expect, it } from 'vitest';
import { advanceLoaded } from '../loaded/loaded.js';
import { withSeparateNames } from '../desired/frontendNames.js';
import { Quarantine } from './quarantineStore.js';
import { aServer, aService, aState } from '../testing/sections.js';
import type { DesiredState, RuntimeCommand } from '../types.js';

const [a, b] = [aServer('a'), aServer('b')];
const none = new Map<string, readonly string[]>();
const namesOf = (state: DesiredState, service = 'web'): readonly string[] | undefined =>
  state.services.find((each) => each.service === service)?.backend.servers.map(({ name }) => name);

describe('Quarantine', () => {
  const desired = aState([aService([a, b]), aService([a], { service: 'api' })]);

  it('changes nothing while nothing is held', () => {
    expect(new Quarantine().clear(desired, undefined, none)).toBe(desired);
  });

  it('leaves a server out until it changes', () => {
    const quarantine = new Quarantine();
    expect(
      quarantine.hold({ kind: 'server', service: 'web', server: 'b' }, 'bad', desired, undefined, none),
    ).toBe(true);
    expect(
      quarantine.hold({ kind: 'server', service: 'web', server: 'b' }, 'bad', desired, undefined, none),
    ).toBe(false);
    expect(namesOf(quarantine.clear(desired, undefined, none))).toEqual(['a']);
    const mended = aState([aService([a, aServer('b', { options: ['backup'] })])]);
    expect(quarantine.clear(mended, undefined, none)).toBe(mended);
    expect(quarantine.entries).toEqual([]);
  });

  it('forgets nothing for the sake of a state that only stands in', () => {
    const quarantine = new Quarantine();
    quarantine.hold({ kind: 'server', service: 'web', server: 'b' }, 'bad', desired, undefined, none);
    const other = aState([aService([a, aServer('b', { options: ['backup'] })])]);
    expect(namesOf(quarantine.without(other, undefined, none))).toEqual(['a']);
    expect(quarantine.entries).toHaveLength(1);
    expect(namesOf(quarantine.clear(desired, undefined, none))).toEqual(['a']);
  });

  it('keeps the last good sections of a service whose servers are all bad', () => {
    const quarantine = new Quarantine();
    const lastGood = aState([aService([aServer('old')])]);
    for (const server of ['a', 'b']) {
      quarantine.hold({ kind: 'server', service: 'web', server }, 'bad', desired, lastGood, none);
    }
    expect(quarantine.entries).toEqual([
      { culprit: { kind: 'service', service: 'web' }, reason: 'bad', kept: 'last-good' },
    ]);
    expect(namesOf(quarantine.clear(desired, lastGood, none))).toEqual(['old']);
    expect(namesOf(quarantine.clear(desired, lastGood, none), 'api')).toEqual(['a']);
  });

  it('keeps names apart where HAProxy wants them so, also of what was good before', () => {
    const lastGood = aState([aService([a]), aService([b], { service: 'api' })]);
    const lines = ['timeout server bogus'];
    const wanted = withSeparateNames(aState([aService([a], { lines }), aService([b], { service: 'api' })]));
    const titles = (state: DesiredState): readonly (string | undefined)[] =>
      state.services.map(({ frontend }) => frontend?.title);
    const quarantine = new Quarantine();
    expect(quarantine.hold({ kind: 'service', service: 'web' }, 'bad', wanted, lastGood, none)).toBe(true);
    const cleared = quarantine.clear(wanted, lastGood, none);
    expect(titles(cleared)).toEqual(['frontend web:in', 'frontend api:in']);
    expect(cleared.services[0]?.backend.lines).toEqual(lastGood.services[0]?.backend.lines);
    // A frontend whose address is taken is no other one for its new name.
    const bound = new Quarantine();
    const apart = withSeparateNames(lastGood);
    expect(bound.hold({ kind: 'frontend', service: 'web' }, 'taken', apart, lastGood, none)).toBe(true);
    expect(titles(bound.clear(apart, lastGood, none))).toEqual([undefined, 'frontend api:in']);
    expect(bound.entries).toMatchObject([{ kept: 'left-out' }]);
  });

  it('goes on following the instances of a service whose new lines are bad', () => {
    const quarantine = new Quarantine();
    const web = { kind: 'service', service: 'web' } as const;
    const lines = ['timeout server bogus'];
    const lastGood = aState([aService([a, aServer('old')])]);
    const bad = aState([aService([aServer('a', { options: ['backup'] }), b], { lines })]);
    expect(quarantine.hold(web, 'bad', bad, lastGood, none)).toBe(true);
    expect(quarantine.clear(bad, lastGood, none)).toEqual(aState([aService([a, b])]));
    const later = aState([aService([b], { lines })]);
    expect(quarantine.clear(later, lastGood, none)).toEqual(aState([aService([b])]));
    expect(quarantine.entries).toHaveLength(1);
    // Unless these are no better, which then lasts until anything of it changes.
    expect(quarantine.hold(web, 'bad', later, lastGood, none)).toBe(true);
    expect(quarantine.clear(later, lastGood, none)).toEqual(lastGood);
    expect(quarantine.hold(web, 'bad', later, lastGood, none)).toBe(false);
    expect(quarantine.clear(bad, lastGood, none)).toBe(bad);
  });

  it('takes a frontend out whose address is taken, or its last good one back, until that is tried again', () => {
    const quarantine = new Quarantine();
    const frontend = { kind: 'frontend', service: 'web' } as const;
    const [web] = desired.services;
    const old = { title: 'frontend web', lines: ['bind 127.0.0.1:79'] };
    const lastGood = aState([{ ...web!, frontend: old }]);
    quarantine.hold(frontend, 'taken', desired, lastGood, none);
    expect(quarantine.entries).toMatchObject([{ kept: 'last-good' }]);
    expect(quarantine.clear(desired, lastGood, none).services[0]).toEqual({ ...web!, frontend: old });
    expect(quarantine.clear(desired, desired, none).services[0]).toEqual({
      service: 'web',
      backend: web!.backend,
    });
    quarantine.retryAddresses();
    expect(quarantine.clear(desired, lastGood, none)).toBe(desired);
    quarantine.hold(frontend, 'taken', desired, desired, none);
    expect(quarantine.entries).toMatchObject([{ kept: 'left-out' }]);
  });

  it('leaves a service out that never was good, and forgets it when it goes', () => {
    const quarantine = new Quarantine();
    quarantine.hold({ kind: 'service', service: 'web' }, 'bad', desired, undefined, none);
    expect(namesOf(quarantine.clear(desired, undefined, none))).toBeUndefined();
    const without = aState([aService([a], { service: 'api' })]);
    expect(quarantine.clear(without, undefined, none)).toBe(without);
    expect(quarantine.entries).toEqual([]);
  });

  describe("of an address of a section that is nobody's", () => {
    const stats = (...lines: readonly string[]) => ({
      title: 'listen stats',
      lines: [...lines, 'stats enable'],
    });
    const withStats = (...lines: readonly string[]): DesiredState => ({
      ...desired,
      base: [...desired.base, stats(...lines)],
    });
    const culprit = { kind: 'bind', section: 'listen stats', line: 'bind :1' } as const;
    const statsOf = (state: DesiredState) => state.base.find(({ title }) => title === 'listen stats');

    it('leaves out that line alone, until it is tried again or changes', () => {
      const quarantine = new Quarantine();
      const both = withStats('bind :1', 'bind :2');
      expect(quarantine.hold(culprit, 'taken', both, undefined, none)).toBe(true);
      expect(quarantine.hold(culprit, 'taken', both, undefined, none)).toBe(false);
      expect(quarantine.entries).toMatchObject([{ culprit, kept: 'left-out' }]);
      expect(statsOf(quarantine.clear(both, undefined, none))).toEqual(stats('bind :2'));
      quarantine.retryAddresses();
      expect(quarantine.clear(both, undefined, none)).toBe(both);
      expect(quarantine.hold(culprit, 'taken', both, both, none)).toBe(true);
      expect(statsOf(quarantine.clear(both, both, none))).toEqual(stats('bind :2'));
      const moved = withStats('bind :3');
      expect(quarantine.clear(moved, undefined, none)).toBe(moved);
      expect(quarantine.entries).toEqual([]);
    });

    it('keeps listening where it did before, for as long as the new address is taken', () => {
      const quarantine = new Quarantine();
      const before = withStats('bind :9');
      expect(quarantine.hold(culprit, 'taken', withStats('bind :1'), before, none)).toBe(true);
      expect(quarantine.entries).toMatchObject([{ kept: 'last-good' }]);
      expect(statsOf(quarantine.clear(withStats('bind :1'), before, none))).toEqual(stats('bind :9'));
    });

    it('has shared lines of a service tried again, and a base that is only too large for now', () => {
      const quarantine = new Quarantine();
      const shared = new Map([['web', ['bind :1']]]);
      quarantine.hold(
        { kind: 'shared-lines', service: 'web', isAddress: true },
        'x',
        desired,
        undefined,
        shared,
      );
      quarantine.hold({ kind: 'base', isLimit: true }, 'x', desired, before(), none);
      expect(quarantine.entries).toHaveLength(2);
      quarantine.retryAddresses();
      expect(quarantine.entries).toEqual([]);
    });
    const before = () => aState([], ['mode tcp']);
  });

  it('cannot hold the base without a last good one', () => {
    const quarantine = new Quarantine();
    expect(quarantine.hold({ kind: 'base' }, 'bad', desired, undefined, none)).toBe(false);
    expect(quarantine.hold({ kind: 'base' }, 'bad', desired, desired, none)).toBe(false);
    expect(quarantine.hold({ kind: 'base' }, 'bad', desired, aState([], ['mode tcp']), none)).toBe(true);
    expect(quarantine.clear(desired, aState([], ['mode tcp']), none).base[1]?.lines).toEqual(['mode tcp']);
  });

  it('drops only the shared lines of the service that wrote them', () => {
    const quarantine = new Quarantine();
    const shared = new Map([
      ['web', ['acl bad']],
      ['api', ['acl fine']],
    ]);
    const both = {
      ...desired,
      sharedFrontend: { title: 'frontend s', lines: ['bind :1', 'acl bad', 'acl fine'] },
    };
    quarantine.hold({ kind: 'shared-lines', service: 'web' }, 'bad', both, undefined, shared);
    expect(quarantine.clear(both, undefined, shared).sharedFrontend?.lines).toEqual(['bind :1', 'acl fine']);
  });
});

describe('advanceLoaded', () => {
  const remove = (server: string): RuntimeCommand => ({ kind: 'remove-server', backend: 'web', server });
  const weigh = (server: string): RuntimeCommand => ({
    kind: 'set-weight',
    backend: 'web',
    server,
    weight: 3,
  });
  const loaded = aState([aService([a, b])]);

  it('takes over what succeeded and keeps what did not', () => {
    const heavier = aServer('b', { weight: 3 });
    const desired = aState([aService([heavier])]);
    const after = advanceLoaded(loaded, desired, [
      { command: remove('a'), outcome: { result: 'lingering', detail: 'held' } },
      { command: weigh('b'), outcome: { result: 'done' } },
    ]);
    expect(after.services[0]?.backend.servers).toEqual([a, heavier]);
    const later = advanceLoaded(after, desired, [{ command: remove('a'), outcome: { result: 'done' } }]);
    expect(later.services[0]?.backend.servers).toEqual([heavier]);
  });

  it('keeps the old form of a server whose replacement failed half-way', () => {
    const changed = aServer('a', { options: ['backup'] });
    const after = advanceLoaded(loaded, aState([aService([changed, b])]), [
      { command: remove('a'), outcome: { result: 'done' } },
      { command: { ...remove('a') }, outcome: { result: 'failed', detail: 'no' } },
    ]);
    expect(after.services[0]?.backend.servers).toEqual([a, b]);
  });

  it('never changes lines: these need a reload', () => {
    const desired = aState([aService([a], { lines: ['balance leastconn'] })]);
    const after = advanceLoaded(loaded, desired, [{ command: remove('b'), outcome: { result: 'done' } }]);
    expect(after.services[0]?.backend).toEqual({ ...loaded.services[0]?.backend, servers: [a] });
  });
});

describe('the tiers of a service', () => {
  const line = (name: string) => `use_backend ${name} if { nbsrv(${name}) ge 2 } # locality: zone`;
  const tier = (lines?: readonly string[]) => aService([a], { service: 'web@zone', ...(lines && { lines }) });
  const own = (names: readonly string[], lines?: readonly string[]) => {
    const { frontend, ...rest } = aService([a, b], lines && { lines });
    const all = [...names.map(line), ...(frontend?.lines ?? [])];
    return { ...rest, frontend: { title: 'frontend web', lines: all } };
  };
  /** With the backend of the tier under its own name. */
  const state = (...[web, zone]: readonly ReturnType<typeof aService>[]): DesiredState =>
    aState([
      web!,
      ...(zone ? [{ service: zone.service, backend: { ...zone.backend, name: 'web.zone' } }] : []),
    ]);
  const linesOf = ({ services }: DesiredState) =>
    services[0]?.frontend?.lines.filter((each) => each.startsWith('use_backend'));

  it('leave the file together with the line that leads to them', () => {
    const quarantine = new Quarantine();
    const desired = state(own(['web.zone']), tier(['bad']));
    quarantine.hold({ kind: 'service', service: 'web@zone' }, 'bad', desired, undefined, none);
    const cleared = quarantine.clear(desired, undefined, none);
    expect(cleared.services.map(({ service }) => service)).toEqual(['web']);
    expect(linesOf(cleared)).toEqual([]);
    expect(quarantine.clear(state(own(['web.zone']), tier()), undefined, none).services).toHaveLength(2);
  });

  it('are not missed by a last good frontend that led to them', () => {
    const quarantine = new Quarantine();
    const lastGood = state(own(['web.zone']), tier());
    const desired = state(own([], ['bad']));
    quarantine.hold({ kind: 'service', service: 'web' }, 'bad', desired, lastGood, none);
    const cleared = quarantine.clear(desired, lastGood, none);
    expect(cleared.services[0]?.backend.lines).toEqual(['balance roundrobin']);
    expect(linesOf(cleared)).toEqual([]);
  });

  it('keep their last good lines, as their service does', () => {
    const quarantine = new Quarantine();
    const lastGood = state(own(['web.zone']), tier());
    const desired = state(own(['web.zone'], ['bad']), tier(['bad']));
    for (const service of ['web', 'web@zone'])
      quarantine.hold({ kind: 'service', service }, 'bad', desired, lastGood, none);
    expect(quarantine.clear(desired, lastGood, none)).toEqual(lastGood);
  });
});
