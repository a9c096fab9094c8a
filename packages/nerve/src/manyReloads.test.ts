import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { FakeReporter } from './testing/fakeReporter.js';
import { Services } from './services.js';
import type { Service } from './service.js';
import { fakeDeps } from './testing/deps.js';
import { definitionsOf } from './testing/definitions.js';
import { fakeReporting } from './testing/fakeReporting.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Resolves when what nothing refers to any more is gone: a target of a WeakRef lives until its turn has ended. */
async function collected(): Promise<void> {
  for (let i = 0; i < 3; i += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
}

const noop = (name: string) => ({ checks: [{ type: 'noop', name }] });
/** What reloads change: data, checks, places, limits, services that come and go. */
const configurations = [
  { a: {}, b: noop('one') },
  { a: { weight: 3 }, b: noop('one'), c: {} },
  { a: { weight: 3, zk_path: '/new' }, b: noop('two') },
  { a: { weight: 3, ...noop('x') }, b: { ...noop('two'), zk_auth: 'digest:u:p' }, d: noop('d') },
  { b: { ...noop('two'), rate_limiting: { average_rate: 1, max_burst: 9, shadow_mode: false } } },
].map((services) => definitionsOf(services));

it(
  '10,000 reloads leave the registry right, and no service, reporter or timer behind',
  { timeout: 60_000 },
  async () => {
    const { clock, logger, registry, deps } = fakeDeps();
    const { reporting, log, made } = fakeReporting(deps);
    const services = new Services(reporting, deps);
    const reporters: WeakRef<FakeReporter>[] = [];
    const loops: WeakRef<Service>[] = [];
    let published: FakeReporter[] = [];
    const reload = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i += 1) {
        const next = configurations[i % configurations.length];
        if (next) services.apply(next);
        // Some come faster than anything can be done about them.
        if (i % 4 === 1) await clock.advance(i % 40 === 1 ? 700 : 0);
        for (const name of next?.keys() ?? []) {
          const service = services.find(name);
          if (service && i % 10 === 0) loops.push(new WeakRef(service));
        }
        reporters.push(...made.map((one) => new WeakRef(one)));
        published = [...published, ...made].filter((one) => !one.disposed);
        // The bed's own memory is none of the agent's.
        made.length = 0;
        log.length = 0;
        logger.records.length = 0;
      }
      await clock.advance(120_000);
      await collected();
      return process.memoryUsage().heapUsed;
    };
    await reload(1_000);
    const timers = clock.pending;
    const series = (await registry.expose()).body.split('\n').length;
    const half = await reload(4_500);
    const end = await reload(4_500);
    expect(clock.pending).toBe(timers);
    expect((await registry.expose()).body.split('\n')).toHaveLength(series);
    published = published.filter((one) => !one.disposed);
    expect(published.map(({ place, published: instance }) => [place, instance?.port])).toEqual([
      ['b@/services/web', 8080],
    ]);
    expect(services.withdrawing).toEqual([]);
    expect(loops.length).toBeGreaterThan(1_000);
    // The last ones may still be held by a turn that is not over.
    expect(loops.filter((one) => one.deref() !== undefined).length).toBeLessThan(10);
    expect(reporters.length).toBeGreaterThan(1_000);
    expect(reporters.filter((one) => one.deref() !== undefined).length).toBeLessThan(10);
    // What stays is these references, some tens of bytes each.
    expect(end - half).toBeLessThan(4_500 * 200);
    await services.withdrawAll(1_000);
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  },
);
