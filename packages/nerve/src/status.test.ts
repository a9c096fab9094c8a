import { type LeaseState, SessionPool, type SessionState, type ZkSession } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import { Control } from './control.js';
import { Services } from './services.js';
import { readiness, statusPage, summary } from './status.js';
import { fakeDeps } from './testing/deps.js';
import { definitionsOf } from './testing/definitions.js';
import { FakeReporter } from './testing/fakeReporter.js';

function setUp() {
  const { clock, orders, deps } = fakeDeps();
  const made: FakeReporter[] = [];
  const state = { reachable: true, session: { kind: 'connected' } as SessionState };
  const services = new Services(
    {
      update: () => undefined,
      create: ({ name }) => {
        const reporter = new FakeReporter(name);
        reporter.reachable = state.reachable;
        made.push(reporter);
        return reporter;
      },
    },
    deps,
  );
  const pool = new SessionPool(
    () =>
      ({
        get state() {
          return state.session;
        },
      }) as ZkSession,
  );
  const auth = [{ scheme: 'digest', data: Buffer.from('u:secret') }];
  pool.acquire({ hosts: ['b:2181', 'a:2181'], sessionTimeoutMs: 1, auth });
  const leases: { cluster: string; state: LeaseState }[] = [];
  const config = { file: 'nerve.yaml', directory: undefined, valid: true, readAt: 1, issues: [] };
  const control = new Control(services, orders, clock);
  const etcd = { leases };
  const view = { instanceId: 'i-0abc', startedAt: 1, config, services, control, pool, etcd };
  const apply = async (next: Parameters<typeof definitionsOf>[0]): Promise<void> => {
    services.apply(definitionsOf(next));
    await clock.advance(0);
  };
  return { view, control, apply, state, made, clock, leases };
}

describe('readiness', () => {
  it('is given when the registry holds every healthy service and no other', async () => {
    const { view, apply } = setUp();
    await apply({ a: {}, b: {} });
    expect(readiness(view, true)).toEqual({ ok: true, reasons: [] });
    expect(readiness(view, false)).toEqual({ ok: false, reasons: ['starting'] });
  });

  it('names each service that is not where it should be', async () => {
    const { view, apply, state, made } = setUp();
    await apply({ a: {} });
    state.reachable = false;
    await apply({ b: {}, c: { checks: [{ type: 'exec', command: 'sleep 10', timeout: 20 }] } });
    expect(readiness(view, true)).toEqual({
      ok: false,
      reasons: ['b is up, its registration pending', 'c is not checked yet'],
    });
    if (made[1]) made[1].reachable = false;
    await apply({});
    expect(readiness(view, true).ok).toBe(true);
  });

  it('is given while a service is kept out on purpose', async () => {
    const { view, apply, control, clock } = setUp();
    const slow = { pre_available: { command: 'sleep 1000', timeout: 1000 } };
    await apply({
      a: {},
      held: slow,
      young: { startup_grace: 60, checks: [{ type: 'exec', command: 'false' }] },
    });
    await control.drain({ service: 'a' }, { reason: 'disk' });
    while (view.services.status[2]?.health === 'unknown') await clock.advance(0);
    expect(view.services.status.map(({ health }) => health)).toEqual(['up', 'up', 'starting']);
    expect(readiness(view, true)).toEqual({ ok: true, reasons: [] });
    expect(summary(view)).toBe('2 of 3 services up, 0 registered; 1 drained');
    await control.drain('all', { by: 'ann' });
    expect(statusPage(view)).toMatchObject({ drain: { by: 'ann' } });
    await view.services.withdrawAll(1);
  });

  it('names the ensembles that cannot be reached, and no credentials', () => {
    const { view, state } = setUp();
    state.session = { kind: 'suspended', epoch: 1, since: 0, reason: 'hang' };
    expect(readiness(view, true)).toEqual({ ok: false, reasons: ['zookeeper a:2181,b:2181 is suspended'] });
    const shown = JSON.stringify(statusPage(view));
    expect(shown).toContain('"hosts":"a:2181,b:2181"');
    expect(shown).not.toContain(Buffer.from('u:secret').toString('base64'));
  });
});

describe('summary', () => {
  it('counts, and adds what is wrong', async () => {
    const { view, apply, state } = setUp();
    await apply({ a: {}, b: {} });
    expect(summary(view)).toBe('2 of 2 services up, 2 registered');
    state.session = { kind: 'connecting', attempt: 1, since: 0 };
    expect(summary({ ...view, config: { ...view.config, valid: false } })).toBe(
      '2 of 2 services up, 2 registered; ZooKeeper a:2181,b:2181 connecting; the configuration has errors',
    );
  });
});
