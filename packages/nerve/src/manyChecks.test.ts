import { setMaxListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Checklist } from './checklist.js';
import type { Heartbeats } from './heartbeats/board.js';
import { fakeDeps } from './testing/deps.js';
import { definitionOf } from './testing/definitions.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function heapUsed(): Promise<number> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

const services = 20;
const rounds = 10_000;
/** What one check may leave behind, in bytes: nothing, but a heap is never still. */
const perCheck = 10;

it(
  '200,000 checks, some of which fail and pass in turns, leave no memory and no timer behind',
  { timeout: 60_000 },
  async () => {
    const { clock, logger, registry, deps } = fakeDeps();
    let beats = 0;
    const heartbeats: Heartbeats = {
      last: () => (beats % 4 < 2 ? { status: 'pass', note: '', at: clock.monotonic() } : undefined),
    };
    const lists = Array.from({ length: services }, (_, index) => {
      const check = index % 5 === 0 ? { type: 'ttl', name: 'beat', ttl: 1 } : { type: 'noop' };
      const { checks } = definitionOf('web', { checks: [check] });
      const context = { service: `s${index}`, host: '127.0.0.1', port: 80 };
      return new Checklist(checks, context, { ...deps, heartbeats });
    });
    const { signal } = new AbortController();
    setMaxListeners(0, signal);
    const pass = async (count: number): Promise<number> => {
      for (let round = 0; round < count; round += 1) {
        beats += 1;
        await Promise.all(lists.map((list) => list.round(signal)));
        // The bed's own memory is none of the agent's.
        logger.records.length = 0;
      }
      return await heapUsed();
    };
    await pass(100);
    const series = (await registry.expose()).body.split('\n').length;
    const before = await pass(100);
    const after = await pass(rounds);
    const { body } = await registry.expose();
    const counted = (result: string): number => {
      const found = body.matchAll(
        new RegExp(`^smartstack_check_result_total\\{.*"${result}"\\} (\\d+)$`, 'gm'),
      );
      return [...found].reduce((total, [, count]) => total + Number(count), 0);
    };
    expect(counted('pass') + counted('fail')).toBe(services * (rounds + 200));
    expect(counted('fail')).toBeGreaterThan(rounds);
    expect(after - before).toBeLessThan(services * rounds * perCheck);
    expect(clock.pending).toBe(0);
    expect(body.split('\n')).toHaveLength(series);
  },
);
