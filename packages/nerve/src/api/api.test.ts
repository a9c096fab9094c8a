import { describe, expect, it } from 'vitest';
import { apiBed as setUp } from '../testing/apiBed.js';

const ttl = { checks: [{ type: 'ttl', ttl: 5 }] };

describe('services', () => {
  it('are listed by name, and shown one by one', async () => {
    const { ask } = await setUp({ api: {} });
    const { value } = await ask('GET', '/v1/services');
    expect(value).toMatchObject({
      drain: null,
      services: [{ service: 'api' }, { service: 'web', health: 'up' }],
    });
    expect((await ask('GET', '/v1/services/web')).value).toMatchObject({
      service: 'web',
      weight: { configured: 10 },
      registration: { kind: 'present' },
    });
  });

  it('show the last ten results of their checks, one by one only', async () => {
    const { ask, clock, heartbeats } = await setUp({ app: { ...ttl, check_interval: 1 } });
    heartbeats.beat('app', 'ttl', { status: 'pass', note: '' });
    for (let round = 0; round < 20; round += 1) await clock.advance(1_000);
    const { value } = await ask('GET', '/v1/services/app');
    const [check] = (value as { checks: [{ last: object; history: { at: number; ok: boolean }[] }] }).checks;
    expect(check.history).toHaveLength(10);
    expect(check.history.at(-1)).toEqual(check.last);
    expect(check.history.every(({ ok }) => !ok)).toBe(true);
    expect(check.history.every(({ at }, index, { [index - 1]: before }) => at > (before?.at ?? 0))).toBe(
      true,
    );
    expect(JSON.stringify((await ask('GET', '/v1/services')).value)).not.toContain('history');
  });

  it('that do not exist are answered with one like it', async () => {
    const { ask } = await setUp();
    for (const [method, path] of [
      ['GET', '/v1/services/wbe'],
      ['POST', '/v1/services/wbe/drain'],
      ['POST', '/v1/services/wbe/undrain'],
      ['DELETE', '/v1/services/wbe/weight'],
      ['GET', '/v1/instances/wbe'],
      ['GET', '/v1/health?service=wbe'],
      ['PUT', '/services/wbe/disable'],
    ] as const)
      expect(await ask(method, path), path).toEqual({
        status: 404,
        error: 'no service "wbe", did you mean "web"?',
      });
    expect(await ask('GET', '/v1/services/..%2F..%2Fetc')).toMatchObject({ status: 404 });
    expect(await ask('POST', '/v1/services/__proto__/drain')).toMatchObject({ status: 404 });
  });
});

describe('health', () => {
  it('is 200 while everything is up, 503 once something is drained or down, and says what', async () => {
    const { ask } = await setUp({ api: {} });
    expect(await ask('GET', '/v1/health')).toEqual({
      status: 200,
      value: { ok: true, services: 2, problems: [] },
    });
    await ask('POST', '/v1/services/web/drain', { reason: 'disk' });
    expect(await ask('GET', '/v1/health')).toEqual({
      status: 503,
      value: { ok: false, services: 2, problems: [{ service: 'web', problem: 'drained', reason: 'disk' }] },
    });
    expect((await ask('GET', '/v1/health?service=api')).status).toBe(200);
    expect((await ask('GET', '/v1/health?service=api&service=web')).status).toBe(503);
  });

  it('is 503 for a host in maintenance, also without services of its own', async () => {
    const { ask } = await setUp({ web: { exclude_from_drain_all: true } });
    await ask('POST', '/v1/drain');
    expect(await ask('GET', '/v1/health')).toMatchObject({
      status: 503,
      value: { problems: [{ problem: 'drained' }] },
    });
  });

  it('is 503 while a service waits for its first heartbeat', async () => {
    const { ask, clock } = await setUp({ app: ttl });
    await clock.advance(1_000);
    expect(await ask('GET', '/v1/health?service=app')).toMatchObject({
      status: 503,
      value: {
        problems: [
          { service: 'app', problem: 'down', reason: expect.stringContaining('no heartbeat') as string },
        ],
      },
    });
  });
});

describe('a drain', () => {
  it('lasts as long as was said, with its reason and author', async () => {
    const { ask, clock, status } = await setUp();
    const body = { reason: 'new disk', by: 'ann', duration: '10m' };
    expect(await ask('POST', '/v1/services/web/drain', body)).toEqual({
      status: 200,
      value: { services: ['web'], stillDrained: ['web'], saved: false },
    });
    expect(status()).toMatchObject({
      registration: { kind: 'absent' },
      drain: { reason: 'new disk', by: 'ann', scope: 'service', until: clock.now() + 600_000 },
    });
    expect((await ask('POST', '/v1/services/web/undrain')).value).toMatchObject({ stillDrained: [] });
    expect(status()?.drain).toBeUndefined();
  });

  it('of the host outlives the undrain of a service', async () => {
    const { ask } = await setUp();
    await ask('POST', '/v1/drain', { until: '2999-01-01T00:00:00+01:00' });
    expect((await ask('POST', '/v1/services/web/undrain')).value).toMatchObject({ stillDrained: ['web'] });
    expect((await ask('GET', '/v1/services')).value).toMatchObject({
      drain: { until: Date.parse('2998-12-31T23:00:00Z') },
    });
    expect((await ask('POST', '/v1/undrain')).value).toEqual({
      services: ['web'],
      stillDrained: [],
      saved: false,
    });
  });

  it.each([
    [{ duration: '10 minutes' }, 'duration: expected seconds, or text'],
    [{ duration: 0 }, 'duration: expected seconds'],
    [{ duration: -1 }, 'duration: expected seconds'],
    [{ duration: '999999999d' }, 'duration: expected seconds'],
    [{ duration: true }, 'duration: '],
    [{ until: 'tomorrow' }, 'until: expected a time such as'],
    [{ until: '2001-01-01T00:00:00Z' }, 'until: is not in the future'],
    [{ until: '2999-01-01T00:00:00Z', duration: 5 }, 'until: not together with duration'],
    [{ reason: 'x'.repeat(501) }, 'reason: Too big'],
    [{ raeson: 'x' }, 'raeson: Unknown key, did you mean "reason"?'],
  ])('is refused with %j', async (body, problem) => {
    const { ask, status } = await setUp();
    const answer = await ask('POST', '/v1/services/web/drain', body);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(problem);
    expect(status()?.drain).toBeUndefined();
  });

  it('cannot shut down what has no command for it', async () => {
    const { ask, status } = await setUp();
    expect(await ask('POST', '/v1/services/web/drain', { shutdown: true })).toEqual({
      status: 409,
      error: 'shutdown: web has no drain.shutdown_command',
    });
    expect(status()?.drain).toBeUndefined();
  });
});

describe('a weight', () => {
  it('is set, published, and taken back', async () => {
    const { ask, status, clock } = await setUp();
    await ask('PUT', '/v1/services/web/weight', { weight: 0, by: 'ann' });
    await clock.advance(0);
    expect(status()?.weight).toMatchObject({
      configured: 10,
      ordered: { value: 0, by: 'ann' },
      published: 0,
    });
    await ask('PUT', '/services/web/weight/256');
    expect(status()?.weight.ordered?.value).toBe(256);
    await ask('DELETE', '/v1/services/web/weight');
    expect(status()?.weight.ordered).toBeUndefined();
  });

  it.each([-1, 257, 1.5, '5', null])('is not %j', async (weight) => {
    const { ask } = await setUp();
    const answer = await ask('PUT', '/v1/services/web/weight', { weight });
    expect(answer).toMatchObject({ status: 400, error: expect.stringMatching(/^weight: /) as string });
  });

  it.each(['257', '-1', '1e1', '0x1'])('is not %s under its old name', async (weight) => {
    const { ask } = await setUp();
    expect((await ask('PUT', `/services/web/weight/${weight}`)).status).toBe(400);
  });
});

describe('a heartbeat', () => {
  it('counts for all ttl checks of a service, or for one', async () => {
    const { ask, heartbeats } = await setUp({
      app: { checks: [...ttl.checks, { type: 'ttl', ttl: 9, name: 'jobs' }] },
    });
    expect(await ask('POST', '/v1/services/app/heartbeat', { status: 'pass' })).toEqual({
      status: 200,
      value: { checks: ['ttl', 'jobs'] },
    });
    await ask('POST', '/v1/services/app/checks/jobs/heartbeat', { status: 'fail', note: 'stuck' });
    expect([heartbeats.last('app', 'ttl')?.status, heartbeats.last('app', 'jobs')?.note]).toEqual([
      'pass',
      'stuck',
    ]);
  });

  it('is refused for whom nobody waits for', async () => {
    const { ask } = await setUp({ app: ttl });
    const beat = { status: 'pass' };
    expect(await ask('POST', '/v1/services/web/heartbeat', beat)).toMatchObject({ status: 409 });
    expect(await ask('POST', '/v1/services/app/checks/tll/heartbeat', beat)).toEqual({
      status: 404,
      error: 'no ttl check of app "tll", did you mean "ttl"?',
    });
    expect(await ask('POST', '/v1/services/ap/heartbeat', beat)).toMatchObject({ status: 404 });
    expect(await ask('POST', '/v1/services/app/heartbeat', { status: 'ok' })).toMatchObject({ status: 400 });
    expect(await ask('POST', '/v1/services/app/heartbeat')).toMatchObject({ status: 400 });
  });
});

describe('the instances of a service', () => {
  it('are a list', async () => {
    const { ask } = await setUp();
    expect((await ask('GET', '/v1/instances/web')).value).toEqual({
      service: 'web',
      source: 'live',
      instances: [{ host: 'h', port: 1 }],
      problems: [],
    });
  });
});
