import type { Instance } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';

import { Arrivals } from '../catalog/arrivals.js';
import type { CatalogRules } from '../catalog/definition.js';
import type { GeneratorTrace, Snapshot } from '../catalog/types.js';
import { type Evidence, explain } from './explain.js';

const rules: CatalogRules = {
  defaultServers: [],
  keepDefaultServers: false,
  usePreviousBackends: true,
  leaderElection: false,
  labelFilters: [],
  blocks: {},
};
const a: Instance = { host: '10.0.0.1', port: 80, name: 'a' };
const b: Instance = { host: '10.0.0.2', port: 80, name: 'b' };
const live = (...instances: Instance[]): Snapshot => ({ status: 'live', instances });

function evidence(snapshot: Snapshot, more: Partial<Evidence> = {}): Evidence {
  return {
    ...{ service: 'web', place: 'zookeeper zk1:2181/s/web', entries: [], arrivals: new Arrivals() },
    ...{ snapshot, known: [], rules, staleMs: 0, problems: [], generators: [], now: 1_000_000 },
    ...more,
  };
}

/** HAProxy, in which these serve, and all others are not wanted. */
function haproxy(
  instances: readonly Instance[],
  serving: readonly Instance[],
): Evidence['generators'][number] {
  const trace: GeneratorTrace = {
    steps: [{ step: 'running', ok: true, detail: 'runs' }],
    servers: instances.map((instance) => {
      const serves = serving.includes(instance);
      const detail = serves ? 'server …' : 'not among the servers that are wanted';
      return {
        ...{ server: `${instance.name}_${instance.host}:80`, instance },
        ...{ state: serves ? 'up' : 'absent', takesTraffic: serves },
        steps: [{ step: 'desired', ok: serves, detail }],
      };
    }),
  };
  return { name: 'haproxy', trace };
}

describe('explain', () => {
  it('follows an instance from where it is registered', () => {
    const entries = [{ place: '/s/web/a_0000000001', createdAt: 5_000, instance: a }];
    const { ok, servers, steps } = explain(evidence(live(a), { entries, generators: [haproxy([a], [a])] }));
    expect(ok).toBe(true);
    expect(steps.map(({ step }) => step)).toEqual(['source', 'fallback', 'filter', 'running']);
    expect(servers).toMatchObject([
      { server: 'a_10.0.0.1:80', takesTraffic: true, steps: [{ step: 'source', at: 5_000 }, {}, {}, {}] },
    ]);
  });

  it('says what each of several watchers knows, and that one which is lost but not used does no harm', () => {
    const parts = [
      { name: 'old', status: 'stale', instances: 2, previous: 0, used: false },
      { name: 'new', status: 'live', instances: 0, previous: 1, used: true },
      { name: 'other', status: 'pending', instances: 0, previous: 0, used: false },
    ] as const;
    const partPlaces = new Map([['old', 'zookeeper zk1:2181/old']]);
    const snapshot = { ...live(a), parts } as Snapshot;
    const { ok, steps } = explain(evidence(snapshot, { partPlaces, generators: [haproxy([a], [a])] }));
    expect(ok).toBe(true);
    expect(steps.filter(({ step }) => step === 'watcher').map(({ detail }) => detail)).toEqual([
      'old: zookeeper zk1:2181/old: lost; it told 2 registrations; not used',
      'new: live, 0 registrations, the 1 before stay (use_previous_backends)',
      'other: it has told nothing yet; not used',
    ]);
    const lost = { ...live(a), parts: [{ ...parts[0], used: true }] } as Snapshot;
    expect(explain(evidence(lost)).reason).toMatch(/^watcher: old: lost/);
  });

  it('says of one that its source lost with most others that it is held, and why one is not', () => {
    const [held, unchecked] = [a, b].map((each): Instance => ({ ...each, held: true }));
    const found = explain(
      evidence(live(held!, unchecked!), { generators: [haproxy([held!, unchecked!], [held!])] }),
    );
    const gone = 'gone from the source with most others: held while HAProxy checks it (mass_loss)';
    expect(found.steps[0]?.detail).toBe(
      'zookeeper zk1:2181/s/web: live, 0 registrations, and 2 instances that vanished with most others, held (mass_loss)',
    );
    expect(found.servers).toMatchObject([
      { server: 'a_10.0.0.1:80', takesTraffic: true, steps: [{ ok: false, detail: gone }, {}, {}] },
      { server: 'b_10.0.0.2:80', takesTraffic: false, reason: `source: ${gone}` },
    ]);
    expect(found.servers[0]).not.toHaveProperty('reason');
  });

  it('says where an instance stops: at a filter, at its registrar, at what cannot be read', () => {
    const labelled = { ...b, labels: { zone: 'x' } };
    const filter = { label: 'zone', value: 'x', condition: 'not-equals' } as const;
    const entries = [{ place: '/s/web/bad_0000000009', problem: 'Not JSON' }];
    const { servers } = explain(
      evidence(live({ ...a, available: false }, labelled), {
        rules: { ...rules, labelFilters: [filter] },
        entries,
      }),
    );
    expect(servers.map(({ reason }) => reason)).toEqual([
      'filter: its registrar says that it takes no requests (available: false)',
      'filter: label_filters: zone is "x" and must not be "x"',
      'decoded: Not JSON',
    ]);
  });

  it.each([
    ['pending', { status: 'pending' }, {}, 'source: zookeeper zk1:2181/s/web: it has told nothing yet'],
    [
      'stale',
      { status: 'stale', instances: [a] },
      { staleMs: 5_000 },
      'source: zookeeper zk1:2181/s/web: lost; it told 1 registration',
    ],
    [
      'previous',
      live(),
      { known: [] },
      'fallback: the source is empty: the 0 instances before stay (use_previous_backends)',
    ],
  ] as const)('says what is wrong with a source that is %s', (source, snapshot, more, reason) => {
    expect(explain(evidence(snapshot, more))).toMatchObject({ source, ok: false, reason });
  });

  it('tells of servers that the source does not have, and when they left it', () => {
    const arrivals = new Arrivals();
    arrivals.note(live(a, b), 100);
    arrivals.note(live(a), 200);
    const stranger = { server: 'x_10.9.9.9:80', state: 'up', takesTraffic: true, steps: [] };
    const left = { ...stranger, server: 'b_10.0.0.2:80' };
    const trace: GeneratorTrace = { steps: [], servers: [stranger, left] };
    const { servers } = explain(
      evidence(live(), { arrivals, known: [], generators: [{ name: 'haproxy', trace }] }),
    );
    expect(servers.map(({ server, steps }) => [server, steps[0]?.detail, steps[0]?.at])).toEqual([
      ['x_10.9.9.9:80', 'the source has no such instance', undefined],
      ['b_10.0.0.2:80', 'it left the source', 200],
    ]);
  });
});
