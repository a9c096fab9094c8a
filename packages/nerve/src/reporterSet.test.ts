import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import type { ReporterChoice } from './reporters/index.js';
import { ReporterSet } from './reporterSet.js';
import { definitionOf } from './testing/definitions.js';
import { FakeReporter } from './testing/fakeReporter.js';

/** A choice of the place `name`; places that begin with the same letter cannot stand at once. */
function choice(name: string, type: 'zookeeper' | 'file' = 'file'): ReporterChoice {
  return {
    name,
    type,
    settings: { fileDirectory: `/${name}`, fileTtl: 30 },
    at: [],
  } as unknown as ReporterChoice;
}

const { instance } = definitionOf('web');

function setUp(...names: string[]) {
  const clock = new FakeClock();
  const log: string[] = [];
  const made = new Map<string, FakeReporter>();
  const state = { down: new Set<string>(), broken: '', reported: [] as boolean[] };
  const gauge = new Map<string, number>();
  const key = (labels: object = {}): string => Object.values(labels).join(' ');
  const set = new ReporterSet(
    names.map((name) => choice(name)),
    {
      service: 'web',
      clock,
      registered: {
        set: (value, labels) => void gauge.set(key(labels), value),
        remove: (labels) => void gauge.delete(key(labels)),
      },
      onReported: (success) => void state.reported.push(success),
      factory: {
        place: ({ name }) => name,
        clash: (before, after) => before.name.startsWith(after.name.slice(0, 1)),
        create: ({ name }) => {
          if (state.broken === name) throw new Error('no key file');
          const fake = new FakeReporter(name, log);
          fake.reachable = !state.down.has(name);
          made.set(name, fake);
          return fake;
        },
      },
    },
  );
  const change = async (...next: string[]): Promise<void> => {
    set.configure(next.map((name) => choice(name)));
    set.report(instance);
    await clock.advance(0);
  };
  const at = (name: string): FakeReporter => {
    const found = made.get(name);
    if (!found) throw new Error(`no ${name}`);
    return found;
  };
  return { clock, log, state, gauge, set, change, at };
}

describe('ReporterSet', () => {
  it('keeps what stands when a change is taken back, while what comes back cannot stand', async () => {
    const { clock, set, change, at } = setUp('a');
    set.report(instance);
    await clock.advance(0);
    at('a').reachable = false;
    await change('b');
    // Nobody could withdraw it there.
    expect([at('a').published, at('b').published]).toEqual([instance, instance]);
    set.configure([choice('a')]);
    const heavier = { ...instance, weight: 3 };
    set.report(heavier);
    await clock.advance(0);
    expect([at('b').published, at('b').disposed]).toEqual([instance, false]);
    at('a').reach();
    await clock.advance(0);
    expect([at('a').published, at('b').published]).toEqual([heavier, undefined]);
  });

  it('is exactly its reporter when there is only one', async () => {
    const { set, clock } = setUp('a');
    set.report(instance);
    await clock.advance(0);
    expect(set.state).toEqual({ kind: 'present', place: 'a', since: 0 });
  });

  it('reports to all, and one that cannot be reached holds up no other', async () => {
    const { set, clock, at, gauge, state } = setUp('a', 'b', 'c');
    at('b').reachable = false;
    set.report(instance);
    await clock.advance(0);
    expect(set.state).toMatchObject({
      kind: 'pending',
      reporters: [{ kind: 'present' }, { kind: 'pending' }, {}],
    });
    expect([...gauge]).toEqual([
      ['web a', 1],
      ['web b', 0],
      ['web c', 1],
    ]);
    // What is left to do waits for b only.
    expect(set.unreachable).toBe(true);
    at('b').reach();
    await clock.advance(0);
    expect(set.state).toMatchObject({ kind: 'present', place: 'a, b, c' });
    expect(set.unreachable).toBe(false);
    expect(state.reported).toEqual([true]);
    at('a').reachable = false;
    set.report(undefined);
    expect(at('c').published).toBeUndefined();
    await expect(set.settled(AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
  });

  it('touches only what a change of the list changes', async () => {
    const { change, log, at, gauge } = setUp('a', 'b');
    await change('a', 'b');
    log.length = 0;
    await change('c', 'a');
    expect(log).toEqual(['c up 10.0.0.5:8080', 'b withdrawn', 'b disposed']);
    expect(at('a').disposed).toBe(false);
    expect([...gauge.keys()].sort()).toEqual(['web a', 'web c']);
  });

  it('withdraws the old one when the new one stands, or took too long', async () => {
    const { change, log, at, state, clock, set } = setUp('a', 'b');
    // An old one that fails is no reason to wait.
    at('b').reachable = false;
    await change('a', 'b');
    state.down.add('c').add('d');
    await change('b', 'c');
    expect(at('a').published).toBeDefined();
    at('c').reach();
    await clock.advance(0);
    expect(log.slice(-2)).toEqual(['a withdrawn', 'a disposed']);
    await change('b', 'd');
    for (let weight = 1; weight <= 29; weight += 1) {
      await clock.advance(1_000);
      // What is reported meanwhile gives it no more time.
      set.report({ ...instance, weight });
    }
    expect(at('c').published).toBe(instance);
    await clock.advance(1_000);
    expect(at('c').disposed).toBe(true);
  });

  it('makes room first where both cannot stand', async () => {
    const { change, log, clock, at, state } = setUp('a1');
    await change('a1');
    state.down.add('a2');
    await change('a2');
    expect(at('a1').published).toBeDefined();
    // It could be reached, but cannot take the place that the old one holds.
    at('a2').come();
    await clock.advance(0);
    expect(log.slice(-2)).toEqual(['a1 withdrawn', 'a1 disposed']);
  });

  it('takes back what is on its way out', async () => {
    const { change, at, log } = setUp('a');
    await change('a');
    at('a').reachable = false;
    await change('b');
    await change('a', 'b');
    at('a').reach();
    expect(at('a').published).toBe(instance);
    expect(log).not.toContain('a disposed');
  });

  it('withdraws what left the list with all the rest when the service goes down', async () => {
    const { change, set, at, state, clock } = setUp('a');
    await change('a');
    state.down.add('b');
    await change('b');
    set.report(undefined);
    await clock.advance(0);
    expect(at('a').disposed).toBe(true);
  });

  it('changes nothing when a new one cannot be made', async () => {
    const { set, at, state, change } = setUp('a');
    await change('a');
    state.broken = 'c';
    expect(() => set.configure([choice('b'), choice('c')])).toThrow('no key file');
    expect(at('b').disposed).toBe(true);
    set.report(instance);
    expect(set.state).toMatchObject({ kind: 'present', place: 'a' });
  });

  it('lets go of all', async () => {
    const { set, at, gauge, change } = setUp('a', 'b');
    await change('a', 'b');
    await set.dispose(10);
    expect([at('a').disposed, at('b').disposed, gauge.size]).toEqual([true, true, 0]);
  });

  it('waits once, however often something is reported while a registry is away', async () => {
    const { set, at, state, change, clock } = setUp('a');
    await change('a');
    state.down.add('b');
    at('a').reachable = false;
    await change('b');
    for (let i = 0; i < 500; i += 1) {
      set.report(i % 2 === 0 ? undefined : { ...instance, weight: i });
      await clock.advance(0);
    }
    expect(at('a').waiting + at('b').waiting).toBeLessThan(5);
    expect(clock.pending).toBeLessThan(3);
    at('a').reach();
    at('b').reach();
    await clock.advance(0);
    expect(at('b').published).toMatchObject({ weight: 499 });
    expect(at('a').disposed).toBe(true);
  });
});
