import {
  type EtcdPool,
  SessionPool,
  type RegistrationNode,
  type RegistrationSpec,
  type ZkSession,
} from '@smartstack/registry';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StatsdEvents } from '../statsdEvents.js';
import { definitionOf, zooKeeperOf } from '../testing/definitions.js';
import type { Folders } from './folder.js';
import { zookeeperReporter } from './zookeeper.js';

/** The part of a session that a reporter uses, recording. */
function setUp(keys: object, random = 0) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const opened: unknown[] = [];
  const specs: RegistrationSpec[] = [];
  const wanted: (RegistrationNode | undefined)[] = [];
  const seen = { touches: [] as number[], failTouch: false, disposed: 0, closed: [] as unknown[] };
  const session = {
    state: { kind: 'connected' },
    onState: () => () => undefined,
    close: (options: unknown) => {
      seen.closed.push(options);
      return Promise.resolve();
    },
    register: (spec: RegistrationSpec) => {
      specs.push(spec);
      return {
        state: { kind: 'present', path: '/services/web/i-0abc_0000000001', since: 5 },
        want: (node: RegistrationNode | undefined) => void wanted.push(node),
        settled: () => Promise.resolve(),
        onState: () => () => undefined,
        touch: () => {
          seen.touches.push(clock.monotonic());
          return seen.failTouch ? Promise.reject(new Error('no connection')) : Promise.resolve();
        },
        dispose: () => void (seen.disposed += 1),
      };
    },
  } as unknown as ZkSession;
  const sessions = new SessionPool((options) => {
    opened.push(options);
    return session;
  });
  const definition = definitionOf('web', { ...keys });
  const sent: string[] = [];
  const note = (name: string, ...rest: unknown[]): void => void sent.push([name, ...rest].join(' '));
  const statsd = new StatsdEvents({ increment: note, gauge: note, timing: note });
  // Neither of them is touched.
  const others = { etcd: undefined as unknown as EtcdPool, folders: undefined as unknown as Folders };
  const context = { clock, logger, sessions, random: () => random, statsd, ...others };
  const registrant = { service: 'web', instanceId: 'i-0abc', host: '10.0.0.5', port: 8080 };
  const create = () => zookeeperReporter.create(zooKeeperOf(definition), context, registrant);
  return { clock, logger, opened, specs, wanted, seen, sent, create, definition };
}

describe('zookeeperReporter', () => {
  it('registers the data of airbnb under its name', () => {
    const { create, specs, wanted, definition } = setUp({ weight: 1, zk_acl: ['auth::r'] });
    const reporter = create();
    reporter.report(definition.instance);
    reporter.report(undefined);
    expect(specs).toEqual([
      {
        parent: '/services/web',
        mode: 'ephemeral_sequential',
        leftBehind: expect.anything() as RegistrationSpec['leftBehind'],
        acl: [{ scheme: 'auth', id: '', permissions: 'r' }],
      },
    ]);
    const data = '{"host":"10.0.0.5","port":8080,"name":"i-0abc","weight":1}';
    expect(wanted).toEqual([{ name: 'i-0abc_', data: Buffer.from(data) }, undefined]);
    expect(reporter.state).toEqual({ kind: 'present', place: '/services/web/i-0abc_0000000001', since: 5 });
  });

  it('puts the data into the name when told to, also later', () => {
    const { create, wanted, definition } = setUp({});
    const reporter = create();
    reporter.report(definition.instance);
    const settings = zooKeeperOf(definition);
    reporter.configure({ ...settings, usePathEncoding: true });
    expect(wanted.map((node) => node?.name)).toEqual([
      'i-0abc_',
      'base64_64_eyJob3N0IjoiMTAuMC4wLjUiLCJwb3J0Ijo4MDgwLCJuYW1lIjoiaS0wYWJjIn0=_',
    ]);
  });

  it('shares one session, and closes it with the last user', async () => {
    const { create, opened, seen } = setUp({});
    const [first, second] = [create(), create()];
    expect(opened).toEqual([{ hosts: ['127.0.0.1:2181'], sessionTimeoutMs: 32_000 }]);
    await first.dispose();
    expect(seen).toMatchObject({ disposed: 1, closed: [] });
    await second.dispose(250);
    expect(seen).toMatchObject({ disposed: 2, closed: [{ deadlineMs: 250 }] });
  });

  it('renews a persistent node every ttl_seconds, from a random moment on, whatever fails', async () => {
    const { create, clock, seen, logger } = setUp({ node_type: 'persistent', ttl_seconds: 60 }, 0.5);
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    create()
      .run(stop.signal)
      .catch(() => undefined);
    await clock.advance(29_999);
    expect(seen.touches).toEqual([]);
    seen.failTouch = true;
    await clock.advance(120_001);
    expect(seen.touches).toEqual([30_000, 90_000, 150_000]);
    expect(logger.records.map(({ message }) => message)).toContain('could not renew a node');
  });

  it('renews neither an ephemeral node nor one without ttl_seconds', async () => {
    for (const keys of [{ ttl_seconds: 1 }, { node_type: 'persistent' }]) {
      const { create, clock, seen } = setUp(keys);
      const stop = new AbortController();
      create()
        .run(stop.signal)
        .catch(() => undefined);
      await clock.advance(10_000);
      stop.abort();
      expect(seen.touches).toEqual([]);
    }
  });

  it('knows which registrations cannot stand side by side', () => {
    const at = (keys: object) => zooKeeperOf(definitionOf('web', { ...keys }));
    const { clash, place } = zookeeperReporter;
    expect(clash(at({ node_type: 'ephemeral' }), at({ node_type: 'persistent' }))).toBe(true);
    expect(clash(at({ node_type: 'ephemeral' }), at({ node_type: 'ephemeral', zk_path: '/other' }))).toBe(
      false,
    );
    expect(clash(at({ node_type: 'ephemeral' }), at({}))).toBe(false);
    const persistent = { node_type: 'persistent' };
    expect(clash(at(persistent), at({ ...persistent, zk_hosts: ['b:2181'] }))).toBe(false);
    expect(clash(at(persistent), at({ ...persistent, zk_auth: 'digest:a:b' }))).toBe(false);
    const closed = { ...persistent, zk_acl: ['auth::cdrwa'], zk_auth: 'digest:a:b' };
    expect(clash(at(persistent), at(closed))).toBe(true);
    expect(clash(at(closed), at({ ...closed, zk_auth: 'digest:a:c' }))).toBe(true);
    expect(clash(at(closed), at({ ...closed, zk_hosts: ['b:2181'] }))).toBe(false);
    expect(place(at({ use_path_encoding: true, ttl_seconds: 5 }))).toBe(place(at({})));
    expect(place(at({ node_type: 'ephemeral' }))).not.toBe(place(at({})));
  });
});
