import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { FanOut } from './fanOut.js';

const numbersOf = (instanceId: string) => ({
  ...{ instanceId, edges: [], services: new Map(), isCut: false },
});

function setUp({ tookMs = 0, bytes = 100 } = {}) {
  const clock = new FakeClock();
  const state = {
    ...{ asked: [] as string[], underWay: 0, most: 0, tookMs, bytes },
    failing: new Set<string>(),
    hanging: new Set<string>(),
  };
  const fanOut = new FanOut({
    clock,
    ask: async (address) => {
      state.asked.push(address);
      state.underWay += 1;
      state.most = Math.max(state.most, state.underWay);
      try {
        if (state.hanging.has(address)) await clock.sleep(2_000);
        else if (state.tookMs > 0) await clock.sleep(state.tookMs);
        if (state.hanging.has(address)) throw new Error('no answer within 2 s');
        if (state.failing.has(address)) throw new Error('nobody listens there');
        return { numbers: numbersOf(address), bytes: state.bytes };
      } finally {
        state.underWay -= 1;
      }
    },
  });
  const stop = new AbortController();
  const current = (addresses: readonly string[]) => fanOut.current(new Set(addresses), stop.signal);
  return { clock, state, current, stop };
}

const many = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `h${index}`);

describe('asking many hosts', () => {
  it('is done when somebody asks, and not again for five seconds, however many do', async () => {
    const { clock, state, current } = setUp();
    const answers = await Promise.all(Array.from({ length: 10 }, () => current(['a', 'b'])));
    expect(state.asked).toEqual(['a', 'b']);
    for (const answer of answers)
      expect(answer.get('b')).toEqual({ numbers: numbersOf('b'), at: clock.monotonic() });
    await clock.advance(4_999);
    await current(['a', 'b']);
    expect(state.asked).toHaveLength(2);
    await clock.advance(1);
    await current(['a', 'b']);
    expect(state.asked).toEqual(['a', 'b', 'a', 'b']);
    // Nobody asks us, so that we ask nobody.
    await clock.advance(600_000);
    expect([state.asked.length, clock.pending]).toEqual([4, 0]);
  });

  it('goes to sixteen at a time, and to none any more after a second', async () => {
    const { clock, state, current } = setUp({ tookMs: 400 });
    const answer = current(many(100));
    for (let step = 0; step < 12; step += 1) await clock.advance(100);
    const known = await answer;
    expect([state.most, state.asked.length]).toEqual([16, 48]);
    expect(known.get('h47')?.numbers).toBeDefined();
    expect(known.get('h48')).toEqual({ problem: 'it was not asked yet' });
    const next = current(many(100));
    await clock.advance(0);
    expect(state.asked[48]).toBe('h48');
    for (let step = 0; step < 12; step += 1) await clock.advance(100);
    expect((await next).get('h99')).toEqual({ problem: 'it was not asked yet' });
  });

  it('keeps nobody waiting for who hangs, whom it asks less often, and whose numbers are told a while longer', async () => {
    const { clock, state, current } = setUp();
    await current(['a', 'b']);
    const at = clock.monotonic();
    await clock.advance(5_000);
    state.hanging.add('a');
    const answer = current(['a', 'b']);
    await clock.advance(2_000);
    expect((await answer).get('a')).toEqual({ numbers: numbersOf('a'), at, problem: 'no answer within 2 s' });
    const before = state.asked.length;
    await clock.advance(5_000);
    await current(['a', 'b']);
    expect(state.asked.slice(before)).toEqual(['b']);
    await clock.advance(18_000);
    state.hanging.delete('a');
    state.failing.add('a');
    expect((await current(['a', 'b'])).get('a')).toEqual({ problem: 'nobody listens there' });
  });

  it('asks first who answered before', async () => {
    const { clock, state, current } = setUp();
    await current(['z']);
    await clock.advance(5_000);
    const strangers = many(20);
    for (const each of strangers) state.hanging.add(each);
    const answer = current([...strangers, 'z']);
    await clock.advance(2_000);
    expect((await answer).get('z')).toEqual({ numbers: numbersOf('z'), at: clock.monotonic() - 2_000 });
    expect(state.asked[1]).toBe('z');
  });

  it('asks less often where there are many', async () => {
    const { clock, state, current } = setUp();
    const hosts = many(1_000);
    await current(hosts);
    await clock.advance(9_999);
    expect((await current(hosts)).get('h999')?.numbers).toBeDefined();
    expect(state.asked).toHaveLength(1_000);
    await clock.advance(1);
    await current(hosts);
    expect(state.asked).toHaveLength(2_000);
  });

  it('keeps no more than 32 MiB', async () => {
    const { current } = setUp({ bytes: 10 * 1024 * 1024 });
    const known = await current(many(5));
    const problems = [...known.values()].map(({ problem }) => problem);
    expect(problems.filter((problem) => problem === undefined)).toHaveLength(3);
    expect(problems.filter((problem) => problem === 'there are more numbers than are kept')).toHaveLength(2);
  });

  it('forgets who is no more, and ends', async () => {
    const { clock, state, current, stop } = setUp();
    await current(['a', 'b']);
    expect([...(await current(['b'])).keys()]).toEqual(['b']);
    await current(['a', 'b']);
    expect(state.asked).toEqual(['a', 'b', 'a']);
    stop.abort();
    expect(clock.pending).toBe(0);
    expect([...(await current(['a']))]).toEqual([]);
    expect(state.asked).toHaveLength(3);
  });
});
