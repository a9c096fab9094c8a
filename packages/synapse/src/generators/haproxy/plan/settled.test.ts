import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyServer, lineSets, names } from '../testing/anyServer.js';
import { afterReload, aService, aState } from '../testing/sections.js';
import type { ObservedServer, ObservedState, Server } from '../types.js';
import { capabilitiesOf } from './capabilities.js';
import { planChanges } from './plan.js';

const versions = fc.constantFrom('2.4.1', '2.6.12', '3.0.5').map(capabilitiesOf);

describe('a plan for what was seen to run as wanted', () => {
  it('comes to the same where all that was loaded was seen to run as wanted', () => {
    /** Two of each name: servers are values, and one that did not change is the very same. */
    const pool = fc.tuple(...names.map(anyServer), ...names.map(anyServer));
    const chosen = fc.array(fc.nat(1), { minLength: names.length, maxLength: names.length });
    const next = fc.tuple(fc.shuffledSubarray(names), fc.array(fc.nat(2), { minLength: 5, maxLength: 5 }));
    const health = fc.constantFrom<ObservedServer['operational']>('up', 'up', 'starting', 'down');
    const given = fc.record({
      ...{ pool, before: fc.subarray(names), chosen, next, capabilities: versions },
      ...{ lines: fc.constantFrom(...lineSets), health: fc.array(health, { minLength: 5, maxLength: 5 }) },
      service: fc.constantFrom('web', 'web@zone'),
      looks: fc.array(fc.tuple(fc.nat(3), fc.nat(2), fc.boolean()), { minLength: 4, maxLength: 8 }),
      strange: fc.constantFrom('', '', '', ...names),
      missing: fc.constantFrom('', '', '', ...names),
    });
    const other = ['timeout client 77s', 'default-server weight 3'];
    let settled = 0;
    fc.assert(
      fc.property(given, (all) => {
        const one = (name: string, twin: number): Server =>
          all.pool[names.indexOf(name) + twin * names.length]!;
        const state = (list: readonly Server[], defaults?: readonly string[]) =>
          aState([aService(list, { lines: all.lines, service: all.service })], defaults);
        const twin = (name: string): number => all.chosen[names.indexOf(name)]!;
        const loaded = state(all.before.map((name) => one(name, twin(name))));
        const [kept, others] = all.next;
        // Mostly the same as before.
        const wanted = kept.map((name) => {
          const isOther = others[names.indexOf(name)] === 0;
          return one(name, isOther ? 1 - twin(name) : twin(name));
        });
        const desired = state(wanted);
        const ran = afterReload(loaded);
        const backends = new Map(
          [...ran.backends].map(([name, running]) => [
            name,
            new Map(
              [...running]
                .filter(([key]) => key !== all.missing)
                .map(([key, now]) => [
                  key,
                  {
                    ...now,
                    ...(now.admin === 'maint' ? {} : { operational: all.health[names.indexOf(key)]! }),
                    ...(key === all.strange ? { id: 99 } : {}),
                  },
                ]),
            ),
          ]),
        );
        const observed = { ...ran, backends };
        const { base } = state([], other);
        const from = [loaded, { ...loaded, base }, { ...desired, base: loaded.base }];
        const to = [loaded, { ...loaded, base }, desired, { ...desired, base }];
        const steering = new Map([[all.service, new Map([['a', 7]])]]);
        for (const [wanted, before, isSteered] of all.looks) {
          const look = (seen: ObservedState) =>
            planChanges(to[wanted]!, from[before], seen, all.capabilities, isSteered ? steering : undefined);
          const { commands, reload } = look(observed);
          expect({ commands, reload }).toEqual(look(structuredClone(observed)));
          if (commands.length + reload.length === 0) settled += 1;
        }
      }),
      { numRuns: 1_000 },
    );
    expect(settled).toBeGreaterThan(100);
  });
});
