import { AgentError } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { CatalogReading } from './catalog/catalog.js';
import { ReconcileLoop } from './reconcile.js';
import { RecordingGenerator } from './testing/index.js';

const timing = {
  holdoffMs: 20,
  holdoffMaxMs: 200,
  resyncMs: 10_000,
  retryMinMs: 100,
  retryMaxMs: 1_000,
  stuckMs: 5_000,
};

let clock: FakeClock;
let logger: RecordingLogger;
let generator: RecordingGenerator;
let reading: CatalogReading;
let loop: ReconcileLoop;
let stop: AbortController;
let running: Promise<void>;
const acted = vi.fn();
const passed = vi.fn();

beforeEach(() => {
  clock = new FakeClock();
  logger = new RecordingLogger();
  generator = new RecordingGenerator();
  reading = { view: { services: [] }, waiting: [], againInMs: undefined };
  stop = new AbortController();
  acted.mockReset();
  passed.mockReset();
  loop = new ReconcileLoop({
    generator,
    read: () => reading,
    isWaiting: () => reading.waiting.length > 0,
    onActed: acted,
    timing,
    clock,
    logger,
    metrics: { passed },
    random: () => 0.5,
  });
  running = Promise.resolve();
});
afterEach(async () => {
  stop.abort();
  await running;
  expect(clock.pending).toBe(0);
});

/** Starts the loop; its first pass is over when this returns. */
async function start(): Promise<void> {
  running = loop.run(stop.signal);
  await clock.advance(0);
}
const passes = () => generator.views.length;
const within = () => new AbortController().signal;

describe('ReconcileLoop', () => {
  it('reconciles at start, and again without any event', async () => {
    await start();
    expect(passes()).toBe(1);
    await clock.advance(timing.resyncMs);
    expect(passes()).toBe(2);
    expect(acted).toHaveBeenCalledTimes(2);
  });

  it('acts at once on a change after quiet', async () => {
    await start();
    await clock.advance(1_000);
    loop.trigger();
    await clock.advance(0);
    expect(passes()).toBe(2);
  });

  it('acts at once when the last service that it waited for is known', async () => {
    reading = { ...reading, waiting: ['a', 'b'], againInMs: 5_000 };
    await start();
    await clock.advance(1);
    loop.trigger();
    await clock.advance(1);
    expect(passes()).toBe(0);
    reading = { ...reading, waiting: [], againInMs: undefined };
    loop.trigger();
    await clock.advance(0);
    expect(passes()).toBe(1);
    loop.trigger();
    await clock.advance(timing.holdoffMs - 1);
    expect(passes()).toBe(1);
  });

  it('holds off a burst, but not beyond the maximum', async () => {
    await start();
    await clock.advance(1_000);
    for (let i = 0; i < 100; i += 1) {
      loop.trigger();
      await clock.advance(10);
    }
    // One second of changes: the first at once, then one pass per 200 ms.
    expect(passes() - 1).toBeGreaterThanOrEqual(5);
    expect(passes() - 1).toBeLessThanOrEqual(7);
  });

  it('waits for pending services before its first pass, and only then', async () => {
    reading = { view: { services: [] }, waiting: ['slow'], againInMs: 3_000 };
    await start();
    await clock.advance(2_000);
    expect(passes()).toBe(0);
    expect(loop.status).toMatchObject({ outcome: 'waiting', waitingFor: ['slow'] });
    reading = { view: { services: [] }, waiting: [], againInMs: undefined };
    await clock.advance(1_000);
    expect(passes()).toBe(1);
    reading = { view: { services: [] }, waiting: ['new'], againInMs: 3_000 };
    await clock.advance(100);
    loop.trigger();
    await clock.advance(0);
    expect(passes()).toBe(2);
  });

  it('looks again when a service is waited for no longer', async () => {
    await start();
    await clock.advance(1_000);
    reading = { view: { services: [] }, waiting: ['new'], againInMs: 700 };
    loop.trigger();
    await clock.advance(699);
    expect(passes()).toBe(2);
    await clock.advance(1);
    expect(passes()).toBe(3);
  });

  it('backs off while it fails, tells it once, and tells when it succeeds again', async () => {
    await start();
    await clock.advance(1_000);
    generator.behaviour = () => Promise.reject(new AgentError('x', 'no socket'));
    loop.trigger();
    await clock.advance(3_000);
    expect(passes()).toBeGreaterThan(4);
    expect(passes()).toBeLessThan(12);
    expect(loop.status).toMatchObject({ outcome: 'failed', error: 'no socket' });
    generator.behaviour = () => Promise.resolve({ outcome: 'runtime' });
    await clock.advance(1_000);
    expect(loop.status).toMatchObject({ outcome: 'runtime', consecutiveFailures: 0, error: undefined });
    const lines = logger.records.filter(({ level }) => level !== 'debug').map(({ message }) => message);
    expect(lines).toEqual(['reconcile failed', 'reconcile succeeds again']);
  });

  it('takes a pass that the generator put off for no success', async () => {
    generator.behaviour = () => Promise.resolve({ outcome: 'waiting', againInMs: 500 });
    await start();
    expect(loop.status).toMatchObject({ outcome: 'waiting', lastSuccessAt: undefined });
    generator.behaviour = () => Promise.reject(new AgentError('x', 'no haproxy'));
    await clock.advance(500);
    generator.behaviour = () => Promise.resolve({ outcome: 'waiting', againInMs: 500 });
    await clock.advance(2_000);
    expect(loop.status).toMatchObject({ outcome: 'failed', error: 'no haproxy' });
    generator.behaviour = () => Promise.resolve({ outcome: 'reload' });
    await clock.advance(500);
    expect(loop.status).toMatchObject({ outcome: 'reload', error: undefined });
    const lines = logger.records.filter(({ level }) => level !== 'debug').map(({ message }) => message);
    expect(lines).toEqual(['reconcile failed', 'reconcile succeeds again']);
  });

  it('survives a bug in a generator, and logs its stack', async () => {
    generator.behaviour = () => Promise.reject(new TypeError('undefined is not a function'));
    await start();
    const first = logger.records.find(({ level }) => level === 'error');
    expect(String(first?.fields.error)).toContain('reconcile.test.ts');
  });

  it('comes back when the generator asks for it', async () => {
    generator.behaviour = () => Promise.resolve({ outcome: 'waiting', againInMs: 500 });
    await start();
    await clock.advance(499);
    expect(passes()).toBe(1);
    await clock.advance(1);
    expect(passes()).toBe(2);
  });

  it('never runs two passes at once, and runs again for what came meanwhile', async () => {
    let finish = (): void => undefined;
    generator.behaviour = () => new Promise((resolve) => (finish = () => resolve({ outcome: 'noop' })));
    await start();
    loop.trigger();
    await clock.advance(5_000);
    expect(passes()).toBe(1);
    finish();
    await clock.advance(0);
    expect(passes()).toBe(2);
    finish();
  });

  it('settles when everything asked for before is carried out', async () => {
    await start();
    await clock.advance(1_000);
    let settled = false;
    generator.behaviour = () => Promise.reject(new AgentError('x', 'down'));
    loop.trigger();
    const waiting = loop.settled(within()).then(() => (settled = true));
    await clock.advance(500);
    expect(settled).toBe(false);
    generator.behaviour = () => Promise.resolve({ outcome: 'waiting', againInMs: 100 });
    await clock.advance(2_000);
    expect(settled).toBe(false);
    generator.behaviour = () => Promise.resolve({ outcome: 'reload' });
    await clock.advance(200);
    await waiting;
  });

  it('gives up waiting to settle when told to', async () => {
    await start();
    await clock.advance(1_000);
    generator.behaviour = () => Promise.reject(new AgentError('x', 'down'));
    const impatient = new AbortController();
    const waiting = loop.settled(impatient.signal);
    impatient.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('tells a pass that hangs from one that fails', async () => {
    generator.behaviour = () => Promise.reject(new AgentError('x', 'down'));
    await start();
    await clock.advance(60_000);
    expect(loop.progresses()).toBe(true);
    generator.behaviour = (_, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      );
    await clock.advance(2_000);
    expect(loop.progresses()).toBe(true);
    await clock.advance(timing.stuckMs);
    expect(loop.progresses()).toBe(false);
  });

  it('never misses the last change, whenever changes come', async () => {
    await start();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 20 }), async (pauses) => {
        const before = passes();
        for (const [index, pause] of pauses.entries()) {
          reading = { ...reading, view: { services: [], mark: index } as CatalogReading['view'] };
          loop.trigger();
          await clock.advance(pause);
        }
        await clock.advance(timing.holdoffMaxMs);
        expect(generator.view).toBe(reading.view);
        const elapsed = pauses.reduce((sum, pause) => sum + pause, timing.holdoffMaxMs);
        expect(passes() - before).toBeLessThanOrEqual(elapsed / timing.holdoffMs + 2);
      }),
      { numRuns: 50 },
    );
  });
});
