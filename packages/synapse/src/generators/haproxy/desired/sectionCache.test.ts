import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceView } from '../../../catalog/types.js';
import { readHaproxyBlock } from '../block/blocks.js';
import { desiredState, type DesiredResult } from './desired.js';
import { expireMemory } from './expire.js';
import { emptyMemory, type Memory, serialiseMemory } from './memory.js';
import { outlineOf } from './outline.js';
import { withOwnLines } from './ownLines.js';
import { SectionCache } from './sectionCache.js';

const configs = [
  { stats: false },
  { stats: false, state_file_path: '/x', state_file_ttl: 40, use_nerve_weights: true },
  {
    stats: false,
    state_file_path: '/x',
    state_file_ttl: 40,
    max_server_id: 2,
    shared_frontend: ['mode http'],
  },
  { stats: false, use_nerve_weights: true, max_server_id: 6 },
].map((block, n) => {
  const location = new Map([['zone', n === 0 ? 'a' : 'b']]);
  const traffic = { latencies: true, tap: n !== 1, stickCounter: n };
  return readHaproxyBlock(block, 'h', { location, traffic }).config!;
});

const blocks = [
  { port: 3000, server_options: 'check' },
  { port: 3000, backend_order: 'asc', listen: ['mode tcp'] },
  { port: 'bad' },
  { disabled: true },
  { port: 3000, server_options: 'check', locality: { levels: ['zone'] } },
  { port: 3000, server_options: 'check', latencies: false },
  { port: 3000, server_options: 'check', tap: false },
  { port: 3001, balance: 'latency', shared_frontend: ['acl a path /'], latencies: false },
  { port: 3001, backend_name: 'users', frontend: ['http-request track-sc0 src'], tap: false },
].map((haproxy) => ({ haproxy }));

const instance = fc.record({
  host: fc.constantFrom('10.0.0.1', '10.0.0.2', 'a.example', 'b.example', 'not a host'),
  port: fc.constantFrom(80, 81),
  weight: fc.constantFrom(1, 5, 300),
  labels: fc.constantFrom(undefined, { zone: 'a' }, { zone: 'b' }),
}) as fc.Arbitrary<Instance>;

const view = fc.record({
  name: fc.constantFrom('web', 'users', 'web.zone', 'bad name'),
  source: fc.constantFrom<ServiceView['source'][]>('live', 'live', 'live', 'pending', 'previous'),
  instances: fc.array(instance, { maxLength: 4 }),
  blocks: fc.constantFrom(...blocks),
});

/** What changes from one look to the next: some services get a new view, the others keep theirs. */
const step = fc.record({
  changed: fc.array(view, { maxLength: 2 }),
  gone: fc.constantFrom(undefined, undefined, 'web', 'users'),
  config: fc.constantFrom(...configs),
  addresses: fc.constantFrom(
    new Map<string, string>(),
    new Map([['a.example', '10.1.1.1']]),
    new Map([
      ['a.example', '10.1.1.2'],
      ['b.example', '10.1.1.3'],
    ]),
  ),
  seconds: fc.nat(60),
  /** Whether what came of the look before was accepted. */
  isGood: fc.boolean(),
  foreign: fc.constantFrom(undefined, undefined, new Map([[1, 'by-hand']])),
  isAble: fc.constantFrom(true, true, false),
});

/** Little changes here but who had what before: an address that two want. */
const contest = fc
  .record({
    changed: fc.array(
      fc.record({
        name: fc.constantFrom('web', 'users'),
        source: fc.constant<ServiceView['source']>('live'),
        instances: fc.array(instance, { maxLength: 1 }),
        blocks: fc.constantFrom(...[0, 5, 6, 7].map((at) => blocks[at]!)),
      }),
      { maxLength: 1 },
    ),
    gone: fc.constantFrom(undefined, undefined, 'web', 'users'),
    isGood: fc.boolean(),
  })
  .map((each): Step => ({ ...each, ...still, config: configs[0]! }));

/** Servers come and go, more than there are ids for. */
const crowd = fc
  .array(
    fc.record({ host: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'), port: fc.constantFrom(80, 81) }),
    { maxLength: 3 },
  )
  .map((instances): Step => {
    const web: Step['changed'][number] = { name: 'web', source: 'live', instances, blocks: blocks[0]! };
    const changed = instances.length === 0 ? [] : [web];
    return { ...still, changed, gone: undefined, isGood: true, config: configs[2]! };
  });

/** Values that stay the same from look to look: twins in name, one with an id of its own, a strange weight, a bad host. */
const fleet: readonly Instance[] = [
  ...[1, 2, 3, 4, 5].map((n) => ({ host: `10.0.0.${n}`, port: 80 })),
  { host: '10.0.0.1', port: 80, weight: 5 },
  { host: '10.0.0.6', port: 80, haproxyServerOptions: 'id 2' },
  { host: '10.0.0.7', port: 80, weight: 300 },
  { host: '10.0.0.8', port: 80, held: true },
  { host: 'not a host', port: 80 },
];
const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 9, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
/** Mostly one or two come or go, and nothing else changes. */
const roll = fc
  .record({
    instances: fc
      .record({ first: fc.shuffledSubarray(fleet.slice(0, 5)), others: fc.constantFrom(0, 0, 1, 2) })
      .chain(({ first, others }) =>
        fc.shuffledSubarray(fleet.slice(5), { maxLength: others }).map((more) => [...first, ...more]),
      ),
    block: mostly(0, 1, 7),
    config: mostly(3, 0, 1).map((at) => configs[at]!),
    seconds: fc.nat(20),
    foreign: mostly(undefined, new Map([[1, 'by-hand']])),
  })
  .map(({ instances, block, ...more }): Step => {
    const web: Step['changed'][number] = { name: 'web', source: 'live', instances, blocks: blocks[block]! };
    return { ...still, ...more, changed: [web], gone: undefined, isGood: true };
  });

const still = { addresses: new Map<string, string>(), seconds: 1, foreign: undefined, isAble: true };

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Look = (before: DesiredResult, cache?: SectionCache) => DesiredResult;

function play(steps: readonly Step[], each: (look: Look) => void): void {
  const services = new Map<string, ServiceView>();
  let now = 1_000_000_000_000;
  for (const { changed, gone, config, addresses, seconds, isGood, foreign, isAble } of steps) {
    now += seconds * 1000;
    for (const one of changed) services.set(one.name, one);
    if (gone !== undefined) services.delete(gone);
    each((before, cache) => {
      const views = [...services.values()];
      // Blocks that nobody saw before: nothing is kept for them.
      const given = cache ? views : views.map((each) => ({ ...each, blocks: structuredClone(each.blocks) }));
      const memory = cache ? before.memory : new Map(before.memory);
      const foreignIds = new Map(foreign && [['web', foreign]]);
      const lastGood = isGood ? before.desired : undefined;
      const standing = { foreignIds, lastGood, ...(cache && { cache }) };
      const made = desiredState(config, { services: given }, memory, addresses, now, standing);
      return { ...made, ...withOwnLines(made, config, { services: given }, isAble, cache) };
    });
  }
}

const nothing: DesiredResult = {
  ...{ desired: { base: [], services: [] }, memory: emptyMemory, issues: [], refused: [] },
};

describe('the cache of sections', () => {
  it.each([
    ['any history', step],
    ['a contest for addresses', contest],
    ['a crowd', crowd],
    ['a fleet of which a few come and go', roll],
  ])('changes nothing about what is desired, over %s', (_, kind: fc.Arbitrary<Step>) => {
    fc.assert(
      fc.property(fc.array(kind, { maxLength: 12 }), (steps) => {
        const cache = new SectionCache();
        let [cached, plain] = [nothing, nothing];
        play(steps, (look) => {
          [cached, plain] = [look(cached, cache), look(structuredClone(plain))];
          expect(cached).toEqual(plain);
          expect(serialiseMemory(cached.memory)).toBe(serialiseMemory(plain.memory));
        });
      }),
      { numRuns: 200 },
    );
  });

  it('leaves the servers of instances that did not change the same values', () => {
    const cache = new SectionCache();
    const [config] = configs;
    const addresses = new Map<string, string>();
    const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((host) => ({ host, port: 80 }));
    const look = (instances: readonly Instance[], memory: Memory): DesiredResult => {
      const web: ServiceView = { name: 'web', source: 'live', instances, blocks: blocks[0]! };
      return desiredState(config!, { services: [web] }, memory, addresses, 1_000, { cache });
    };
    const serversOf = ({ desired }: DesiredResult) =>
      new Map(desired.services[0]!.backend.servers.map((server) => [server.address, server]));
    const before = look([a!, b!], emptyMemory);
    const after = look([a!, c!], before.memory);
    expect(serversOf(after).get('10.0.0.1')).toBe(serversOf(before).get('10.0.0.1'));
    expect([...serversOf(after).keys()].sort()).toEqual(['10.0.0.1', '10.0.0.3']);
  });

  it('leaves the sections of a service that did not change the same value', () => {
    const cache = new SectionCache();
    const [config] = configs;
    const [block] = blocks;
    const make = (name: string, host: string): ServiceView => ({
      ...{ name, source: 'live', instances: [{ host, port: 80 }], blocks: block! },
    });
    const [web, users] = [make('web', '10.0.0.1'), { ...make('users', '10.0.0.1'), blocks: blocks[1]! }];
    const look = (views: readonly ServiceView[], memory: Memory, now: number): DesiredResult =>
      desiredState(config!, { services: views }, memory, new Map(), now, { cache });
    let { memory } = look([web, users], emptyMemory, 1_000);
    ({ memory } = look([web, users], memory, 2_000));
    const before = look([web, users], memory, 60_000);
    const after = look([make('web', '10.0.0.2'), users], before.memory, 61_000);
    expect(after.desired.services[1]).toBe(before.desired.services[1]);
    expect(after.desired.services[0]).not.toBe(before.desired.services[0]);
    expect(after.memory.get('users')?.servers).toBe(before.memory.get('users')?.servers);
    expect(after.memory.get('users')?.seen).toBe(61);
  });

  it('leaves memory, layout and lines of ours the same where only instances change', () => {
    const cache = new SectionCache();
    const [config] = configs;
    const view = (name: string, host: string, haproxy: unknown): ServiceView => ({
      ...{ name, source: 'live', instances: [{ host, port: 80 }], blocks: { haproxy } },
    });
    const [web, other] = [{ port: 3000 }, { port: 3001 }];
    const still = view('other', '10.0.0.1', other);
    const look = (host: string, memory: Memory, now: number) => {
      const services = [view('web', host, web), still];
      const made = desiredState(config!, { services }, memory, new Map(), now, { cache });
      return { ...made, ...withOwnLines(made, config!, { services }, true, cache) };
    };
    const before = look('10.0.0.1', emptyMemory, 1_000);
    const after = look('10.0.0.2', before.memory, 2_000);
    expect(after.desired.services[0]).not.toBe(before.desired.services[0]);
    expect(after.desired.services[1]).toBe(before.desired.services[1]);
    expect(after.desired.base).toBe(before.desired.base);
    expect(outlineOf(after.desired.services)).toBe(outlineOf(before.desired.services));
    expect(expireMemory(after.memory, 3, 100, new Set())).toBe(after.memory);
  });

  it('computes a service that changed once', () => {
    const cache = new SectionCache();
    const [config] = configs;
    const made: string[] = [];
    const web: ServiceView = {
      ...{ name: 'web', source: 'live', blocks: blocks[0]! },
      // Whoever computes the servers of a service reads each host.
      instances: [
        {
          port: 80,
          get host() {
            made.push('web');
            return '10.0.0.1';
          },
        },
      ],
    };
    const first = desiredState(config!, { services: [web] }, emptyMemory, new Map(), 1_000, { cache });
    expect(made.length).toBeGreaterThan(0);
    made.length = 0;
    desiredState(config!, { services: [web] }, first.memory, new Map(), 2_000, { cache });
    expect(made).toEqual([]);
  });

  it('gives an address to another one as soon as nobody is known to have had it', () => {
    const cache = new SectionCache();
    const web = (port: number): ServiceView => ({
      ...{ name: 'web', source: 'live', instances: [], blocks: { haproxy: { port } } },
    });
    const users = { ...web(3000), name: 'users' };
    const late = web(3000);
    const look = (services: readonly ServiceView[], lastGood?: DesiredResult) => {
      const standing = { cache, ...(lastGood && { lastGood: lastGood.desired }) };
      const made = desiredState(configs[0]!, { services }, emptyMemory, new Map(), 1_000, standing);
      const owners = made.desired.services.filter(({ frontend }) => frontend?.lines[0]?.endsWith(':3000'));
      return { made, owner: owners.map(({ service }) => service) };
    };
    const { made } = look([web(3001), users]);
    expect(look([late, users], made).owner).toEqual(['users']);
    expect(look([late, users]).owner).toEqual(['web']);
  });
});
