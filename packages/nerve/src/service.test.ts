import type { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Service } from './service.js';
import { fakeDeps } from './testing/deps.js';
import { definitionOf } from './testing/definitions.js';
import { FakeReporter } from './testing/fakeReporter.js';
import { httpServer, tcpServer, type TestServer } from './testing/servers.js';

function setUp(random = 1) {
  const { clock, logger, registry, deps } = fakeDeps({ random });
  const reporter = new FakeReporter('zk');
  const start = (keys: Readonly<Record<string, unknown>>, before?: Service): Service => {
    const service = new Service(definitionOf('web', keys), reporter, deps, before);
    const stop = new AbortController();
    service.run(stop.signal).catch(() => undefined);
    onTestFinished(() => stop.abort());
    return service;
  };
  return { clock, logger, registry, deps, reporter, start };
}

async function ports(): Promise<{ open: TestServer; closed: number }> {
  const closed = await tcpServer(() => undefined);
  await closed.close();
  return { open: await tcpServer(() => undefined), closed: closed.port };
}

/** Real sockets under a fake clock: moves on only once the probe under way has ended. */
async function rounds(service: Service, clock: FakeClock, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const before = service.status.checks[0]?.last;
    await clock.advance(500);
    while (service.status.checks[0]?.last === before) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(0);
  }
}

describe('Service', () => {
  it('registers a service without checks at once (trap 7)', async () => {
    const { clock, reporter, start } = setUp();
    const service = start({ weight: '7', labels: { az: 'a' } });
    await clock.advance(0);
    expect(reporter.published).toEqual({
      host: '10.0.0.5',
      port: 8080,
      name: 'i-0abc',
      weight: 7,
      labels: { az: 'a' },
    });
    expect(service.status).toMatchObject({ service: 'web', health: 'up', registration: { kind: 'present' } });
  });

  it('counts a mocked service as up whatever its checks say', async () => {
    const { clock, start } = setUp();
    const { closed } = await ports();
    const service = start({ check_mocked: true, checks: [{ type: 'tcp', host: '127.0.0.1', port: closed }] });
    await clock.advance(0);
    expect(service.status.health).toBe('up');
  });

  it('registers after one success although rise is 3, and falls after `fall` failures', async () => {
    const { clock, reporter, start } = setUp();
    const { open } = await ports();
    const service = start({
      checks: [{ type: 'tcp', host: '127.0.0.1', port: open.port, rise: 3, fall: 2 }],
    });
    await service.known;
    expect(reporter.published).toBeDefined();
    await open.close();
    await rounds(service, clock, 1);
    expect(service.status).toMatchObject({ health: 'up', checks: [{ streak: 1 }] });
    expect(reporter.published).toBeDefined();
    await rounds(service, clock, 1);
    expect(service.status).toMatchObject({
      health: 'down',
      reason: expect.stringContaining('ECONNREFUSED') as string,
    });
    expect(reporter.published).toBeUndefined();
    expect(service.status.transitions.map(({ to }) => to)).toEqual(['up', 'down']);
  });

  it('does not execute the checks behind one that is down (trap 6)', async () => {
    const { clock, start } = setUp();
    const { open, closed } = await ports();
    const check = (port: number) => ({ type: 'tcp', host: '127.0.0.1', port });
    const service = start({ checks: [check(closed), check(open.port)] });
    await service.known;
    await rounds(service, clock, 3);
    const [first, second] = service.status.checks;
    expect(first).toMatchObject({ health: 'down' });
    expect(second).toEqual({ name: `web tcp-127.0.0.1:${open.port}`, health: 'unknown', streak: 0 });
  });

  it('starts rounds at its interval, the first pause shorter so that services spread', async () => {
    const { clock, registry, start } = setUp(0);
    start({ checks: [{ type: 'noop' }], check_interval: 2 });
    const count = async (): Promise<number> =>
      Number(/smartstack_check_result_total\{.*\} (\d+)/.exec((await registry.expose()).body)?.[1] ?? 0);
    await clock.advance(999);
    expect(await count()).toBe(1);
    await clock.advance(1);
    expect(await count()).toBe(2);
    await clock.advance(1999);
    expect(await count()).toBe(2);
    await clock.advance(1);
    expect(await count()).toBe(3);
    await clock.advance(20_000);
    expect(await count()).toBe(13);
  });

  it('gives a slow service at least half of the interval to itself', async () => {
    const { clock, start } = setUp();
    const silent = await tcpServer(() => undefined);
    const check = { type: 'http', uri: '/', host: '127.0.0.1', port: silent.port, timeout: 5 };
    const service = start({ checks: [check], check_interval: 1 });
    const connected = async (): Promise<void> => {
      while (silent.open.size === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    await connected();
    // The probe's connect event may still be on its way.
    await clock.advance(5200);
    await service.known;
    const ended = service.status.checks[0]?.last?.at ?? 0;
    await clock.advance(499);
    expect(service.status.checks[0]?.last?.at).toBe(ended);
    expect(service.status).toMatchObject({
      health: 'down',
      reason: expect.stringContaining('within 5') as string,
    });
  });

  it('holds a change back beyond the rate limit, and makes it when a token is there', async () => {
    const { clock, reporter, registry, start } = setUp();
    const limits = { average_rate: 0.1, max_burst: 1, shadow_mode: false };
    const service = start({ rate_limiting: limits });
    await clock.advance(8_900);
    expect(reporter.published).toBeUndefined();
    expect(service.status).toMatchObject({ health: 'up', throttled: true });
    expect((await registry.expose()).body).toContain(
      'smartstack_report_throttled_total{service="web",shadow="false"}',
    );
    await clock.advance(2_000);
    expect(reporter.published).toBeDefined();
    expect(service.status.throttled).toBe(false);
  });

  it('only counts what the rate limit refuses in shadow mode, which is the default (trap 8)', async () => {
    const { clock, reporter, registry, start } = setUp();
    start({ rate_limiting: { average_rate: 0.1, max_burst: 1 } });
    await clock.advance(0);
    expect(reporter.published).toBeDefined();
    expect((await registry.expose()).body).toContain('{service="web",shadow="true"} 1');
  });

  it('takes over the health and the registration when the checks stay the same', async () => {
    const { clock, reporter, start, logger } = setUp();
    const { open } = await ports();
    const checks = [{ type: 'tcp', host: '127.0.0.1', port: open.port, fall: 3 }];
    const before = start({ checks });
    await before.known;
    await open.close();
    await rounds(before, clock, 2);
    expect(before.status).toMatchObject({ health: 'up', checks: [{ streak: 2 }] });
    const after = start({ checks, weight: 5 }, before);
    expect(reporter.log).toEqual(['zk up 10.0.0.5:8080', 'zk up 10.0.0.5:8080 weight 5']);
    expect(after.status).toMatchObject({ health: 'up', checks: [{ streak: 2 }] });
    expect(logger.records.filter(({ message }) => message === 'service is up')).toHaveLength(1);
  });

  it('starts its health anew when the checks change, and leaves the registration until it knows', async () => {
    const { clock, reporter, start } = setUp();
    const { open, closed } = await ports();
    const at = (port: number) => ({ checks: [{ type: 'tcp', host: '127.0.0.1', port }] });
    const before = start(at(open.port));
    await before.known;
    const after = start(at(closed), before);
    expect(after.status.health).toBe('unknown');
    expect(reporter.log).toEqual(['zk up 10.0.0.5:8080']);
    await after.known;
    await clock.advance(0);
    expect(reporter.log).toEqual(['zk up 10.0.0.5:8080', 'zk withdrawn']);
  });

  it('keeps a bounded history', async () => {
    const { clock, start } = setUp();
    let answered = 0;
    const { port } = await httpServer((_, response) => response.writeHead(answered++ % 2 ? 500 : 200).end());
    const check = { type: 'http', uri: '/', host: '127.0.0.1', port, timeout: 60, open_timeout: 60 };
    const service = start({ checks: [check] });
    await service.known;
    await rounds(service, clock, 30);
    expect(service.status.transitions.map(({ to }) => to)).toEqual(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? 'up' : 'down')),
    );
  });

  it('is stuck only when a round outlasts everything it may take', async () => {
    const { clock, start } = setUp();
    const service = start({ checks: [{ type: 'noop' }] });
    await clock.advance(60_000);
    expect(service.isStuck(clock.monotonic())).toBe(false);
    expect(service.isStuck(clock.monotonic() + 12_000)).toBe(true);
  });
});
