import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { RegistrationNode, RegistrationSpec, RegistrationState } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import type { HostNode } from './node.js';
import { Publisher } from './publisher.js';

function setUp() {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const wants: { readonly at: number; readonly data: string | undefined }[] = [];
  const specs: RegistrationSpec[] = [];
  const heard = new Set<(state: RegistrationState) => void>();
  const state = { edges: 0, disposed: false };
  const publisher = new Publisher({
    session: {
      register: (spec) => {
        specs.push(spec);
        return {
          state: { kind: 'absent' },
          want: (node: RegistrationNode | undefined) =>
            void wants.push({ at: clock.monotonic(), data: node?.data.toString() }),
          settled: () => Promise.resolve(),
          onState: (listener) => {
            heard.add(listener);
            return () => void heard.delete(listener);
          },
          touch: () => Promise.resolve(),
          dispose: () => void (state.disposed = true),
        };
      },
    },
    settings: {
      ...{ hosts: [], path: '/mesh', numbers: undefined },
      acl: [{ scheme: 'auth', id: '', permissions: 'cdrwa' }],
    },
    node: (): HostNode => ({
      ...{ instanceId: 'vm', agent: '1', services: [], isCut: false },
      edges: Array.from({ length: state.edges }, (_, index) => ({
        ...{ source: String(index), destination: 'web', identity: 'user' as const },
      })),
    }),
    ...{ clock, logger },
    random: () => 0.5,
  });
  const stop = new AbortController();
  const running = publisher.run(stop.signal);
  const tell = (now: RegistrationState): void => heard.forEach((listener) => listener(now));
  return { clock, logger, publisher, wants, specs, state, stop, running, tell };
}

describe('a host that tells', () => {
  it('does so at once, then at most every five seconds and a random share, and only what changed', async () => {
    const { clock, wants, state, specs } = setUp();
    await clock.advance(0);
    expect(wants).toHaveLength(1);
    expect(specs).toEqual([
      { parent: '/mesh', mode: 'ephemeral', acl: [{ scheme: 'auth', id: '', permissions: 'cdrwa' }] },
    ]);
    for (let round = 0; round < 70; round += 1) {
      state.edges += 1;
      await clock.advance(100);
    }
    expect(wants).toHaveLength(1);
    await clock.advance(500);
    expect(wants.map(({ at }) => at)).toEqual([0, 7_500]);
    await clock.advance(60_000);
    expect(wants).toHaveLength(2);
    state.edges += 1;
    await clock.advance(1_000);
    expect(wants).toHaveLength(3);
  });

  it('says once why it cannot, and withdraws when it ends', async () => {
    const { clock, logger, publisher, wants, stop, running, tell, state } = setUp();
    await clock.advance(0);
    expect(publisher.problem).toBe('it was not written yet');
    tell({ kind: 'pending', since: 0, error: 'create /mesh/vm: someone else holds it' });
    tell({ kind: 'pending', since: 0, error: 'create /mesh/vm: someone else holds it' });
    expect(publisher.problem).toContain('someone else');
    expect(logger.records.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(String(logger.records[0]?.fields.hint)).toContain('instance_id');
    tell({ kind: 'present', path: '/mesh/vm', since: 0 });
    expect(publisher.problem).toBeUndefined();
    stop.abort();
    await clock.advance(0);
    await running;
    expect([wants.at(-1)?.data, state.disposed, clock.pending]).toEqual([undefined, true, 0]);
  });
});
