import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import type { TrafficAnswer } from '../traffic/shapes.js';
import { HostTopology } from './hostTopology.js';
import type { Socket } from './socketTable.js';
import type { ClientReading, Entrance, HostedService } from './types.js';

const signal = new AbortController().signal;
const entrance = (service: string, port: number): Entrance => ({
  ...{ service, services: [service], frontend: service, host: '127.0.0.1', port, bothFamilies: false },
});
const at = (port: number) => ({ host: '127.0.0.1', port });
const accepted = (port: number, from: number): Socket => ({
  ...{ local: at(port), remote: at(from), uid: 99, state: 'established' },
});
const client = (port: number, from: number, uid: number): Socket => ({
  ...{ local: at(from), remote: at(port), uid, state: 'established' },
});

function setUp() {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const state = {
    sockets: [] as readonly Socket[],
    busy: ['orders'] as readonly string[],
    hosted: [] as readonly HostedService[],
    failure: undefined as Error | undefined,
    tookMs: 0,
    looks: 0,
    clients: { shared: [], own: [], isCut: false } as ClientReading,
    asked: [] as string[],
  };
  const topology = new HostTopology({
    ...{ instanceId: 'vm', everyMs: 10_000, clock, logger },
    entrances: () => [entrance('orders', 3000), entrance('web', 3001)],
    clients: (active) => {
      state.asked.push([...active].join());
      return Promise.resolve(state.clients);
    },
    traffic: () => ({
      services: () =>
        ({
          services: ['orders', 'web'].map((service) => ({
            ...{ service, open: 0, summary: { requests: state.busy.includes(service) ? 1 : 0 } },
          })),
        }) as unknown as TrafficAnswer,
    }),
    declared: () => new Map(),
    readSockets: async () => {
      state.looks += 1;
      if (state.failure) throw state.failure;
      if (state.tookMs > 0) await clock.sleep(state.tookMs);
      return { sockets: state.sockets, isCut: false };
    },
    users: { names: (uids) => Promise.resolve(new Map([...uids].map((uid) => [uid, { user: `u${uid}` }]))) },
    hosted: () => Promise.resolve(state.hosted),
  });
  const edges = () => topology.edges.map(({ caller, service }) => `${caller.name}>${service}`);
  return { clock, logger, topology, state, edges };
}

describe('the topology of a host', () => {
  it('has whoever is connected, and the host where nobody is', async () => {
    const { topology, state, edges } = setUp();
    state.busy = ['orders', 'web'];
    state.sockets = [accepted(3000, 1), client(3000, 1, 7), accepted(3000, 2), client(3000, 2, 8)];
    await topology.look(signal);
    expect(edges()).toEqual(['u7>orders', 'u8>orders', 'host:vm>web']);
  });

  it('does not look at sockets where nobody calls anything', async () => {
    const { topology, state, edges } = setUp();
    state.busy = [];
    state.sockets = [accepted(3000, 1), client(3000, 1, 7)];
    await topology.look(signal);
    expect([state.looks, edges()]).toEqual([0, []]);
  });

  it('takes a local client that is missing for unknown only when it is missing twice', async () => {
    const { topology, state, edges } = setUp();
    state.sockets = [accepted(3000, 1)];
    await topology.look(signal);
    expect(edges()).toEqual(['host:vm>orders']);
    state.sockets = [accepted(3000, 2)];
    await topology.look(signal);
    expect(edges()).toEqual(['host:vm>orders']);
    await topology.look(signal);
    expect(edges()).toEqual(['unknown>orders']);
  });

  it('has callers that came in at an address of their own, beside those whose sockets are seen', async () => {
    const { topology, state } = setUp();
    state.clients = { shared: [], own: [{ caller: 'batch', service: 'orders' }], isCut: false };
    state.sockets = [accepted(3000, 1), client(3000, 1, 7)];
    await topology.look(signal);
    expect(topology.edges.map(({ caller }) => `${caller.name} ${caller.identity}`)).toEqual([
      'batch declared',
      'u7 user',
    ]);
    expect(state.asked).toEqual(['orders']);
    state.clients = { shared: [], own: [], isCut: true };
    await topology.look(signal);
    expect(topology.problem).toContain('too many clients');
  });

  it('goes on without sockets, and says so once', async () => {
    const { topology, state, edges, logger } = setUp();
    state.failure = new Error('no such file');
    for (let round = 0; round < 3; round += 1) await topology.look(signal);
    expect(edges()).toEqual(['host:vm>orders']);
    expect(topology.problem).toBe('no such file');
    expect(logger.records.filter(({ level }) => level === 'warn')).toHaveLength(1);
    state.failure = undefined;
    await topology.look(signal);
    expect(topology.problem).toBeUndefined();
  });

  it('looks every ten seconds, and less often where that takes long', async () => {
    const { clock, topology, state } = setUp();
    const stop = new AbortController();
    const running = topology.run(stop.signal);
    await clock.advance(30_500);
    expect(state.looks).toBe(4);
    state.tookMs = 500;
    await clock.advance(10_000);
    const before = state.looks;
    await clock.advance(49_000);
    expect(state.looks).toBe(before);
    await clock.advance(3_000);
    expect(state.looks).toBe(before + 1);
    stop.abort();
    await clock.advance(1_000);
    await running;
    expect(clock.pending).toBe(0);
  });
});
