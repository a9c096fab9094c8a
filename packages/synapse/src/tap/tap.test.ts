import { FakeClock } from '@smartstack/agent/testing';
import type { AdminSink } from '@smartstack/agent';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Busiest } from './busiest.js';
import { networkProblem } from '../networks.js';
import { filterOf, type TapFilter } from './filter.js';
import { pathPattern } from './pathPattern.js';
import { nextPermille, RateLimit } from './sampling.js';
import type { TapEvent, TapRequest } from './shapes.js';
import { choose, TapStream, type TapQuery } from './stream.js';
import type { TapListener, TapSource } from './types.js';

const request = (more: Partial<TapRequest> = {}): TapRequest => ({
  ...{
    type: 'request',
    at: 0,
    service: 'web',
    server: 'srv-1',
    source: '10.1.2.3',
    sourcePort: 1,
    method: 'GET',
  },
  ...{
    path: '/api/v1',
    status: 200,
    bytes: 1,
    latency: 0.01,
    duration: 0.02,
    retries: 0,
    redispatched: false,
  },
  ...{ termination: '--', outcome: 'success' },
  ...more,
});

describe('a filter', () => {
  it.each<[TapFilter, Partial<TapRequest>, boolean]>([
    [{}, {}, true],
    [{ methods: ['get', 'POST'] }, {}, true],
    [{ methods: ['POST'] }, {}, false],
    [{ path: '/api' }, {}, true],
    [{ path: '/other' }, {}, false],
    [{ path: '*/v1' }, {}, true],
    [{ path: '/*/v*' }, {}, true],
    [{ path: '/api*api*' }, {}, false],
    [{ path: '/' }, { path: null }, false],
    [{ statuses: ['5XX', '404'] }, { status: 503 }, true],
    [{ statuses: ['5xx', '404'] }, { status: 404 }, true],
    [{ statuses: ['5xx'] }, { status: -1 }, false],
    [{ minLatency: 0.01 }, {}, true],
    [{ minLatency: 0.011 }, {}, false],
    [{ minLatency: 0.011 }, { latency: null }, true],
    [{ source: '10.0.0.0/8' }, {}, true],
    [{ source: '10.1.2.4' }, {}, false],
    [{ source: '::1' }, { source: '::1' }, true],
    [{ source: '10.0.0.0/8' }, { source: 'unix' }, false],
    [{ server: 'srv' }, {}, true],
    [{ server: 'srv' }, { server: null }, false],
  ])('%j of %j: %s', (filter, more, fits) => expect(filterOf(filter)(request(more))).toBe(fits));

  it('takes a text for itself, and takes no time for any pattern', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const path = `${a}${b}`.replaceAll('*', '');
        const pattern = `${a.replaceAll('*', '')}*${b.replaceAll('*', '')}`;
        expect(filterOf({ path: pattern })(request({ path }))).toBe(true);
      }),
    );
    expect(filterOf({ path: `${'*a'.repeat(250)}*b` })(request({ path: 'a'.repeat(512) }))).toBe(false);
  });

  it.each(['10.0.0.1', '10.0.0.0/8', '::/0', 'fe80::1/128'])('knows %s', (source) =>
    expect(networkProblem(source)).toBeUndefined(),
  );
  it.each(['', 'host', '10.0.0.0/33', '10.0.0.0/8/8', '::1/129', '1.2.3.4/x'])('refuses %s', (source) =>
    expect(networkProblem(source)).toContain('address'),
  );
});

it.each([
  ['/users/123/orders/5', '/users/{id}/orders/{id}'],
  ['/a/6F9619FF-8B86-D011-B42D-00CF4FC964FF', '/a/{id}'],
  ['/blob/0123456789abcdef01', '/blob/{id}'],
  ['/v1/deadbeef/feedbeef', '/v1/deadbeef/feedbeef'],
  ['/', '/'],
])('the pattern of %s', (path, pattern) => expect(pathPattern(path)).toBe(pattern));

describe('the busiest', () => {
  it('are summed up by what they look like', () => {
    const busiest = new Busiest();
    busiest.add(request({ path: '/u/1', latency: 0.3 }));
    busiest.add(request({ path: '/u/2', latency: 0.1 }));
    busiest.add(request({ path: '/u/3', latency: 0.2, status: 500, outcome: 'failure' }));
    busiest.add(request({ path: '/x', latency: null, duration: null, outcome: 'aborted' }));
    const { service, server, source, method } = request();
    const of = { service, server, source, method };
    expect(busiest.rows()).toEqual([
      { ...of, path: '/u/{id}', count: 3, best: 0.1, worst: 0.3, last: 0.2, successRate: 2 / 3 },
      { ...of, path: '/x', count: 1, best: null, worst: null, last: null, successRate: null },
    ]);
  });

  it('are never more than there is room for, and none is forgotten in the count', () => {
    const busiest = new Busiest();
    for (let n = 0; n < 9; n += 1) busiest.add(request({ path: '/often' }));
    for (let n = 0; n < 5_000; n += 1) busiest.add(request({ path: `/x-${n}` }));
    const rows = busiest.rows();
    expect(rows.length).toBeLessThanOrEqual(2_000);
    expect(rows[0]).toMatchObject({ path: '/often', count: 9 });
    expect(rows.reduce((sum, { count }) => sum + count, busiest.others)).toBe(5_009);
  });
});

describe('how many are asked for', () => {
  it('comes to about what can be shown, and back when there are fewer', () => {
    const settle = (perSecond: number, share: number, maxRps: number): number => {
      let permille = 1000;
      for (let n = 0; n < 30; n += 1) {
        const lines = (perSecond * permille) / 1000;
        permille = nextPermille({ permille, lines, matched: lines * share }, maxRps, 1000);
      }
      return permille;
    };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (perSecond, share) => {
          const permille = settle(perSecond, share, 100);
          const lines = (perSecond * permille) / 1000;
          if (permille > 1) expect(lines).toBeLessThanOrEqual(5_000);
          if (permille > 1) expect(lines * share).toBeLessThanOrEqual(125);
          if (permille < 500) expect(Math.max(lines / 5_000, (lines * share) / 125)).toBeGreaterThan(0.3);
        },
      ),
    );
  });

  it('passes so many a second', () => {
    const limit = new RateLimit(10, 0);
    const passed = Array.from({ length: 3_000 }, (_, ms) => limit.take(ms)).filter(Boolean);
    expect(passed.length).toBe(10 + 29);
  });
});

describe('a stream', () => {
  const query: TapQuery = {
    ...{ services: ['web'], notTapped: [], filter: { path: '/api' }, maxRps: 5, permille: 1000 },
    ...{ limit: undefined, durationMs: 60_000 },
  };
  function bed(more: Partial<TapQuery> = {}) {
    const clock = new FakeClock();
    const gone = new AbortController();
    const state = { isOpen: false, takes: true, wanted: 0, text: '', drain: () => undefined as unknown };
    let heard: TapListener | undefined;
    const source: TapSource = {
      services: () => [],
      dropped: () => undefined,
      open: (_services, permille, listener) => {
        heard = listener;
        Object.assign(state, { isOpen: true, wanted: permille });
        return {
          get permille() {
            return state.wanted;
          },
          lines: 0,
          want: (permille) => void (state.wanted = permille),
          close: () => void (state.isOpen = false),
        };
      },
    };
    const sink: AdminSink = {
      signal: gone.signal,
      onDrain: (listener) => void (state.drain = listener),
      write: (text) => {
        state.text += text;
        return state.takes;
      },
    };
    const running = new TapStream({ ...query, ...more }, sink, { clock, source, random: () => 0.5 }).run();
    const send = (count: number, one: Partial<TapRequest> = {}): void => {
      for (let n = 0; n < count; n += 1) heard?.request(request(one));
      heard?.turn();
    };
    const events = (): readonly TapEvent[] =>
      state.text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as TapEvent]));
    return { clock, gone, state, running, send, events, heard: () => heard! };
  }
  const types = (events: readonly TapEvent[]): string => events.map(({ type }) => type).join(' ');

  it('sends what fits, as fast as it may, and says what it leaves out', async () => {
    const { send, events, clock, state, heard } = bed();
    heard().attached(true);
    send(3, { path: '/other' });
    send(8);
    heard().lost(4);
    await clock.advance(1_000);
    expect(types(events())).toBe('start status request request request request request status');
    expect(events().at(-1)).toMatchObject({ seen: 8, sent: 5, dropped: { rate: 3, reader: 0, haproxy: 4 } });
    expect(state.wanted).toBeLessThan(1000);
  });

  it('drops while its reader does not read, and goes on when he does', async () => {
    const { send, events, state, clock } = bed({ maxRps: 100 });
    state.takes = false;
    send(1);
    send(7);
    await clock.advance(2_000);
    expect(types(events())).toBe('start request');
    state.takes = true;
    state.drain();
    send(1);
    await clock.advance(1_000);
    expect(events().at(-1)).toMatchObject({ type: 'status', seen: 9, sent: 2, dropped: { reader: 7 } });
  });

  it.each<[string, Partial<TapQuery>, (test: ReturnType<typeof bed>) => unknown]>([
    ['limit', { limit: 2 }, ({ send }) => send(4)],
    ['duration', { durationMs: 5_000 }, ({ clock }) => clock.advance(5_000)],
    [
      'stopped',
      {},
      async ({ state, send, clock }) => {
        state.takes = false;
        send(1);
        await clock.advance(31_000);
      },
    ],
  ])('ends: %s', async (reason, more, act) => {
    const test = bed(more);
    await act(test);
    await test.running;
    expect(test.state.isOpen).toBe(false);
    expect(test.events().at(-1)).toMatchObject({ type: 'end', reason });
    expect(test.events().filter(({ type }) => type === 'request').length).toBeLessThanOrEqual(2);
  });

  it('closes the tap when its reader leaves', async () => {
    const { gone, running, state } = bed();
    gone.abort();
    await running;
    expect(state.isOpen).toBe(false);
  });

  it('has its own sample where another tap wants more', () => {
    const { send, events, state } = bed({ permille: 400, maxRps: 100 });
    state.wanted = 1000;
    send(10);
    expect(types(events())).toBe('start');
    state.wanted = 500;
    send(1);
    expect(types(events())).toBe('start request');
  });

  it('leaves out services that cannot be tapped', () => {
    const known = [{ service: 'web' }, { service: 'db', reason: 'tcp' }];
    const notTapped = [{ service: 'db', reason: 'tcp' }];
    expect(choose(known, [])).toEqual({ services: ['web'], notTapped });
    expect(choose(known, ['db'])).toEqual({ services: [], notTapped });
  });
});
