import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readHaproxyBlock } from '../block/blocks.js';
import { aView, instance } from '../testing/desire.js';
import { desiredState, type DesiredResult } from './desired.js';
import { emptyMemory, type Memory, serialiseMemory } from './memory.js';
import { SectionCache } from './sectionCache.js';

const top = { stats: false, use_nerve_weights: true, max_server_id: 6 };
const { config } = readHaproxyBlock(top, 'h');
const [first, other, remembered] = [instance(1), instance(2), instance(3)];

it.each<[string, unknown, readonly Instance[]]>([
  ['is held, where HAProxy does not check it', {}, [{ ...other, held: true }]],
  ['has an id beyond the last', {}, [remembered]],
  ['comes to one that is warned of', {}, [instance(2, { weight: 300 }), remembered]],
  ['is called as one that is there', {}, [instance(1, { weight: 5 })]],
  ['states the id of one that is there', {}, [instance(2, { haproxyServerOptions: 'id 1' })]],
  ['takes an id that another had', { server_options: 'check' }, [other, instance(4), instance(5)]],
])('what is desired where one of the instances %s is what it is without those before', (_, block, others) => {
  const servers = new Map([['10.0.0.3:80', { instance: remembered, serverId: 9, seen: undefined }]]);
  const memory: Memory = new Map([['web', { servers, seen: 0, block: undefined }]]);
  const cache = new SectionCache();
  const look = (instances: readonly Instance[], before: Memory, kept?: SectionCache): DesiredResult => {
    const standing = kept === undefined ? {} : { cache: kept };
    return desiredState(config!, { services: [aView(instances, block)] }, before, new Map(), 1_000, standing);
  };
  let [cached, plain] = [look([first], memory, cache), look([first], memory)];
  const lists = others.map((__, count) => [first, ...others.slice(0, count + 1)]);
  for (const list of [...lists, [first]]) {
    [cached, plain] = [look(list, cached.memory, cache), look(list, plain.memory)];
    expect(cached).toEqual(plain);
  }
});

it('names that pass on their addresses, or share them, change nothing about what is desired', () => {
  const named = ['a', 'b', 'c'].map((host): Instance => ({ host: `${host}.example`, port: 80 }));
  const address = fc.constantFrom('10.0.0.1', '10.0.0.2');
  const list = fc.oneof(fc.shuffledSubarray(named), fc.shuffledSubarray([...named, other]));
  const block = {};
  const looks = fc.array(fc.record({ list, addresses: fc.tuple(address, address, address) }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(looks, (history) => {
      const cache = new SectionCache();
      let [cached, plain] = [emptyMemory, emptyMemory];
      for (const [seconds, { list: instances, addresses }] of history.entries()) {
        // Only of names that are asked for.
        const known = named.flatMap(({ host }, at): [string, string][] =>
          instances.some((one) => one.host === host) ? [[host, addresses[at]!]] : [],
        );
        const look = (memory: Memory, kept?: SectionCache): DesiredResult => {
          const standing = kept === undefined ? {} : { cache: kept };
          const services = [aView(instances, block)];
          return desiredState(config!, { services }, memory, new Map(known), 1_000 * seconds, standing);
        };
        const [mine, fresh] = [look(cached, cache), look(plain)];
        expect(mine).toEqual(fresh);
        [cached, plain] = [mine.memory, fresh.memory];
        expect(serialiseMemory(cached)).toBe(serialiseMemory(plain));
      }
    }),
    { numRuns: 500 },
  );
});

it('an instance that stands in a list twice, which the catalog never tells, has one server', () => {
  const cache = new SectionCache();
  const block = {};
  const look = (instances: readonly Instance[], memory: Memory) =>
    desiredState(config!, { services: [aView(instances, block)] }, memory, new Map(), 1_000, { cache });
  const { memory } = look([first, other, remembered], emptyMemory);
  const { desired } = look([remembered, first, first], memory);
  expect(desired.services[0]!.backend.servers).toHaveLength(2);
});
