import { systemClock } from '@smartstack/agent';
import { describe, expect, it } from 'vitest';
import { command, type Answer, fakeAgent, SleeplessClock, view } from '../testing/fakeAgent.js';

const since = 1_900_000_000_000;
const drained = (name: string, phase: string) => view(name, { drain: { since, scope: 'service', phase } });
const list = (...services: readonly unknown[]): Answer => ({ value: { drain: null, services } });

/** An agent that takes any order, and answers each look at its services with the next of these; the last stays. */
async function agent(
  looks: readonly Answer[] = [],
  result: object = { services: ['web'], stillDrained: ['web'], saved: true },
) {
  let look = 0;
  return await fakeAgent(({ method }) => {
    if (method === 'POST') return { value: result };
    look += 1;
    return looks[Math.min(look, looks.length) - 1] ?? 'broken';
  });
}

describe('nerve drain and undrain', () => {
  it.each([
    ['drain web', '/v1/services/web/drain', { by: 'ann' }],
    ['drain a/ä', '/v1/services/a%2F%C3%A4/drain', { by: 'ann' }],
    ['drain --all', '/v1/drain', { by: 'ann' }],
    [
      'drain web --reason disk --for 1h30m',
      '/v1/services/web/drain',
      { by: 'ann', reason: 'disk', duration: '1h30m' },
    ],
    [
      'drain web --until 2030-01-31T12:00+01:00',
      '/v1/services/web/drain',
      { by: 'ann', until: '2030-01-31T11:00:00.000Z' },
    ],
    ['drain --all --shutdown', '/v1/drain', { by: 'ann', shutdown: true }],
    ['undrain web', '/v1/services/web/undrain', { by: 'ann' }],
    ['undrain --all', '/v1/undrain', { by: 'ann' }],
  ])('%s', async (line, url, body) => {
    const { address, asked } = await agent([], { services: ['web'], stillDrained: [], saved: true });
    const what = line.startsWith('un') ? 'undrained' : 'drained';
    expect(await command([...line.split(' '), '--address', address])).toEqual({
      ...{ code: 0, stdout: `${what}: web\n`, stderr: '' },
    });
    expect(asked).toEqual([{ method: 'POST', url, body, authorization: undefined }]);
  });

  it('says what is not as it was asked for', async () => {
    const forgets = await agent([], { services: [], stillDrained: [], saved: false });
    expect(await command(['drain', '--all', '--address', forgets.address])).toEqual({
      code: 0,
      stdout: 'drained: no services\n',
      stderr: 'nerve: it could not be saved: a restart of the agent forgets it\n',
    });
    const { address } = await agent();
    expect((await command(['undrain', 'web', '--address', address])).stderr).toBe(
      'nerve: still drained by another order: web\n',
    );
  });

  it.each([
    ['--for ever', '--for: expected seconds'],
    ['--for 0', '--for: expected seconds'],
    ['--for 9999d', '--for: expected seconds'],
    ['--until tomorrow', '--until: expected a time'],
    ['--until 2030-02-30', '--until: expected a time'],
    ['--wait --timeout soon', '--timeout: expected seconds'],
    ['--address nowhere', '--address: '],
    ['--token-file /no/such/file', '--token-file: '],
  ])('asks nobody with %s: 64', async (flags, said) => {
    const { address, asked } = await agent();
    const { code, stderr } = await command(['drain', 'web', '--address', address, ...flags.split(' ')]);
    expect(code).toBe(64);
    expect(stderr).toContain(`nerve: ${said}`);
    expect(asked).toEqual([]);
  });
});

describe('nerve drain --wait', () => {
  const wait = async (
    looks: readonly Answer[],
    flags: readonly string[] = [],
    clock = new SleeplessClock(),
  ) => {
    const { address, asked } = await agent(looks);
    const result = await command(['drain', 'web', '--wait', '--address', address, ...flags], clock);
    return { ...result, looks: asked.length - 1, tookMs: clock.monotonic() };
  };
  const leaving = list(drained('web', 'leaving'), view('other'));
  const left = list(drained('web', 'left'), view('other'));

  it('returns once callers have let go', async () => {
    expect(await wait([leaving, leaving, left])).toMatchObject({
      ...{ code: 0, stdout: 'drained: web\ncallers have let go\n', stderr: '', looks: 3 },
    });
    const { stdout } = await wait([left], ['-o', 'json']);
    expect(JSON.parse(stdout)).toEqual({ services: ['web'], stillDrained: ['web'], saved: true, left: true });
  });

  it('waits no longer than it should: 1, and the drain stays', async () => {
    const { tookMs, ...late } = await wait([leaving], ['--timeout', '90s']);
    expect(late).toMatchObject({
      ...{ code: 1, stdout: 'drained: web\n', stderr: 'nerve: callers have not let go in time: web\n' },
    });
    expect(tookMs).toBeGreaterThanOrEqual(90_000);
    expect(tookMs).toBeLessThan(91_000);
    const { code, stdout } = await wait([leaving], ['--timeout', '1', '-o', 'json']);
    expect([code, (JSON.parse(stdout) as { left: boolean }).left]).toEqual([1, false]);
  });

  it('gives up at once when somebody undrains meanwhile: 1', async () => {
    const { code, stderr, looks } = await wait([leaving, list(view('web'))]);
    expect({ code, stderr, looks }).toEqual({
      code: 1,
      stderr: 'nerve: undrained meanwhile: web\n',
      looks: 2,
    });
  });

  it('does not take a service that was removed meanwhile for one whose callers have let go: 1', async () => {
    const { code, stderr, looks } = await wait([leaving, list(view('other'))]);
    expect({ code, stderr, looks }).toEqual({
      ...{ code: 1, stderr: 'nerve: not configured any more: web\n', looks: 2 },
    });
  });

  it('waits for all of several', async () => {
    const all = { services: ['a', 'b'], stillDrained: ['a', 'b'], saved: true };
    const looks = [
      list(drained('a', 'left'), drained('b', 'leaving')),
      list(drained('a', 'left'), drained('b', 'left')),
    ];
    const { address, asked } = await agent(looks, all);
    expect((await command(['drain', '--all', '--wait', '--address', address])).code).toBe(0);
    expect(asked).toHaveLength(3);
  });

  it('goes on when the agent restarts meanwhile', async () => {
    const { code, stdout } = await wait([leaving, 'broken', 'broken', leaving, left]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'drained: web\ncallers have let go\n' });
  });

  it('says that an agent which restarted has forgotten the drain: 1', async () => {
    expect(await wait([leaving, 'broken', list(view('web'))])).toMatchObject({
      code: 1,
      stderr: 'nerve: undrained meanwhile: web\n',
    });
  });

  it('says that the agent is gone at the end: 69', async () => {
    const { code, stdout, stderr } = await wait([leaving, 'broken'], ['--timeout', '1', '-o', 'json']);
    expect(code).toBe(69);
    expect(JSON.parse(stdout)).toMatchObject({ services: ['web'], left: false });
    expect(stderr).toContain('nerve: the agent does not answer');
    expect(stderr).not.toContain('callers');
  });

  it('waits no longer for an agent that never answers: 69', async () => {
    const hung = await fakeAgent(({ method }) => {
      if (method === 'POST') return { value: { services: ['web'], stillDrained: ['web'], saved: true } };
      return 'silent';
    });
    const started = systemClock.monotonic();
    const words = ['drain', 'web', '--wait', '--timeout', '1', '--address', hung.address];
    expect((await command(words, systemClock)).code).toBe(69);
    // Not the 10 seconds that any other answer may take.
    expect(systemClock.monotonic() - started).toBeLessThan(5_000);
  });

  it('does not go on with one that refuses, or is no agent: 1', async () => {
    for (const look of [
      { status: 500, value: { error: 'out of order' } },
      { value: { services: 'many' } },
    ] as const)
      expect(await wait([leaving, look])).toMatchObject({ code: 1, looks: 2 });
  });
});
