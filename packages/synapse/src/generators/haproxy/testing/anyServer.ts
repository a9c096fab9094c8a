import fc from 'fast-check';
import { aServer } from './sections.js';
import type { Server } from '../types.js';

/** What servers are called. */
export const names = ['a', 'b', 'c', 'd', 'e'];
const optionSets = [
  [],
  ['check'],
  ['check', 'inter', '5s'],
  ['weight', '9'],
  ['backup'],
  ['non-stick'],
  ['disabled'],
];
/** Lines of a backend. */
export const lineSets = [
  ['balance roundrobin'],
  ['default-server check weight 4'],
  ['balance static-rr'],
  ['cookie C insert'],
];

/** A server with options, a weight and a state of any kind. */
export const anyServer = (name: string): fc.Arbitrary<Server> =>
  fc
    .record({
      options: fc.constantFrom(...optionSets),
      weight: fc.option(fc.integer({ min: 0, max: 256 }), { nil: undefined }),
      disabled: fc.boolean(),
      port: fc.constantFrom(80, 81),
    })
    .map(({ weight, ...rest }) => aServer(name, { ...rest, ...(weight === undefined ? {} : { weight }) }));
