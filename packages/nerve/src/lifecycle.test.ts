import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { definitionsOf } from './testing/definitions.js';
import { lifecycleBed } from './testing/lifecycleBed.js';

describe('slow start', () => {
  const ramp = { weight: 200, slow_start: { duration: 19, shape: 'linear' } };
  const weights = (log: readonly string[]): number[] =>
    log.map((line) => Number(/weight (\d+)/.exec(line)?.[1] ?? -1));

  it('lets the weight grow in place after each registration', async () => {
    const bed = await lifecycleBed(ramp);
    await bed.clock.advance(19_000);
    const whole = Array.from({ length: 20 }, (_, i) => (i + 1) * 10);
    expect(weights(bed.log)).toEqual(whole);
    await bed.control.drain({ service: 'web' }, {});
    await bed.control.undrain({ service: 'web' });
    await bed.clock.advance(60_000);
    expect(weights(bed.log)).toEqual([...whole, -1, ...whole]);
  });

  it('goes on over a change of the definition, and with a weight set meanwhile', async () => {
    const bed = await lifecycleBed(ramp);
    await bed.clock.advance(4_000);
    await bed.apply({ ...ramp, labels: { az: 'a' } });
    expect(bed.log.at(-1)).toContain('weight 50');
    await bed.control.setWeight({ service: 'web' }, 20);
    expect(bed.log.at(-1)).toContain('weight 5');
    await bed.clock.advance(15_000);
    expect(bed.log.at(-1)).toContain('weight 20');
    await bed.control.setWeight({ service: 'web' }, 0);
    expect(bed.log.at(-1)).toContain('weight 0');
  });
});

describe('the pre-available command', () => {
  it('is tried until it succeeds, before each registration, and killed at its limit', async () => {
    const bed = await lifecycleBed();
    const command = `echo $$ >>${bed.file('pids')}; test -e ${bed.file('go')} || sleep 1000`;
    await bed.apply({ zk_path: '/other', pre_available: { command, timeout: 2 } });
    // Carried over: it is registered already.
    expect(bed.made[1]?.published).toBeDefined();
    await bed.control.drain({ service: 'web' }, {});
    await bed.control.undrain({ service: 'web' });
    expect(bed.made[1]?.published).toBeUndefined();
    await bed.until(() => bed.status()?.held === 'pre-available command: not done within 2 s', 10);
    expect((await bed.registry.expose()).body).toContain('smartstack_service_held{service="web"} 1');
    await writeFile(bed.file('go'), '');
    await bed.until(() => bed.made[1]?.published !== undefined, 10);
    expect(bed.status()).not.toHaveProperty('held');
    const tries = (await readFile(bed.file('pids'), 'utf8')).trim().split('\n').length;
    expect(tries).toBeGreaterThan(1);
    expect(bed.messages().filter((message) => message === 'pre-available command failed')).toHaveLength(1);
  });

  it('ends with a drain, and registers nothing afterwards', async () => {
    const bed = await lifecycleBed();
    await bed.apply({ checks: [{ type: 'noop' }], pre_available: { command: 'sleep 1000', timeout: 1000 } });
    await bed.control.drain({ service: 'web' }, {});
    await bed.control.undrain({ service: 'web' });
    await bed.control.drain({ service: 'web' }, {});
    await bed.clock.advance(2_000_000);
    expect(bed.made[0]?.published).toBeUndefined();
    expect(bed.status()).not.toHaveProperty('held');
  });
});

describe('health', () => {
  it('holds a service back that keeps falling, longer each time, and counts it as up', async () => {
    const bed = await lifecycleBed({
      real: true,
      flap_damping: { half_life: 1000, suppress: 2.5, reuse: 1, max_hold: 3000 },
    });
    await bed.check(true);
    for (let i = 0; i < 2; i += 1) {
      await bed.check(false);
      await bed.check(true);
    }
    expect(bed.made[0]?.published).toBeDefined();
    await bed.check(false);
    await bed.check(true);
    expect(bed.made[0]?.published).toBeUndefined();
    expect(bed.status()).toMatchObject({ health: 'up', held: 'it went down too often lately' });
    expect(bed.messages()).toContain('service falls too often, it is held back');
    await bed.clock.advance(1_000_000);
    expect(bed.made[0]?.published).toBeUndefined();
    await bed.until(() => bed.made[0]?.published !== undefined, 5_000);
    expect(bed.status()).not.toHaveProperty('held');
  });

  it('calls a service that was never up starting, not down, until its grace is over', async () => {
    const bed = await lifecycleBed({ checks: [{ type: 'exec', command: 'exit 3' }], startup_grace: 30 });
    await bed.until(() => bed.status()?.health === 'starting');
    expect(bed.status()).toMatchObject({
      reason: expect.stringContaining('exited with 3') as string,
      transitions: [],
    });
    expect(bed.messages()).not.toContain('service is down');
    await bed.until(() => bed.status()?.health === 'down', 500);
    expect(bed.clock.monotonic()).toBeGreaterThanOrEqual(30_000);
    expect(bed.messages().filter((message) => message === 'service is down')).toHaveLength(1);
  });

  it('gives no grace to a service that was up', async () => {
    const bed = await lifecycleBed({ real: true, startup_grace: 3600 });
    await bed.check(true);
    await bed.check(false);
    expect(bed.status()?.health).toBe('down');
  });

  it('does not wait for the rate limit any more once it is back where the registration is', async () => {
    const limits = { average_rate: 0.01, max_burst: 1, shadow_mode: false };
    const bed = await lifecycleBed({ real: true, check_interval: 0.1, rate_limiting: limits });
    // The first token comes after 100 s.
    await bed.until(() => bed.made[0]?.published !== undefined, 1_000);
    await bed.check(false);
    expect(bed.status()).toMatchObject({
      health: 'down',
      throttled: true,
      registration: { kind: 'present' },
    });
    await bed.check(true);
    expect(bed.status()).toMatchObject({ health: 'up', throttled: false });
  });

  it('leaves a share of each pause to chance', async () => {
    const bed = await lifecycleBed({ checks: [{ type: 'noop' }], check_interval: 10, check_jitter: 0.5 });
    const at = (): number => (bed.status()?.checks[0]?.last?.at ?? 0) - 1_700_000_000_000;
    // The first pause is the usual one; `random` says 1, the longest cut.
    await bed.clock.advance(10_000);
    expect(at()).toBe(10_000);
    await bed.clock.advance(5_000);
    expect(at()).toBe(15_000);
    await bed.clock.advance(5_000);
    expect(at()).toBe(20_000);
  });

  it('lets so many probes run at once as the gate admits, and none be stuck for waiting', async () => {
    const bed = await lifecycleBed({}, { limit: 2 });
    const hangs = { checks: [{ type: 'exec', command: 'sleep 1000', timeout: 5 }], check_interval: 5 };
    const quick = { checks: [{ type: 'noop' }], check_interval: 1 };
    bed.services.apply(definitionsOf({ a: hangs, b: hangs, c: hangs, quick }));
    await bed.clock.advance(0);
    expect(bed.gate.inside).toBe(2);
    expect(bed.gate.waiting).toBe(2);
    // Two turns of those that hang, 5 s each.
    await bed.clock.advance(10_001);
    const seen = bed.services.status.map(({ health }) => health);
    expect(seen).toEqual(['down', 'down', 'down', 'up']);
    await bed.clock.advance(40_000);
    expect(bed.services.stuck).toEqual([]);
    expect((await bed.registry.expose()).body).toMatch(/smartstack_check_delayed_total [1-9]/);
    await bed.services.withdrawAll(1);
    await bed.until(() => bed.gate.inside === 0);
  });
});

describe('stopping', () => {
  it('withdraws at once, then waits for the callers of what was registered, within its limit', async () => {
    const bed = await lifecycleBed();
    const command = `echo x >>${bed.file('asked')}; false`;
    bed.services.apply(
      definitionsOf({
        short: { drain: { min_time: 4 } },
        stubborn: { drain: { min_time: 1, done_command: command } },
        away: { checks: [{ type: 'exec', command: 'false' }] },
      }),
    );
    await bed.until(() => bed.services.status.every(({ health }) => health !== 'unknown'));
    let ended = false;
    const withdrawn = bed.services.withdrawAll(5_000, 20_000).then(() => (ended = true));
    await bed.clock.advance(0);
    expect(bed.log.filter((line) => line.includes('withdrawn')).length).toBeGreaterThanOrEqual(2);
    await bed.clock.advance(19_999);
    expect(ended).toBe(false);
    await bed.clock.advance(1);
    await withdrawn;
    expect((await readFile(bed.file('asked'), 'utf8')).length).toBeGreaterThan(0);
  });

  it('does not wait where nobody was registered, and by default not at all', async () => {
    const bed = await lifecycleBed({ checks: [{ type: 'exec', command: 'false' }] });
    await bed.until(() => bed.status()?.health === 'down');
    await bed.services.withdrawAll(5_000, 20_000);
    const other = await lifecycleBed();
    await other.services.withdrawAll(5_000);
    expect(other.clock.monotonic()).toBe(0);
  });
});
