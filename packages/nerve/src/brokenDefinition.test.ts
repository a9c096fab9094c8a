import { describe, expect, it } from 'vitest';
import { Services } from './services.js';
import { fakeDeps } from './testing/deps.js';
import { definitionsOf } from './testing/definitions.js';
import { fakeReporting } from './testing/fakeReporting.js';

describe('Services', () => {
  it('lets a definition of which no service can be made affect nothing but its own service', async () => {
    const { deps } = fakeDeps();
    const { logger, clock } = deps;
    const broken = new Set<unknown>();
    const child = logger.child.bind(logger);
    logger.child = (fields) => {
      if (broken.has(fields.service)) throw new Error('no such luck');
      return child(fields);
    };
    const { reporting, log, made } = fakeReporting(deps);
    const services = new Services(reporting, deps);
    const apply = async (next: Parameters<typeof definitionsOf>[0]): Promise<void> => {
      services.apply(definitionsOf(next));
      await clock.advance(0);
    };
    broken.add('b');
    await apply({ a: {}, b: {}, c: {} });
    expect(services.status.map(({ service }) => service)).toEqual(['a', 'c']);
    expect(services.failures).toEqual(new Map([['b', 'no such luck']]));
    // What it left in the registry earlier is not withdrawn; nothing is on its way out, and nothing is left open.
    expect(services.withdrawing).toEqual([]);
    expect(log.filter((line) => line.startsWith('b'))).toEqual(['b@/services/web disposed']);
    await services.settled(1_000, new AbortController().signal);

    // One that runs goes on, also at its old place.
    broken.delete('b');
    await apply({ a: {}, b: {}, c: {} });
    broken.add('b');
    log.length = 0;
    await apply({ a: { weight: 2 }, b: { zk_path: '/other' }, c: {} });
    expect(log).toEqual(['a@/services/web up 10.0.0.5:8080 weight 2', 'b@/other disposed']);
    expect(services.find('b')?.definition.reporters).toEqual(definitionsOf({ b: {} }).get('b')?.reporters);
    expect(services.failures.get('b')).toBe('no such luck');

    // One that is on its way out goes all the way, although it would have come back.
    const gone = made.find(({ place }) => place.startsWith('c'));
    if (!gone) throw new Error('there is no c');
    gone.reachable = false;
    await apply({});
    broken.add('c');
    await apply({ c: {} });
    expect(services.withdrawing.map(({ service }) => service)).toEqual(['c']);
    gone.reach();
    await clock.advance(0);
    expect(services.withdrawing).toEqual([]);
    expect(made.filter(({ disposed }) => !disposed)).toEqual([]);
  });
});
