import { RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { Slots } from './slots.js';
import { definitionOf } from './testing/definitions.js';
import { fakeDeps } from './testing/deps.js';
import { fakeReporting } from './testing/fakeReporting.js';

describe('Slots', () => {
  it('let go of a registry only when the last withdrawal is done', async () => {
    const { deps, clock } = fakeDeps();
    const { reporting, made } = fakeReporting(deps);
    const { signal } = new AbortController();
    const slots = new Slots({
      reporting,
      clock,
      logger: new RecordingLogger(),
      noted: () => undefined,
      signal,
    });
    const start = async (path: string): Promise<void> => {
      const definition = definitionOf('web', { zk_path: path });
      const slot = slots.obtain(definition);
      slot.owner = { service: undefined as never, stop: new AbortController() };
      slot.reporter.report(definition.instance);
      await clock.advance(0);
    };
    const stop = async (index: number): Promise<void> => {
      made[index]!.reachable = false;
      slots.withdraw('web');
      await clock.advance(0);
    };
    await start('/a');
    await stop(0);
    await start('/b');
    await stop(1);
    made[0]!.reach();
    await clock.advance(0);
    const [, second] = made;
    expect([second?.published?.host, second?.disposed]).toEqual(['10.0.0.5', false]);
    second?.reach();
    await clock.advance(0);
    expect([second?.published, second?.disposed, slots.all]).toEqual([undefined, true, []]);
  });
});
