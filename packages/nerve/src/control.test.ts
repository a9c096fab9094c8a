import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { definitionsOf } from './testing/definitions.js';
import { lifecycleBed } from './testing/lifecycleBed.js';
import { alive } from './testing/processes.js';

describe('a drain', () => {
  it('withdraws at once, goes on checking, and is over when it is taken back', async () => {
    const bed = await lifecycleBed({ checks: [{ type: 'noop' }] });
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
    const bed = await lifecycleBed();
    const stop = new AbortController();
    bed.orders.run(stop.signal).catch(() => undefined);
    await bed.control.drain({ service: 'web' }, { until: bed.clock.now() + 60_000 });
    await bed.clock.advance(58_900);
    expect(bed.log.at(-1)).toBe('web withdrawn');
    await bed.clock.advance(2_000);
    expect(bed.log.at(-1)).toBe('web up 10.0.0.5:8080');
    expect(bed.messages()).toContain('drain over');
    stop.abort();
  });

  it('keeps a service out that is checked for the first time, and one whose definition changes', async () => {
    const bed = await lifecycleBed();
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
    const bed = await lifecycleBed();
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
    const { control, clock } = await lifecycleBed();
    expect(await control.drain({ service: 'x' }, {})).toEqual({ kind: 'unknown service', service: 'x' });
    for (const until of [clock.now(), 0, NaN, 9e15]) {
      expect(await control.drain('all', { until })).toMatchObject({ kind: 'invalid' });
    }
    const asked = await control.drain({ service: 'web' }, { shutdown: true });
    expect(asked).toEqual({ kind: 'impossible', problem: 'shutdown: web has no drain.shutdown_command' });
  });

  it('is not over while the registry still tells callers of it', async () => {
    const bed = await lifecycleBed();
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
    const bed = await lifecycleBed();
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
    const bed = await lifecycleBed();
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
    expect(bed.messages()).toContain('callers did not let go in time');
    const [first, second] = await pids();
    await bed.until(() => ![first, second].some((pid) => pid !== undefined && alive(pid)), 10);
  });
});

describe('a weight at run time', () => {
  it('takes the place of the configured one, in place, until it is cleared', async () => {
    const bed = await lifecycleBed({ weight: 7 });
    const set = await bed.control.setWeight({ service: 'web' }, 0, { by: 'ann' });
    expect(set).toEqual({ kind: 'done', services: ['web'], stillDrained: [], saved: false });
    expect(bed.status()?.weight).toMatchObject({
      configured: 7,
      published: 0,
      ordered: { value: 0, by: 'ann' },
    });
    await bed.apply({ weight: 9, labels: { az: 'a' } });
    await bed.control.setWeight({ service: 'web' }, 256);
    await bed.control.clearWeight('web');
    const line = (weight: number): string => `web up 10.0.0.5:8080 weight ${weight}`;
    expect(bed.log).toEqual([7, 0, 0, 256, 9].map(line));
    expect((await bed.registry.expose()).body).toContain('smartstack_service_weight{service="web"} 9');
  });

  it.each([-1, 257, 1.5, NaN])('is refused as %d', async (value) => {
    const { control } = await lifecycleBed();
    expect(await control.setWeight({ service: 'web' }, value)).toMatchObject({ kind: 'invalid' });
    expect(await control.setWeight({ service: 'x' }, 1)).toMatchObject({ kind: 'unknown service' });
    expect(await control.clearWeight('x')).toMatchObject({ kind: 'unknown service' });
  });

  it('set while drained counts once that is over', async () => {
    const bed = await lifecycleBed();
    await bed.control.drain({ service: 'web' }, {});
    await bed.control.setWeight({ service: 'web' }, 5);
    expect(bed.log.at(-1)).toBe('web withdrawn');
    await bed.control.undrain({ service: 'web' });
    expect(bed.log.at(-1)).toBe('web up 10.0.0.5:8080 weight 5');
  });
});
