import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { Carrier } from './carrier.js';

/** A registry in memory, which can be down. */
function setUp(renewMs?: number, random = 0) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const registry = { holds: undefined as string | undefined, down: false, carried: 0, queues: false };
  let hold: Promise<void> | undefined;
  const carrier = new Carrier<string>({
    clock,
    logger,
    random: () => random,
    renewMs: () => renewMs,
    carry: async (wanted, begun) => {
      registry.carried += 1;
      if (!registry.queues) begun();
      await hold;
      if (registry.down) throw new Error('down');
      registry.holds = wanted;
      return wanted === undefined ? undefined : `at ${wanted}`;
    },
  });
  /** Until the function that is returned is called, the registry takes its time. */
  const holdUp = (): (() => void) => {
    let release = (): void => undefined;
    hold = new Promise((resolve) => (release = resolve));
    return () => {
      hold = undefined;
      release();
    };
  };
  return { clock, logger, registry, carrier, holdUp };
}

const soon = (): AbortSignal => AbortSignal.timeout(5_000);

describe('Carrier', () => {
  it('carries what is wanted last, whatever came meanwhile', async () => {
    const { registry, carrier, holdUp } = setUp();
    const release = holdUp();
    carrier.want('a');
    carrier.want('b');
    carrier.want('c');
    expect(carrier.state.kind).toBe('pending');
    release();
    await carrier.settled(soon());
    expect(registry).toEqual({ holds: 'c', down: false, carried: 2, queues: false });
    expect(carrier.state).toMatchObject({ kind: 'present', place: 'at c' });
    carrier.want(undefined);
    await carrier.settled(soon());
    expect([registry.holds, carrier.state]).toEqual([undefined, { kind: 'absent' }]);
  });

  it('tries no less often than it renews, however long it fails', async () => {
    const { clock, registry, carrier } = setUp(1_000, 0.999);
    carrier.want('a');
    await carrier.settled(soon());
    registry.down = true;
    await clock.advance(60_000);
    const { carried } = registry;
    await clock.advance(10_000);
    expect(registry.carried - carried).toBeGreaterThanOrEqual(10);
  });

  it('tells of a registry that hangs, and waits for it all the same', async () => {
    const { clock, registry, carrier, holdUp, logger } = setUp(1_000);
    carrier.want('a');
    await carrier.settled(soon());
    const release = holdUp();
    await clock.advance(1_000);
    expect([registry.carried, carrier.state.kind]).toEqual([2, 'present']);
    await clock.advance(5_000);
    expect(carrier.state).toMatchObject({ kind: 'pending', error: 'the registry does not answer' });
    expect(carrier.failing).toBe(true);
    await clock.advance(3_600_000);
    expect(registry.carried).toBe(2);
    release();
    await carrier.settled(soon());
    expect([carrier.state.kind, carrier.failing]).toEqual(['present', false]);
    expect(logger.records.map(({ message }) => message)).toEqual([
      'the registry does not take the registration',
      'the registry takes the registration again',
    ]);
    carrier.dispose();
    expect(clock.pending).toBe(0);
  });

  it('gives one that is asked by many more time to come to it', async () => {
    const { clock, registry, carrier, holdUp } = setUp();
    registry.queues = true;
    const release = holdUp();
    carrier.want('a');
    await clock.advance(29_999);
    expect(carrier.failing).toBe(false);
    await clock.advance(1);
    expect(carrier.state).toMatchObject({ kind: 'pending', error: 'the registry does not answer' });
    release();
    await carrier.settled(soon());
    expect(carrier.state.kind).toBe('present');
  });

  it('tries again with back-off while that fails, and says each streak once', async () => {
    const { clock, registry, carrier, logger } = setUp();
    registry.down = true;
    carrier.want('a');
    await clock.advance(1_000);
    expect(registry.carried).toBeGreaterThan(5);
    expect(carrier.failing).toBe(true);
    expect(carrier.state).toMatchObject({ kind: 'pending', error: 'down' });
    registry.down = false;
    await clock.advance(100);
    expect(carrier.state.kind).toBe('present');
    expect(logger.records.map(({ message }) => message)).toEqual([
      'the registry does not take the registration',
      'the registry takes the registration again',
    ]);
    expect(clock.pending).toBe(0);
  });

  it('shows no gap while what stands is reported once more', async () => {
    const { registry, carrier, clock } = setUp();
    carrier.want('a');
    await clock.advance(0);
    const { state } = carrier;
    carrier.want('a');
    expect(carrier.state).toBe(state);
    await carrier.settled(soon());
    expect(registry.carried).toBe(2);
    carrier.want('b');
    expect(carrier.state.kind).toBe('pending');
  });

  it('looks again when told to, at once, and when it is time to renew', async () => {
    const { clock, registry, carrier } = setUp(10_000);
    carrier.want('a');
    await clock.advance(0);
    registry.holds = undefined;
    carrier.again('someone removed it');
    expect(carrier.state).toMatchObject({ kind: 'pending', error: 'someone removed it' });
    await clock.advance(0);
    expect(registry.holds).toBe('a');
    const { carried } = registry;
    await clock.advance(30_000);
    expect(registry.carried).toBe(carried + 3);
    carrier.want(undefined);
    await clock.advance(60_000);
    expect(registry.carried).toBe(carried + 4);
  });

  it('does nothing more once it was disposed of', async () => {
    const { clock, registry, carrier, holdUp } = setUp(1_000);
    const release = holdUp();
    carrier.want('a');
    carrier.dispose();
    release();
    await clock.advance(10_000);
    carrier.want('b');
    await clock.advance(10_000);
    expect(registry.carried).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('gives up waiting when told to, and leaves no listener behind', async () => {
    const { registry, carrier, clock } = setUp();
    registry.down = true;
    carrier.want('a');
    const stop = new AbortController();
    const waiting = carrier.settled(stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    registry.down = false;
    await clock.advance(1_000);
    await carrier.settled(soon());
  });
});
