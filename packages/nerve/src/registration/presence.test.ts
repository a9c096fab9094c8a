import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrdersOfService } from '../orders/orders.js';
import { orderKey } from '../orders/spool.js';
import { fakeDeps } from '../testing/deps.js';
import { definitionOf } from '../testing/definitions.js';
import { FakeReporter } from '../testing/fakeReporter.js';
import { Presence } from './presence.js';

const key = orderKey('web');
const slow = { slow_start: { duration: 10, shape: 'fibonacci' } };

/** What can happen to a presence. */
const events = fc.oneof(
  fc.record({ kind: fc.constant('health' as const), up: fc.boolean() }),
  fc.record({ kind: fc.constant('drain' as const), on: fc.boolean() }),
  fc.record({
    kind: fc.constant('weight' as const),
    value: fc.option(fc.integer({ min: 0, max: 256 }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('definition' as const),
    weight: fc.integer({ min: 0, max: 300 }),
    slow: fc.boolean(),
    moved: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 8_000 }) }),
);

describe('Presence', () => {
  it('is registered exactly while it is up and not drained, with a weight that only grows to the one wanted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(events, { maxLength: 40 }), async (sequence) => {
        const { clock, orders, deps } = fakeDeps();
        const presenceDeps = { ...deps, orders: () => orders.of('web') };
        const reporter = new FakeReporter('zk');
        let wanted = { weight: 100, slow: true };
        const make = (before?: Presence): Presence =>
          new Presence(
            definitionOf('web', { weight: wanted.weight, ...(wanted.slow ? slow : {}) }),
            reporter,
            presenceDeps,
            before,
          );
        let presence = make();
        orders.onChange(() => presence.update());
        let up: boolean | undefined;
        let registeredAt: number | undefined;
        for (const event of sequence) {
          const before = reporter.published;
          switch (event.kind) {
            case 'health':
              presence.set((up = event.up));
              break;
            case 'drain':
              await orders.change(key, ({ weight }) => ({
                ...(weight ? { weight } : {}),
                ...(event.on ? { drain: { since: 0 } } : {}),
              }));
              break;
            case 'weight': {
              const { value } = event;
              await orders.change(key, ({ drain }) => ({
                ...(drain ? { drain } : {}),
                ...(value === undefined ? {} : { weight: { value, since: 0 } }),
              }));
              break;
            }
            case 'definition': {
              wanted = { weight: event.weight, slow: event.slow };
              // A new place holds nothing before it is told.
              if (event.moved) reporter.published = undefined;
              const next = make(presence);
              presence.end();
              presence = next;
              if (up !== undefined) presence.set(up);
              break;
            }
            case 'time':
              await clock.advance(event.ms);
          }
          const now = orders.of('web');
          const there = up === true && now.drain === undefined;
          expect(reporter.published !== undefined).toBe(there);
          if (!there) registeredAt = undefined;
          else {
            registeredAt ??= clock.monotonic();
            const target = now.weight?.value ?? wanted.weight;
            const published = reporter.published?.weight ?? -1;
            expect(published).toBeLessThanOrEqual(target);
            expect(published).toBeGreaterThanOrEqual(Math.min(1, target));
            if (!wanted.slow || clock.monotonic() - registeredAt >= 10_000) expect(published).toBe(target);
            if (event.kind === 'time' && before)
              expect(published).toBeGreaterThanOrEqual(before.weight ?? -1);
          }
          expect(presence.status.drain === undefined).toBe(now.drain === undefined);
        }
        presence.end();
        await clock.advance(0);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('registers nothing while it is not known whether it is drained', () => {
    const { deps } = fakeDeps();
    let found: OrdersOfService = { drain: undefined, scope: 'service', weight: undefined, isUnread: true };
    const reporter = new FakeReporter('zk');
    const presence = new Presence(definitionOf('web'), reporter, { ...deps, orders: () => found });
    presence.set(true);
    expect(reporter.log).toEqual([]);
    expect(presence.held).toBe('what operators ordered could not be read yet');
    presence.set(false);
    expect(presence.held).toBeUndefined();
    presence.set(true);
    expect(reporter.published).toBeUndefined();
    found = { drain: undefined, scope: 'service', weight: undefined };
    presence.update();
    expect(reporter.published).toBeDefined();
    expect(presence.held).toBeUndefined();
  });
});
