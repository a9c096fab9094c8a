import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backendContext, effectiveDefaults } from '../desired/backendContext.js';
import { capabilitiesOf } from './capabilities.js';
import { withIntended } from '../loaded/loadedState.js';
import { planChanges, PlanMemo } from './plan.js';
import { withReplaced } from './running.js';
import { effectiveWeight, startsInMaint } from './runtimeServer.js';
import { anyServer, lineSets, names } from '../testing/anyServer.js';
import { afterReload, aService, aState, simulate } from '../testing/sections.js';
import type { DesiredState, ObservedServer, ObservedState, RuntimeCommand, Server } from '../types.js';

const servers = fc
  .subarray(names)
  .chain((chosen) => fc.tuple(...chosen.map(anyServer)))
  .map((all): readonly Server[] => all);

/** States of the same sections, so that only servers differ. */
const states = (count: number): fc.Arbitrary<readonly DesiredState[]> =>
  fc
    .tuple(
      fc.constantFrom(...lineSets),
      fc.constantFrom(...lineSets),
      fc.array(fc.tuple(servers, servers), { minLength: count, maxLength: count }),
    )
    .map(([web, api, all]) =>
      all.map(([one, two]) =>
        aState([aService(one, { lines: web }), aService(two, { service: 'api', lines: api })]),
      ),
    );

/** What hands, crashes and lost commands may have made of the process: owned servers changed or gone, others added. */
const mess = fc.record({
  foreign: fc.constantFrom([], ['by-hand']),
  changes: fc.dictionary(
    fc.constantFrom(...names),
    fc.record(
      {
        admin: fc.constantFrom('ready', 'drain', 'maint'),
        weight: fc.integer({ min: 0, max: 256 }),
        port: fc.constant(1),
        gone: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  ),
});
type Mess = typeof mess extends fc.Arbitrary<infer T> ? T : never;

function disturb(observed: ObservedState, { foreign, changes }: Mess): ObservedState {
  const backends = [...observed.backends].map(([name, before]) => {
    const after = new Map<string, ObservedServer>();
    for (const [key, value] of before) {
      const { gone = false, ...change } = changes[key] ?? {};
      if (!gone) after.set(key, { ...value, ...(change as Partial<ObservedServer>) });
    }
    for (const key of foreign) {
      const unknown = { id: 999, address: '10.9.9.9', port: 9, weight: 1, checked: false };
      after.set(key, { name: key, ...unknown, admin: 'ready', operational: 'up' });
    }
    return [name, after] as const;
  });
  return { ...observed, backends: new Map(backends) };
}

/** Everything in which the process differs from `desired`, foreign servers left out. */
function differences(desired: DesiredState, observed: ObservedState): readonly string[] {
  const defaults = effectiveDefaults(desired.base);
  return desired.services.flatMap(({ backend }) => {
    const context = backendContext(defaults, backend.lines);
    const running = new Map(observed.backends.get(backend.name));
    const wrong = backend.servers.flatMap((wanted) => {
      const now = running.get(wanted.name);
      running.delete(wanted.name);
      if (startsInMaint(wanted, context))
        return now === undefined || now.admin === 'maint' ? [] : [wanted.name];
      const same =
        now?.admin === 'ready' &&
        now.address === wanted.address &&
        now.port === wanted.port &&
        now.id === wanted.id &&
        now.weight === effectiveWeight(wanted, context);
      return same ? [] : [wanted.name];
    });
    return [...wrong, ...[...running.keys()].filter((name) => name !== 'by-hand')];
  });
}

/** `loaded` with the servers that the commands added in place of those of the file. */
function withAdded(
  loaded: DesiredState,
  desired: DesiredState,
  commands: readonly RuntimeCommand[],
): DesiredState {
  const wanted = new Map(desired.services.map((sections) => [sections.service, sections.backend.servers]));
  const services = loaded.services.map((sections) => {
    const added = new Set(
      commands.flatMap(({ kind, backend, server: name }) =>
        kind === 'add-server' && backend === sections.backend.name ? [name] : [],
      ),
    );
    const kept = sections.backend.servers.filter(({ name }) => !added.has(name));
    const fresh = wanted.get(sections.service)!.filter(({ name }) => added.has(name));
    return { ...sections, backend: { ...sections.backend, servers: [...kept, ...fresh] } };
  });
  return { ...loaded, services };
}

const versions = fc.constantFrom('2.4.1', '2.6.12', '3.0.5').map(capabilitiesOf);

describe('planChanges, whatever the states', () => {
  it('finds nothing to do in what it wants', () => {
    fc.assert(
      fc.property(states(1), versions, ([state], capabilities) => {
        expect(planChanges(state!, state, afterReload(state!), capabilities)).toEqual({
          commands: [],
          reload: [],
        });
      }),
    );
  });

  it('reaches what is wanted by its commands, or by the reload that it gives a reason for', () => {
    let withoutReload = 0;
    fc.assert(
      fc.property(states(2), mess, versions, ([loaded, desired], disturbance, capabilities) => {
        const observed = disturb(afterReload(loaded!), disturbance);
        const { commands, reload } = planChanges(desired!, loaded, observed, capabilities);
        const after = simulate(observed, commands);
        if (reload.length === 0) {
          expect(differences(desired!, after)).toEqual([]);
          withoutReload += 1;
        }
        for (const name of disturbance.foreign) {
          expect(after.backends.get('web')?.get(name)).toBe(observed.backends.get('web')?.get(name));
        }
        expect(reload.every(({ detail, service }) => detail !== '' && service !== undefined)).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(withoutReload).toBeGreaterThan(50);
  });

  it('comes to rest without repeating a command that succeeded', () => {
    fc.assert(
      fc.property(states(2), mess, versions, ([first, desired], disturbance, capabilities) => {
        let loaded = first!;
        let observed = disturb(afterReload(loaded), disturbance);
        const sent = new Set<string>();
        for (let pass = 0; pass < 5; pass += 1) {
          const { commands } = planChanges(desired!, loaded, observed, capabilities);
          if (commands.length === 0) return;
          for (const command of commands) {
            const text = JSON.stringify(command);
            expect(sent).not.toContain(text);
            sent.add(text);
          }
          observed = simulate(observed, commands);
          loaded = withAdded(loaded, desired!, commands);
        }
        expect.unreachable('still sending commands after five passes');
      }),
      { numRuns: 300 },
    );
  });

  it('cleans up after a crash in the middle of its commands', () => {
    fc.assert(
      fc.property(states(3), fc.nat(12), ([loaded, desired, next], count) => {
        const capabilities = capabilitiesOf('2.6.12');
        const observed = afterReload(loaded!);
        const { commands } = planChanges(desired!, loaded, observed, capabilities);
        const added = new Map<string, Set<string>>();
        for (const { kind, backend, server } of commands)
          if (kind === 'add-server') added.set(backend, (added.get(backend) ?? new Set()).add(server));
        const intended = withIntended(loaded!, desired!, added);
        const crashed = simulate(observed, commands.slice(0, count));
        const plan = planChanges(next!, intended, crashed, capabilities);
        const after = simulate(crashed, plan.commands);
        if (plan.reload.length === 0) expect(differences(next!, after)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('comes to the same with the memo of the looks before, over any history', () => {
    const pick = fc.record({ at: fc.nat(1), isSwapped: fc.boolean(), lacks: fc.boolean() });
    const looks = fc.array(fc.tuple(pick, pick, fc.nat(1), fc.boolean()), { maxLength: 8 });
    fc.assert(
      fc.property(states(2), looks, versions, (all, history, capabilities) => {
        const memo = new PlanMemo();
        const [weights, noWeights] = [new Map([['web', new Map([['a', 7]])]]), new Map<string, never>()];
        // The services of one state may stand in another order, or one of them be gone.
        const stateOf = ({ at, isSwapped, lacks }: { at: number; isSwapped: boolean; lacks: boolean }) => {
          const { services, ...rest } = all[at]!;
          const some = lacks ? services.slice(1) : services;
          return { ...rest, services: isSwapped ? [...some].reverse() : some };
        };
        const seen = all.map(afterReload);
        let observed = seen[0]!;
        for (const [wanted, ran, at, isRead] of history) {
          const [desired, loaded] = [stateOf(wanted), stateOf(ran)];
          const { backends } = seen[at]!;
          observed = isRead
            ? { ...observed, backends: withReplaced(observed.backends, new Map([...backends].slice(0, 1))) }
            : { ...observed, backends };
          const fresh = [desired, loaded].map((state) => structuredClone(state));
          for (const steered of [noWeights, weights]) {
            const mine = planChanges(desired, loaded, observed, capabilities, steered, memo);
            const [one, other] = [fresh[0]!, fresh[1]!];
            expect(mine).toEqual(planChanges(one, other, structuredClone(observed), capabilities, steered));
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
