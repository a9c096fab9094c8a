import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Control } from './control.js';
import { Services } from './services.js';
import { fakeDeps } from './testing/deps.js';
import { definitionsOf } from './testing/definitions.js';
import { FakeReporter } from './testing/fakeReporter.js';
import { alive } from './testing/processes.js';

type Keys = Readonly<Record<string, unknown>>;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One service `web` on a clock of the test's, with a check that fails while the file `down` is there. */
async function setUp(keys: Keys = {}, options: Parameters<typeof fakeDeps>[0] = {}) {
  const all = fakeDeps(options);
  const { clock, deps, orders, logger, registry } = all;
  const dir = await mkdtemp(join(tmpdir(), 'nerve-lifecycle-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const log: string[] = [];
  const made: FakeReporter[] = [];
  const services = new Services(
    {
      place: ({ reporter }) => reporter.settings.zkPath,
      clash: () => false,
      create: ({ name }) => {
        const reporter = new FakeReporter(name, log);
        made.push(reporter);
        return reporter;
      },
    },
    deps,
  );
  const control = new Control(services, orders, clock);
  onTestFinished(() => services.withdrawAll(1));
  const file = (name: string): string => join(dir, name);
  const apply = async (next: Keys): Promise<void> => {
    services.apply(definitionsOf({ web: next }));
    await clock.advance(0);
  };
  const status = () => services.status[0];
  /** Real processes under a fake clock: passes time in small steps until `done`. */
  const until = async (done: () => boolean, stepMs = 0): Promise<void> => {
    for (let i = 0; i < 20_000 && !done(); i += 1) {
      await clock.advance(stepMs);
      await turn();
    }
    expect(done()).toBe(true);
  };
  /** Sets what the check finds, and waits until it counts. */
  const check = async (up: boolean): Promise<void> => {
    if (up) await rm(file('down'), { force: true });
    else await writeFile(file('down'), '');
    const before = status()?.checks[0]?.last;
    for (;;) {
      await clock.advance(100);
      for (let i = 0; i < 100; i += 1) await turn();
      const last = status()?.checks[0]?.last;
      if (last !== before && last?.ok === up) return;
    }
  };
  const checks = [{ type: 'exec', command: `test ! -e ${file('down')}`, timeout: 1000 }];
  await apply(keys.checks === undefined && keys.real ? { ...without(keys), checks } : without(keys));
  return { ...all, services, control, log, made, apply, status, file, until, check, logger, registry };
}

function without(keys: Keys): Keys {
  return Object.fromEntries(Object.entries(keys).filter(([key]) => key !== 'real'));
}

const messages = ({ logger }: { logger: { records: readonly { message: string }[] } }): string[] =>
  logger.records.map(({ message }) => message);

describe('a drain', () => {
  it('withdraws at once, goes on checking, and is over when it is taken back', async () => {
    const bed = await setUp({ checks: [{ type: 'noop' }] });
    const result = await bed.control.drain({ service: 'web' }, { reason: 'new\ndisk', by: 'ann' });
    expect(result).toEqual({ kind: 'done', services: ['web'], stillDrained: ['web'], saved: false });
    expect(bed.log).toEqual(['web up 10.0.0.5:8080', 'web withdrawn']);
    const drain = {
      reason: 'new disk',
      by: 'ann',
      since: bed.clock.now(),
      scope: 'service',
      phase: 'leaving',
    };
    expect(bed.status()).toMatchObject({ health: 'up', registration: { kind: 'absent' }, drain });
    const looked = bed.status()?.checks[0]?.last?.at;
    await bed.clock.advance(60_000);
    expect(bed.status()?.checks[0]?.last?.at).not.toBe(looked);
    expect(bed.log).toHaveLength(2);
    await bed.control.undrain({ service: 'web' });
    expect(bed.log.at(-1)).toBe('web up 10.0.0.5:8080');
    expect(bed.status()).not.toHaveProperty('drain');
  });

  it('ends at its time', async () => {
    const bed = await setUp();
    const stop = new AbortController();
    bed.orders.run(stop.signal).catch(() => undefined);
    await bed.control.drain({ service: 'web' }, { until: bed.clock.now() + 60_000 });
    await bed.clock.advance(58_900);
    expect(bed.log.at(-1)).toBe('web withdrawn');
    await bed.clock.advance(2_000);
    expect(bed.log.at(-1)).toBe('web up 10.0.0.5:8080');
    expect(messages(bed)).toContain('drain over');
    stop.abort();
  });

  it('keeps a service out that is checked for the first time, and one whose definition changes', async () => {
    const bed = await setUp();
    await bed.control.drain({ service: 'web' }, {});
    await bed.apply({ weight: 4, checks: [{ type: 'noop' }] });
    await bed.apply({ zk_path: '/elsewhere' });
    await bed.clock.advance(60_000);
    expect(bed.log.filter((line) => line.includes('up'))).toEqual(['web up 10.0.0.5:8080']);
    expect(bed.status()).toMatchObject({ drain: { phase: 'left' } });
    await bed.control.undrain({ service: 'web' });
    expect(bed.made[1]?.published).toBeDefined();
  });

  it('of the host takes all but those that are excluded; each undrain ends its own', async () => {
    const bed = await setUp();
    bed.services.apply(definitionsOf({ a: {}, b: {}, c: { exclude_from_drain_all: true } }));
    await bed.clock.advance(0);
    await bed.control.drain({ service: 'b' }, {});
    expect(await bed.control.drain('all', { reason: 'kernel' })).toMatchObject({ services: ['a', 'b'] });
    const drained = (): string[] =>
      bed.services.status.flatMap(({ service, drain }) => (drain ? [`${service} ${drain.scope}`] : []));
    expect(drained()).toEqual(['a host', 'b service']);
    bed.services.apply(definitionsOf({ a: {}, b: {}, c: { exclude_from_drain_all: true }, late: {} }));
    await bed.clock.advance(0);
    expect(drained()).toEqual(['a host', 'b service', 'late host']);
    expect(await bed.control.undrain({ service: 'a' })).toMatchObject({ stillDrained: ['a'] });
    expect(await bed.control.undrain('all')).toMatchObject({ stillDrained: ['b'] });
    expect(drained()).toEqual(['b service']);
  });

  it('is refused for what is not there, and for a time that has passed', async () => {
    const { control, clock } = await setUp();
    expect(await control.drain({ service: 'x' }, {})).toEqual({ kind: 'unknown service', service: 'x' });
    for (const until of [clock.now(), 0, NaN, 9e15]) {
      expect(await control.drain('all', { until })).toMatchObject({ kind: 'invalid' });
    }
    const asked = await control.drain({ service: 'web' }, { shutdown: true });
    expect(asked).toEqual({ kind: 'invalid', problem: 'web has no drain.shutdown_command' });
  });

  it('is not over while the registry still tells callers of it', async () => {
    const bed = await setUp();
    const [reporter] = bed.made;
    if (reporter) reporter.reachable = false;
    await bed.control.drain({ service: 'web' }, {});
    await bed.clock.advance(600_000);
    expect(bed.status()?.drain?.phase).toBe('leaving');
    reporter?.reach();
    await bed.clock.advance(2_999);
    expect(bed.status()?.drain?.phase).toBe('leaving');
    await bed.clock.advance(1);
    expect(bed.status()?.drain?.phase).toBe('left');
    expect(bed.control.isLeft('web')).toBe(true);
  });

  it('asks whether callers have let go until they have, then shuts the app down', async () => {
    const bed = await setUp();
    const done = `echo "$NERVE_SERVICE $NERVE_PORT" >>${bed.file('asked')}; test -e ${bed.file('gone')}`;
    await bed.apply({
      drain: { min_time: 0, done_command: done, shutdown_command: `echo x >>${bed.file('shut')}` },
    });
    await bed.control.drain({ service: 'web' }, { shutdown: true });
    const asked = (): Promise<string> => readFile(bed.file('asked'), 'utf8').catch(() => '');
    while ((await asked()).length < 3 * 'web 8080\n'.length) await bed.clock.advance(100);
    expect(bed.status()?.drain).toMatchObject({ phase: 'leaving', shutdown: 'waiting' });
    await writeFile(bed.file('gone'), '');
    await bed.until(() => bed.status()?.drain?.shutdown === 'done', 10);
    expect(await asked()).toMatch(/^(web 8080\n){3,}$/);
    // Asked again it is still drained, and not shut down twice.
    await bed.control.drain({ service: 'web' }, { shutdown: true });
    await bed.clock.advance(1000);
    expect(await readFile(bed.file('shut'), 'utf8')).toBe('x\n');
  });

  it('takes at most max_time, even if the command hangs, and leaves no process behind', async () => {
    const bed = await setUp();
    const hangs = `sleep 1000 & echo $! >>${bed.file('pids')}; wait`;
    await bed.apply({ drain: { min_time: 0, max_time: 12, done_command: hangs } });
    await bed.control.drain({ service: 'web' }, {});
    const pids = async (): Promise<number[]> =>
      (await readFile(bed.file('pids'), 'utf8').catch(() => '')).split('\n').filter(Boolean).map(Number);
    while ((await pids()).length < 1) await bed.clock.advance(1);
    await bed.clock.advance(10_000);
    while ((await pids()).length < 2) await bed.clock.advance(1);
    await bed.clock.advance(2_100);
    await bed.until(() => bed.status()?.drain?.phase === 'left');
    expect(messages(bed)).toContain('callers did not let go in time');
    const [first, second] = await pids();
    await bed.until(() => ![first, second].some((pid) => pid !== undefined && alive(pid)), 10);
  });
});

describe('a weight at run time', () => {
  it('takes the place of the configured one, in place, until it is cleared', async () => {
    const bed = await setUp({ weight: 7 });
    const set = await bed.control.setWeight('web', 0, { by: 'ann' });
    expect(set).toEqual({ kind: 'done', services: ['web'], stillDrained: [], saved: false });
    expect(bed.status()?.weight).toMatchObject({
      configured: 7,
      published: 0,
      ordered: { value: 0, by: 'ann' },
    });
    await bed.apply({ weight: 9, labels: { az: 'a' } });
    await bed.control.setWeight('web', 256);
    await bed.control.clearWeight('web');
    const line = (weight: number): string => `web up 10.0.0.5:8080 weight ${weight}`;
    expect(bed.log).toEqual([7, 0, 0, 256, 9].map(line));
    expect((await bed.registry.expose()).body).toContain('smartstack_service_weight{service="web"} 9');
  });

  it.each([-1, 257, 1.5, NaN])('is refused as %d', async (value) => {
    const { control } = await setUp();
    expect(await control.setWeight('web', value)).toMatchObject({ kind: 'invalid' });
    expect(await control.setWeight('x', 1)).toMatchObject({ kind: 'unknown service' });
    expect(await control.clearWeight('x')).toMatchObject({ kind: 'unknown service' });
  });

  it('set while drained counts once that is over', async () => {
    const bed = await setUp();
    await bed.control.drain({ service: 'web' }, {});
    await bed.control.setWeight('web', 5);
    expect(bed.log.at(-1)).toBe('web withdrawn');
    await bed.control.undrain({ service: 'web' });
    expect(bed.log.at(-1)).toBe('web up 10.0.0.5:8080 weight 5');
  });
});

describe('slow start', () => {
  const ramp = { weight: 200, slow_start: { duration: 19, shape: 'linear' } };
  const weights = (log: readonly string[]): number[] =>
    log.map((line) => Number(/weight (\d+)/.exec(line)?.[1] ?? -1));

  it('lets the weight grow in place after each registration', async () => {
    const bed = await setUp(ramp);
    await bed.clock.advance(19_000);
    const whole = Array.from({ length: 20 }, (_, i) => (i + 1) * 10);
    expect(weights(bed.log)).toEqual(whole);
    await bed.control.drain({ service: 'web' }, {});
    await bed.control.undrain({ service: 'web' });
    await bed.clock.advance(60_000);
    expect(weights(bed.log)).toEqual([...whole, -1, ...whole]);
  });

  it('goes on over a change of the definition, and with a weight set meanwhile', async () => {
    const bed = await setUp(ramp);
    await bed.clock.advance(4_000);
    await bed.apply({ ...ramp, labels: { az: 'a' } });
    expect(bed.log.at(-1)).toContain('weight 50');
    await bed.control.setWeight('web', 20);
    expect(bed.log.at(-1)).toContain('weight 5');
    await bed.clock.advance(15_000);
    expect(bed.log.at(-1)).toContain('weight 20');
    await bed.control.setWeight('web', 0);
    expect(bed.log.at(-1)).toContain('weight 0');
  });
});

describe('the pre-available command', () => {
  it('is tried until it succeeds, before each registration, and killed at its limit', async () => {
    const bed = await setUp();
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
    expect(messages(bed).filter((message) => message === 'pre-available command failed')).toHaveLength(1);
  });

  it('ends with a drain, and registers nothing afterwards', async () => {
    const bed = await setUp();
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
    const bed = await setUp({
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
    expect(messages(bed)).toContain('service falls too often, it is held back');
    await bed.clock.advance(1_000_000);
    expect(bed.made[0]?.published).toBeUndefined();
    await bed.until(() => bed.made[0]?.published !== undefined, 5_000);
    expect(bed.status()).not.toHaveProperty('held');
  });

  it('calls a service that was never up starting, not down, until its grace is over', async () => {
    const bed = await setUp({ checks: [{ type: 'exec', command: 'exit 3' }], startup_grace: 30 });
    await bed.until(() => bed.status()?.health === 'starting');
    expect(bed.status()).toMatchObject({
      reason: expect.stringContaining('exited with 3') as string,
      transitions: [],
    });
    expect(messages(bed)).not.toContain('service is down');
    await bed.until(() => bed.status()?.health === 'down', 500);
    expect(bed.clock.monotonic()).toBeGreaterThanOrEqual(30_000);
    expect(messages(bed).filter((message) => message === 'service is down')).toHaveLength(1);
  });

  it('gives no grace to a service that was up', async () => {
    const bed = await setUp({ real: true, startup_grace: 3600 });
    await bed.check(true);
    await bed.check(false);
    expect(bed.status()?.health).toBe('down');
  });

  it('leaves a share of each pause to chance', async () => {
    const bed = await setUp({ checks: [{ type: 'noop' }], check_interval: 10, check_jitter: 0.5 });
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
    const bed = await setUp({}, { limit: 2 });
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
    const bed = await setUp();
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
    const bed = await setUp({ checks: [{ type: 'exec', command: 'false' }] });
    await bed.until(() => bed.status()?.health === 'down');
    await bed.services.withdrawAll(5_000, 20_000);
    const other = await setUp();
    await other.services.withdrawAll(5_000);
    expect(other.clock.monotonic()).toBe(0);
  });
});
