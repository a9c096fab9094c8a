import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { Catalog } from './catalog/catalog.js';
import type { GeneratorKind } from './generators/types.js';
import { GeneratorSet } from './generatorSet.js';
import { RecordingGenerator } from './testing/index.js';

function setUp(...generators: RecordingGenerator[]) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const catalog = new Catalog();
  const kind = (generator: RecordingGenerator): GeneratorKind => ({
    check: () => [],
    checkService: () => [],
    create: () => generator,
    render: () => Promise.resolve({ text: '', notes: [] }),
  });
  const passes: string[] = [];
  const set = new GeneratorSet({
    table: new Map(generators.map((generator) => [generator.name, kind(generator)])),
    blocks: new Map(generators.map(({ name }) => [name, {}])),
    ...{ catalog, clock, logger, metrics: createMetrics() },
    settings: {
      holdoffMs: 20,
      holdoffMaxMs: 200,
      resyncMs: 30_000,
      location: new Map(),
      traffic: { latencies: false, stickCounter: 2 },
    },
    passes: { passed: (name, outcome) => void passes.push(`${name} ${outcome}`) },
  });
  const stop = new AbortController();
  const running = Promise.all(set.tasks.map((task) => task(stop.signal)));
  return { clock, logger, set, passes, end: () => (stop.abort(), running) };
}

describe('GeneratorSet', () => {
  it('goes on with the others when one fails, hangs, or breaks down in the background', async () => {
    const [good, bad, stuck] = ['good', 'bad', 'stuck'].map((name) => new RecordingGenerator(name));
    bad!.behaviour = () => Promise.reject(new Error('disk full'));
    stuck!.behaviour = () => new Promise(() => undefined);
    let runs = 0;
    const run = bad!.run.bind(bad);
    bad!.run = (wake, signal) => {
      runs += 1;
      return runs === 1 ? Promise.reject(new Error('a bug')) : run(wake, signal);
    };
    const { clock, logger, set, passes } = setUp(good!, bad!, stuck!);
    await clock.advance(0);
    expect(passes.toSorted()).toEqual(['bad failed', 'good noop']);
    set.trigger();
    await clock.advance(1_000);
    expect(good!.views).toHaveLength(2);
    expect(set.ready()).toMatchObject({
      ok: false,
      behind: [{ generator: 'bad', error: 'disk full' }, { generator: 'stuck' }],
    });
    expect(set.health()).toEqual({ ok: true, stuck: [] });
    await clock.advance(121_000);
    expect(set.health()).toEqual({ ok: false, stuck: ['stuck'] });
    expect(runs).toBe(2);
    expect(logger.records).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'a generator failed, starting it again' }),
    );
    expect(set.status()).toMatchObject([
      { generator: 'good', outcome: 'noop', details: { passes: good!.views.length } },
      { generator: 'bad', outcome: 'failed' },
      { generator: 'stuck', outcome: undefined },
    ]);
  });

  it('wakes the one that asks, and no other', async () => {
    const [one, other] = [new RecordingGenerator('one'), new RecordingGenerator('other')];
    const { clock, end } = setUp(one, other);
    await clock.advance(1_000);
    one.wake();
    await clock.advance(1_000);
    expect([one.views.length, other.views.length]).toEqual([2, 1]);
    await end();
  });

  it('hands each its own block, and only one that changed', async () => {
    const [one, other] = [new RecordingGenerator('one'), new RecordingGenerator('other')];
    const { set, logger, end } = setUp(one, other);
    set.configure(
      new Map<string, unknown>([
        ['one', { a: 1 }],
        ['third', {}],
      ]),
    );
    expect([one.blocks, other.blocks]).toEqual([[{ a: 1 }], []]);
    expect(logger.records.map(({ message, fields }) => [message, fields.generator])).toEqual([
      ['a new generator needs a restart of synapse', 'third'],
      ['a generator that is gone needs a restart of synapse', 'other'],
    ]);
    await end();
  });
});
