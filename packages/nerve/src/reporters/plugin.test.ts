import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import {
  definePluginReporter,
  pluginPlace,
  pluginReporter,
  type PluginRegistration,
  type PluginReporterContext,
  type PluginSettings,
  reporterKindIn,
} from './plugin.js';
import type { ReporterContext } from './reporter.js';

type Carry = (wanted: PluginRegistration | undefined, signal: AbortSignal) => unknown;

const instance = { host: '10.0.0.5', port: 80, name: 'i-0' };
const registrant = { service: 'web', instanceId: 'i-0', host: '10.0.0.5', port: 80 };

/** Settings whose module makes `made`, in version `url`. */
function settings(
  made: (context: PluginReporterContext) => unknown,
  url = 'a',
  options = {},
): PluginSettings {
  const kind = definePluginReporter({
    type: 'board',
    options: {},
    create: (_, context) => made(context),
    place: () => 'the board',
  });
  return {
    kind: 'board',
    module: './board.mjs',
    use: { url, options, kind, place: pluginPlace(kind, options) },
  };
}

function setUp(made: (context: PluginReporterContext) => unknown) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const context = { clock, logger, random: () => 0 } as unknown as ReporterContext;
  return { clock, logger, reporter: pluginReporter.create(settings(made), context, registrant) };
}

const soon = (): AbortSignal => AbortSignal.timeout(5_000);

describe('a reporter from a module', () => {
  it('carries an instance and its JSON, and nothing when it is withdrawn', async () => {
    const carried: unknown[] = [];
    const { reporter } = setUp(({ service, instanceId }) => ({
      carry: (wanted: PluginRegistration | undefined) => {
        carried.push(wanted && [wanted.instance, JSON.parse(wanted.data.toString()) as unknown]);
        return Promise.resolve(`${service}/${instanceId}`);
      },
    }));
    reporter.report(instance);
    await reporter.settled(soon());
    expect(reporter.state).toMatchObject({ kind: 'present', place: 'web/i-0' });
    reporter.report(undefined);
    await reporter.settled(soon());
    expect(reporter.state).toEqual({ kind: 'absent' });
    expect(carried).toEqual([[instance, { host: '10.0.0.5', port: 80, name: 'i-0' }], undefined]);
  });

  it.each<[string, (context: PluginReporterContext) => unknown, string]>([
    [
      'throws while it is made',
      () => {
        throw new Error('no chalk');
      },
      'the module: no chalk',
    ],
    ['makes nothing', () => undefined, 'the module makes no reporter: expected { carry }'],
    [
      'throws at once',
      () => ({
        carry: () => {
          throw new Error('wet');
        },
      }),
      'wet',
    ],
    ['rejects', () => ({ carry: () => Promise.reject(new Error('gone')) }), 'gone'],
  ])('that %s is pending with why, and is tried again', async (_, made, error) => {
    const { clock, reporter } = setUp(made);
    reporter.report(instance);
    await clock.advance(0);
    expect(reporter.state).toMatchObject({ kind: 'pending', error });
    expect(reporter.unreachable).toBe(true);
    expect(clock.pending).toBe(1);
    await reporter.dispose();
    expect(clock.pending).toBe(0);
  });

  it('that hangs has failed after ten seconds, and is told to let go', async () => {
    const signals: AbortSignal[] = [];
    const carry: Carry = (_, signal) => {
      signals.push(signal);
      return new Promise(() => undefined);
    };
    const { clock, reporter } = setUp(() => ({ carry }));
    reporter.report(instance);
    await clock.advance(9_999);
    expect([signals.length, signals[0]?.aborted]).toEqual([1, false]);
    await clock.advance(1);
    expect(signals[0]?.aborted).toBe(true);
    expect(reporter.state).toMatchObject({ kind: 'pending', error: 'it did not answer within 10 s' });
    // It was not told that it may be called twice at once.
    await clock.advance(60_000);
    expect(signals).toHaveLength(1);
    expect(reporter.state).toMatchObject({ error: 'it has not come back from the last call yet' });
    await reporter.dispose();
  });

  it('that comes back late is called once more, with what is wanted by then', async () => {
    let held: string | undefined;
    let [atOnce, most] = [0, 0];
    const slow: (() => void)[] = [];
    const carry = async (wanted: PluginRegistration | undefined) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      if (wanted !== undefined) await new Promise<void>((resolve) => slow.push(resolve));
      held = wanted?.instance.host;
      atOnce -= 1;
      return held;
    };
    const { clock, reporter } = setUp(() => ({ carry }));
    reporter.report(instance);
    await clock.advance(10_000);
    reporter.report(undefined);
    await clock.advance(5_000);
    slow[0]?.();
    await reporter.settled(soon());
    expect(reporter.state).toEqual({ kind: 'absent' });
    expect([held, most, slow.length]).toEqual([undefined, 1, 1]);
    await reporter.dispose();
  });

  it('is told to let go of a call, and is waited for, when nerve lets go of it', async () => {
    const log: string[] = [];
    const { clock, reporter } = setUp(() => ({
      carry: (_: unknown, signal: AbortSignal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            log.push('aborted');
            reject(new Error('aborted'));
          }),
        ),
      close: async () => {
        await clock.sleep(500);
        log.push('closed');
      },
    }));
    reporter.report(instance);
    await clock.advance(0);
    const disposed = reporter.dispose().then(() => log.push('disposed'));
    await clock.advance(500);
    await disposed;
    expect(log).toEqual(['aborted', 'closed', 'disposed']);
    expect(clock.pending).toBe(0);
  });

  it.each([Infinity, -1, NaN, '3'])('is not asked again when it says %s', async (renewMs) => {
    let times = 0;
    const { clock, reporter } = setUp(() => ({ renewMs, carry: () => Promise.resolve(`${(times += 1)}`) }));
    reporter.report(instance);
    await clock.advance(100_000);
    expect(times).toBe(1);
    await reporter.dispose();
  });

  it('is not asked again more than once a second', async () => {
    let times = 0;
    const { clock, reporter } = setUp(() => ({
      renewMs: 1,
      carry: () => Promise.resolve(`${(times += 1)}`),
    }));
    reporter.report(instance);
    await clock.advance(3_500);
    expect(times).toBe(4);
    await reporter.dispose();
  });

  it('answers nonsense: the kind is the place', async () => {
    const { reporter } = setUp(() => ({ carry: () => ({ not: 'text' }) }));
    reporter.report(instance);
    await reporter.settled(soon());
    expect(reporter.state).toMatchObject({ kind: 'present', place: 'board' });
  });

  it('is asked again when it says how often', async () => {
    let times = 0;
    const { clock, reporter } = setUp(() => ({
      renewMs: 1_000,
      carry: () => Promise.resolve(String((times += 1))),
    }));
    reporter.report(instance);
    await clock.advance(3_500);
    expect(times).toBe(4);
    await reporter.dispose();
    expect(clock.pending).toBe(0);
  });

  it('hands over to a newer version of its module, without a withdrawal between', async () => {
    const log: string[] = [];
    const version = (name: string) => () => ({
      carry: (wanted: PluginRegistration | undefined) => {
        log.push(`${name} ${wanted === undefined ? 'nothing' : wanted.instance.host}`);
        return Promise.resolve(name);
      },
      close: () => void log.push(`${name} closed`),
    });
    const { reporter } = setUp(version('old'));
    reporter.report(instance);
    await reporter.settled(soon());
    expect(pluginReporter.place(settings(version('new'), 'b'))).toBe(
      pluginReporter.place(settings(version('old'))),
    );
    reporter.configure(settings(version('new'), 'b'));
    await reporter.settled(soon());
    expect(log.sort()).toEqual(['new 10.0.0.5', 'old 10.0.0.5', 'old closed']);
    expect(reporter.state).toMatchObject({ kind: 'present', place: 'new' });
    await reporter.dispose();
  });
});

describe('pluginPlace', () => {
  const kind = (place?: () => unknown) =>
    definePluginReporter({
      ...{ type: 'board', options: {}, create: () => undefined },
      ...(place && { place: place as () => string }),
    });

  it('is what the module says, which must be text', () => {
    expect(
      pluginPlace(
        kind(() => 'north'),
        {},
      ),
    ).toBe('north');
    expect(() =>
      pluginPlace(
        kind(() => 3),
        {},
      ),
    ).toThrow('place() gives no text');
  });

  it('is by default what tells options apart, whatever they are', () => {
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    const options = [{ shard: 3n }, { shard: 3 }, { of: /a/ }, { of: /b/ }, { of: new Map([[1, 2]]) }, loop];
    expect(new Set(options.map((each) => pluginPlace(kind(), each))).size).toBe(options.length);
    expect(pluginPlace(kind(), { a: 1, b: [2n] })).toBe(pluginPlace(kind(), { b: [2n], a: 1 }));
  });
});

describe('reporterKindIn', () => {
  it.each([
    ['nothing', {}],
    ['a number', { default: 3 }],
    ['a function of nothing', { default: () => undefined }],
  ])('refuses %s', async (_, exported) => {
    await expect(reporterKindIn(exported)).rejects.toThrow('its default export is no reporter');
  });
});
