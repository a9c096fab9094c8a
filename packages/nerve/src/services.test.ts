import { describe, expect, it } from 'vitest';
import { Services } from './services.js';
import { fakeDeps } from './testing/deps.js';
import { definitionsOf } from './testing/definitions.js';
import { fakeReporting } from './testing/fakeReporting.js';
import { listen } from './testing/servers.js';
import { createServer } from 'node:net';

function setUp() {
  const { clock, logger, registry, deps } = fakeDeps();
  const { reporting, log, made, state } = fakeReporting(deps);
  const services = new Services(reporting, deps);
  const apply = async (next: Parameters<typeof definitionsOf>[0]): Promise<void> => {
    services.apply(definitionsOf(next));
    await clock.advance(0);
  };
  return { clock, registry, logger, log, made, state, services, apply };
}

const down = { checks: [{ type: 'exec', command: 'exit 1' }] };

describe('Services', () => {
  it('starts what is new, stops what is gone, and leaves the rest alone', async () => {
    const { services, apply, log, made } = setUp();
    await apply({ a: {}, b: {} });
    const untouched = services.status[0]?.transitions;
    log.length = 0;
    await apply({ a: {}, c: {} });
    expect(log).toEqual([
      'b@/services/web withdrawn',
      'c@/services/web up 10.0.0.5:8080',
      'b@/services/web disposed',
    ]);
    expect(services.status[0]?.transitions).toBe(untouched);
    expect(made).toHaveLength(3);
  });

  it('forgets what was measured of services and checks that are gone', async () => {
    const { apply, registry, clock } = setUp();
    const named = (name: string, rate: object = {}) => ({ checks: [{ type: 'noop', name }], ...rate });
    const seen = async (): Promise<string> => (await registry.expose()).body;
    const throttled = { rate_limiting: { average_rate: 0, max_burst: 1 } };
    await apply({ a: named('one'), b: named('one', throttled) });
    await clock.advance(1000);
    expect(await seen()).toMatch(/service="b"/);
    await apply({ a: named('two') });
    await clock.advance(1000);
    expect(await seen()).toMatch(/service="a",check="two"/);
    expect(await seen()).not.toMatch(/service="b"|check="one"/);
    await apply({});
    await clock.advance(1000);
    expect(await seen()).not.toMatch(/service="/);
  });

  it('measures each check by itself, also where two have one name', async () => {
    const { apply, registry, clock, services } = setUp();
    const checks = ['one', 'one', undefined, undefined].map((name) => ({ type: 'noop', name }));
    await apply({ a: { checks } });
    await clock.advance(1000);
    const body = (): Promise<string> => registry.expose().then((exposed) => exposed.body);
    const passes = (await body()).match(/check_result_total\{.*result="pass"\} \d+/g);
    const names = services.status[0]?.checks.map(({ name }) => name);
    expect(names?.slice(0, 2)).toEqual(['one', 'one-2']);
    expect(names?.[3]).toBe(`${names?.[2]}-2`);
    const counts = new Set(passes?.map((line) => /\d+$/.exec(line)?.[0]));
    expect([passes?.length, counts.size]).toEqual([4, 1]);
    // What the numbers were of goes with them.
    await apply({ a: { checks: checks.slice(1) } });
    expect(await body()).not.toContain('one-2');
    await apply({});
    expect(await body()).not.toContain('service="a"');
  });

  it('changes weight and labels in place', async () => {
    const { apply, log, made } = setUp();
    await apply({ a: {} });
    await apply({ a: { weight: 3 } });
    await apply({ a: { weight: 4 } });
    expect(log.slice(1)).toEqual([
      'a@/services/web up 10.0.0.5:8080 weight 3',
      'a@/services/web up 10.0.0.5:8080 weight 4',
    ]);
    expect(made).toHaveLength(1);
  });

  it('registers at the new place before it withdraws from the old one', async () => {
    const { apply, log } = setUp();
    await apply({ a: {} });
    log.length = 0;
    await apply({ a: { zk_path: '/new' } });
    expect(log).toEqual(['a@/new up 10.0.0.5:8080', 'a@/services/web withdrawn', 'a@/services/web disposed']);
  });

  it('keeps the old registration while the new place cannot be reached, for 30 s', async () => {
    const { clock, apply, log, state, made } = setUp();
    await apply({ a: {} });
    log.length = 0;
    state.reachable = false;
    await apply({ a: { zk_path: '/new' } });
    await clock.advance(29_000);
    expect(log).toEqual([]);
    await clock.advance(1_000);
    expect(log).toEqual(['a@/services/web withdrawn', 'a@/services/web disposed']);
    made[1]?.reach();
    expect(log.at(-1)).toBe('a@/new up 10.0.0.5:8080');
  });

  it('makes room first where both cannot stand at once, but not before the new place can be reached', async () => {
    const { clock, apply, log, state, made } = setUp();
    await apply({ a: {} });
    log.length = 0;
    state.reachable = false;
    await apply({ a: { zk_auth: 'digest:u:p' } });
    await clock.advance(10_000);
    expect(log).toEqual([]);
    const [, next] = made;
    next?.come();
    await clock.advance(0);
    expect(log).toEqual(['a@/services/web withdrawn', 'a@/services/web disposed']);
    next?.reach();
    expect(next?.published).toBeDefined();
  });

  it('goes on checking and reporting at the old place until the new one stands', async () => {
    const { clock, apply, state, made } = setUp();
    await apply({ a: {} });
    state.reachable = false;
    await apply({ a: { zk_path: '/new' } });
    await apply({ a: { zk_path: '/newer' } });
    state.reachable = true;
    expect(made.map(({ published }) => published !== undefined)).toEqual([true, false, false]);
    made[2]?.reach();
    await clock.advance(0);
    expect(made.map(({ published }) => published !== undefined)).toEqual([false, false, true]);
    expect(made.map(({ disposed }) => disposed)).toEqual([true, true, false]);
  });

  it('returns to a place that it has not left yet, with the registration that is there', async () => {
    const { clock, apply, state, made, log } = setUp();
    await apply({ a: {} });
    state.reachable = false;
    await apply({ a: { zk_path: '/new' } });
    await apply({ a: {} });
    await clock.advance(60_000);
    expect(made).toHaveLength(2);
    expect(made[0]?.disposed).toBe(false);
    expect(log.filter((line) => line.includes('withdrawn'))).toEqual([]);
  });

  it('takes a withdrawal back when the service returns before ZooKeeper does', async () => {
    const { clock, services, apply, made } = setUp();
    await apply({ a: {} });
    const [reporter] = made;
    if (reporter) reporter.reachable = false;
    await apply({});
    expect(services.withdrawing.map(({ service }) => service)).toEqual(['a']);
    await apply({ a: { weight: 9 } });
    reporter?.reach();
    await clock.advance(0);
    expect(services.withdrawing).toEqual([]);
    expect(reporter?.published).toMatchObject({ weight: 9 });
    expect(reporter?.disposed).toBe(false);
    await apply({});
    expect(reporter).toMatchObject({ published: undefined, disposed: true });
  });

  it('keeps what runs when a new definition cannot be used, and says so', async () => {
    const { apply, state, services, made } = setUp();
    await apply({ a: {} });
    state.broken = true;
    await apply({ a: { zk_path: '/new' }, b: { zk_path: '/b' } });
    expect([...services.failures]).toEqual([
      ['a', 'no key file'],
      ['b', 'no key file'],
    ]);
    expect(made[0]?.published).toBeDefined();
    state.broken = false;
    await apply({ a: { zk_path: '/new' }, b: { zk_path: '/b' } });
    expect(services.failures.size).toBe(0);
    expect(made.map(({ published }) => published !== undefined)).toEqual([false, true, true]);
  });

  it('withdraws everything on request, without waiting for ever for what cannot be reached', async () => {
    const { clock, services, apply, made, log, logger } = setUp();
    await apply({ a: {}, b: {}, c: down });
    const away = made[1];
    if (away) away.reachable = false;
    let done = false;
    const withdrawn = services.withdrawAll(5_000).then(() => (done = true));
    await clock.advance(0);
    expect(log.filter((line) => line.includes('withdrawn'))).toEqual(['a@/services/web withdrawn']);
    await clock.advance(749);
    expect(done).toBe(false);
    await clock.advance(1);
    await withdrawn;
    expect(made.every(({ disposed }) => disposed)).toBe(true);
    expect(logger.records.filter(({ message }) => message === 'could not withdraw in time')).toMatchObject([
      { fields: { service: 'b' } },
    ]);
    expect(clock.pending).toBe(0);
  });

  it('runs no check after it has begun to withdraw', async () => {
    const { clock, services, apply, registry } = setUp();
    await apply({ a: { checks: [{ type: 'noop' }] } });
    await services.withdrawAll(5_000);
    const before = (await registry.expose()).body;
    await clock.advance(60_000);
    expect((await registry.expose()).body).toBe(before);
  });

  it('is settled when everything was checked and stands, or at the limit', async () => {
    const { clock, services, apply, state, made } = setUp();
    const signal = new AbortController().signal;
    state.reachable = false;
    await apply({ a: {} });
    let settled = 0;
    const note = (): void => void (settled += 1);
    services.settled(5_000, signal).then(note, note);
    await clock.advance(4_999);
    expect(settled).toBe(0);
    await clock.advance(1);
    expect(settled).toBe(1);
    services.settled(5_000, signal).then(note, note);
    made[0]?.reach();
    await clock.advance(0);
    expect(settled).toBe(2);
  });

  it('shows one series for each service there is', async () => {
    const { apply, registry } = setUp();
    const shown = async (): Promise<string[]> =>
      (await registry.expose()).body
        .split('\n')
        .filter((line) => /^smartstack_service_(up|registered)/.test(line));
    await apply({ a: {}, b: {} });
    expect(await shown()).toEqual([
      'smartstack_service_up{service="a"} 1',
      'smartstack_service_up{service="b"} 1',
      'smartstack_service_registered{service="a"} 1',
      'smartstack_service_registered{service="b"} 1',
    ]);
    await apply({ b: {} });
    expect(await shown()).toEqual([
      'smartstack_service_up{service="b"} 1',
      'smartstack_service_registered{service="b"} 1',
    ]);
  });

  it('does not let one check that hangs delay another service', async () => {
    const { clock, services, apply } = setUp();
    const silent = await listen(createServer());
    const hangs = { type: 'http', uri: '/', host: '127.0.0.1', port: silent.port, timeout: 1000 };
    await apply({ hangs: { checks: [hangs] }, lively: { checks: [{ type: 'noop' }], check_interval: 1 } });
    await clock.advance(30_000);
    const [first, second] = services.status;
    expect(first).toMatchObject({ service: 'hangs', health: 'unknown' });
    expect(clock.now() - (second?.checks[0]?.last?.at ?? 0)).toBeLessThan(1_001);
    expect(services.stuck).toEqual([]);
    await services.withdrawAll(1);
  });

  it('ends with the failure of a loop, which is a bug', async () => {
    const { services, apply, made } = setUp();
    const signal = new AbortController().signal;
    await apply({ a: {} });
    const running = services.run(signal);
    if (made[0])
      made[0].report = () => {
        throw new TypeError('a bug');
      };
    services.apply(definitionsOf({ a: { checks: [{ type: 'noop' }], weight: 3 } }));
    await expect(running).rejects.toThrow('a bug');
  });
});
