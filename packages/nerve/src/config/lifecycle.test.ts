import { describe, expect, it } from 'vitest';
import { definitionOf } from '../testing/definitions.js';
import { serviceSchema } from './service.js';

const service = { host: 'h', port: 1, zk_hosts: ['a:2181'], zk_path: '/p' };

function problems(keys: object): string[] {
  const { error } = serviceSchema.safeParse({ ...service, ...keys });
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

describe('the lifecycle keys of a service', () => {
  it('have defaults inside', () => {
    const { lifecycle } = definitionOf('web', {
      weight: 5,
      flap_damping: {},
      slow_start: { duration: '30' },
      pre_available: { command: 'true' },
      drain: { min_time: 90, shutdown_command: ['/bin/stop', 7] },
      startup_grace: 10,
      exclude_from_drain_all: true,
    });
    expect(lifecycle).toEqual({
      checkJitter: 0,
      startupGraceMs: 10_000,
      damping: { halfLifeMs: 60_000, suppress: 3, reuse: 1, maxHoldMs: 300_000 },
      slowStart: { durationMs: 30_000, shape: 'linear' },
      preAvailable: { argv: ['/bin/sh', '-c', 'true'], timeoutMs: 1000, intervalMs: 1000 },
      drain: {
        minMs: 90_000,
        maxMs: 90_000,
        doneIntervalMs: 1000,
        shutdown: { argv: ['/bin/stop', '7'], timeoutMs: 30_000 },
      },
      ignoresHostDrain: true,
    });
  });

  it('may be empty, which means not given', () => {
    const empty = {
      flap_damping: null,
      slow_start: null,
      pre_available: null,
      drain: null,
      check_jitter: null,
    };
    expect(definitionOf('web', empty)).toEqual(definitionOf('web'));
  });

  it.each([
    [
      { slow_start: { duration: 10 } },
      'slow_start: Needs weight: without one there is nothing that could grow',
    ],
    [{ weight: 1, slow_start: {} }, 'slow_start.duration: '],
    [{ weight: 1, slow_start: { duration: 1, shape: 'cubic' } }, 'slow_start.shape: '],
    [{ flap_damping: { suppress: 2, reuse: 2 } }, 'flap_damping.reuse: Must be below suppress'],
    [{ flap_damping: { half_life: 0 } }, 'flap_damping.half_life: '],
    [{ pre_available: {} }, 'pre_available.command: '],
    [{ drain: { done_command: [] } }, 'drain.done_command: '],
    [{ drain: { min_time: -1 } }, 'drain.min_time: '],
    [{ check_jitter: 1.1 }, 'check_jitter: '],
  ])('%j is an error with its place', (keys, expected) => {
    expect(problems(keys)).toEqual([expect.stringContaining(expected)]);
  });
});
