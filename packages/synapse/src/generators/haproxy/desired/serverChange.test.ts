import type { Instance } from '@smartstack/registry';
import { expect, it } from 'vitest';
import { readHaproxyBlock } from '../block/blocks.js';
import { aView, instance } from '../testing/desire.js';
import { desiredState, type DesiredResult } from './desired.js';
import type { Memory } from './memory.js';
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
