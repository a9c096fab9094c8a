import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { describe, expect, it, onTestFinished } from 'vitest';
import { registrationDifference, ShadowReporter } from './shadow.js';

const registrant = { service: 'web', instanceId: 'vm1', host: '10.0.0.5', port: 80 };
const wanted: Instance = { host: '10.0.0.5', port: 80, name: 'vm1', weight: 5, labels: { az: 'a', os: 'b' } };

describe('registrationDifference', () => {
  const same: Instance = { ...wanted, id: 7, labels: { os: 'b', az: 'a' } };
  const others: readonly Instance[] = [
    { ...wanted, name: 'vm2' },
    { ...wanted, port: 81 },
    { ...wanted, host: '10.0.0.6' },
  ];

  it.each<[what: string, wanted: Instance | undefined, found: readonly Instance[], text: RegExp | undefined]>(
    [
      ['the same, in another order and with a sequence number', wanted, [...others, same], undefined],
      ['a format without a place for names', wanted, [{ ...same, name: undefined } as never], undefined],
      ['nothing, and nothing is wanted', undefined, others, undefined],
      ['what should not be there', undefined, [same], /^it would not be registered, and is$/],
      ['nothing', wanted, others, /^it would be registered, and is not$/],
      ['it twice', wanted, [same, { ...same, id: 8 }], /^it is registered 2 times$/],
      [
        'another weight',
        wanted,
        [{ ...same, weight: 1 }],
        /^it is registered as .*"weight":1,.*, and would be as .*"weight":5/,
      ],
      [
        'it, and once more otherwise',
        wanted,
        [same, { ...same, weight: 1 }],
        /^it is registered as .*"weight":1,/,
      ],
    ],
  )('with %s', (_, want, found, text) => {
    const difference = registrationDifference(want, found, registrant);
    if (text === undefined) expect(difference).toBeUndefined();
    else expect(difference).toMatch(text);
  });
});

describe('ShadowReporter', () => {
  function setUp(canList = true) {
    const clock = new FakeClock();
    const logger = new RecordingLogger();
    const metrics = createMetrics();
    const labels = ['service', 'reporter'] as const;
    const differs = metrics.gauge({ name: 'differs', help: 'x', labels });
    const registry: { found: readonly Instance[]; failure: Error | undefined; asked: unknown[] } = {
      ...{ found: [], failure: undefined, asked: [] },
    };
    let released = false;
    const shadow = new ShadowReporter('one', {
      ...{ clock, logger, registrant, name: 'zookeeper', differs },
      list: canList
        ? (settings) => {
            registry.asked.push(settings);
            if (registry.failure) return Promise.reject(registry.failure);
            return Promise.resolve({ instances: registry.found, problems: [] });
          }
        : undefined,
      release: () => {
        released = true;
        return Promise.resolve();
      },
    });
    const stop = new AbortController();
    const ended = shadow.run(stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await ended;
    });
    const told = (): readonly string[] => logger.records.map(({ level, message }) => `${level} ${message}`);
    return { clock, registry, shadow, metrics, told, isReleased: () => released };
  }

  it('says what differs for more than 15 s, once, and when that is over', async () => {
    const { clock, registry, shadow, metrics, told } = setUp();
    let changes = 0;
    shadow.onChange(() => (changes += 1));
    shadow.report(wanted);
    await clock.advance(5_000);
    expect(shadow.state).toMatchObject({
      kind: 'pending',
      error: 'shadow: it would be registered, and is not',
    });
    expect([told(), changes > 0]).toEqual([[], true]);
    await clock.advance(60_000);
    expect(told()).toEqual(['warn differs from what ours would do']);
    expect((await metrics.expose()).body).toContain('differs{service="web",reporter="zookeeper"} 1');
    registry.found = [wanted];
    await clock.advance(5_000);
    expect(shadow.state).toMatchObject({ kind: 'present', place: 'shadow: as it should be' });
    expect(told()).toEqual(['warn differs from what ours would do', 'info a difference is over']);
    expect((await metrics.expose()).body).toContain('differs{service="web",reporter="zookeeper"} 0');
    shadow.report(undefined);
    registry.found = [];
    await clock.advance(5_000);
    expect(shadow.state).toEqual({ kind: 'absent' });
  });

  it('says nothing of what the other nerve mends in time', async () => {
    const { clock, registry, shadow, told } = setUp();
    for (let round = 0; round < 10; round += 1) {
      shadow.report({ ...wanted, weight: round });
      await clock.advance(10_000);
      registry.found = [{ ...wanted, weight: round }];
      await clock.advance(5_000);
    }
    expect(told()).toEqual([]);
  });

  it.each([3_600_000, -3_600_000])('knows what lasts when the clock is set by %i ms', async (byMs) => {
    const { clock, shadow, told } = setUp();
    shadow.report(wanted);
    await clock.advance(5_000);
    clock.jumpWallClock(byMs);
    await clock.advance(5_000);
    expect(told()).toEqual([]);
    await clock.advance(10_000);
    expect(told()).toEqual(['warn differs from what ours would do']);
  });

  it('says once that the registry does not answer, and goes on when it does, with new settings', async () => {
    const { clock, registry, shadow, told } = setUp();
    registry.failure = new Error('ConnectionLoss');
    await clock.advance(5_000);
    shadow.report(wanted);
    await clock.advance(60_000);
    expect(told()).toEqual(['warn nothing to compare with']);
    expect([shadow.unreachable, shadow.state]).toEqual([
      true,
      expect.objectContaining({ kind: 'pending', error: 'shadow: not compared yet' }),
    ]);
    registry.failure = undefined;
    shadow.configure('two');
    await clock.advance(5_000);
    expect([shadow.unreachable, registry.asked.at(-1)]).toEqual([false, 'two']);
    expect(shadow.state).toMatchObject({ error: 'shadow: it would be registered, and is not' });
  });

  it('compares nothing where nobody can read', async () => {
    const { clock, shadow, told } = setUp(false);
    shadow.report(wanted);
    await clock.advance(60_000);
    expect([shadow.state, told()]).toEqual([
      { kind: 'present', place: 'shadow: cannot be compared', since: expect.any(Number) as number },
      [],
    ]);
  });

  it('lets go of what it has, and of its metric', async () => {
    const { clock, shadow, metrics, isReleased } = setUp();
    await clock.advance(5_000);
    expect((await metrics.expose()).body).toContain('differs{');
    await shadow.dispose();
    expect(isReleased()).toBe(true);
    expect((await metrics.expose()).body).not.toContain('differs{');
    await shadow.settled();
  });
});
