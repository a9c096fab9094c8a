import { systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { HaproxyMetrics } from '../haproxyMetrics.js';
import { defaultProbe, Prober } from '../runtime/probe.js';
import { RuntimeTarget } from '../runtime/runtimeTarget.js';
import { FakeCli } from '../testing/fakeCli.js';
import { defaultGeneratorTiming, type Wiring } from '../wiring.js';
import { HaproxyWatch } from './haproxyWatch.js';

const watchMs = 20;
const info = (pid: number): string =>
  `Name: HAProxy\nVersion: 2.6.12\nPid: ${pid}\nUptime_sec: 50\nStart_time_sec: 1000`;

describe('watching a process', () => {
  const stop = new AbortController();
  let cli: FakeCli | undefined;
  afterEach(async () => {
    stop.abort();
    await cli?.stop();
  });

  it('looks at everything when one that stood still answers again, and once more when that has settled', async () => {
    let pid: number | undefined = 1;
    cli = await FakeCli.start(() => (pid === undefined ? undefined : info(pid)));
    const target = new RuntimeTarget({
      ...{ clock: systemClock, socketPath: cli.path, deadlineMs: 50, observeAgainMs: 60_000 },
      prober: new Prober(defaultProbe, systemClock),
    });
    const wiring = {
      targets: [target],
      process: { status: () => Promise.resolve(undefined) },
      ownStart: { agoMs: Infinity },
      installed: { current: () => Promise.resolve('2.6.12'), version: () => Promise.resolve('2.6.12') },
    } as unknown as Wiring;
    const wakes: string[] = [];
    let phase = 'first look';
    const logger = new RecordingLogger();
    const watch = new HaproxyWatch(wiring, {
      ...{ clock: systemClock, logger, hardStopAfterMs: () => undefined },
      metrics: { oldWorkers: () => undefined } as unknown as HaproxyMetrics,
      timing: { ...defaultGeneratorTiming, watchMs, commandMs: 50 },
      wake: () => wakes.push(phase),
    });
    const invalidate = vi.spyOn(target, 'invalidate');
    const looks = async (count: number): Promise<void> => {
      const before = cli?.received.length ?? 0;
      await vi.waitFor(() => expect(cli?.received.length).toBeGreaterThan(before + count));
    };
    const running = watch.run(stop.signal);
    await looks(3);
    expect(wakes).toEqual([]);

    [phase, pid] = ['still', undefined];
    await vi.waitFor(() => expect(wakes).toEqual(['still']));
    [phase, pid] = ['thawed', 1];
    await vi.waitFor(() => expect(wakes).toEqual(['still', 'thawed', 'thawed']));
    await looks(3);
    expect(wakes.length).toBe(3);
    expect(invalidate).toHaveBeenCalledTimes(3);

    [phase, pid] = ['another', 2];
    await vi.waitFor(() => expect(wakes.at(-1)).toBe('another'));
    await looks(3);
    expect(wakes.length).toBe(4);
    expect(logger.records.map(({ level }) => level)).toEqual(['warn', 'info', 'info']);
    stop.abort();
    await running;
  });
});
