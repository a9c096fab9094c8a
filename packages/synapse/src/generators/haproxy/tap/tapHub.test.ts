import { createMetrics } from '@smartstack/agent';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TapListener } from '../../../tap/types.js';
import { withTap } from '../desired/tapLines.js';
import { aService, aState } from '../testing/sections.js';
import { TapHub } from './tapHub.js';
import { parseTapLine } from './tapLine.js';
import { createTapMetrics } from './tapMetrics.js';

const line = (frontend: string) =>
  parseTapLine(`tap1 1 0 1002000 ${frontend} b s 10.0.0.9 1 200 1 0 -- 1000500 1000000 GET \\/`)!;

function listener(): TapListener & { readonly heard: string[] } {
  const heard: string[] = [];
  return {
    heard,
    request: ({ service }) => void heard.push(service),
    lost: (count) => void heard.push(`lost ${count}`),
    attached: (is, reason) => void heard.push(is ? 'attached' : `not: ${reason ?? ''}`),
    turn: () => undefined,
  };
}

describe('who taps what', () => {
  let hub: TapHub;
  beforeEach(() => {
    hub = new TapHub(createTapMetrics(createMetrics()));
    const plain = aState([
      aService([], { service: 'web' }),
      aService([], { service: 'api' }),
      aService([], { service: 'own' }),
    ]);
    hub.serve(withTap(plain, { except: ['own'] }).services, (service) => `not ${service}`);
  });

  it('shares what is wanted: as much as who wants most', () => {
    const one = hub.open(['web'], 100, listener());
    const two = hub.open(['web', 'api', 'own', 'gone'], 300, listener());
    expect([...hub.wanted()]).toEqual([
      ['web', 300],
      ['api', 300],
    ]);
    expect(one.permille).toBe(300);
    two.want(50);
    expect([...hub.wanted()]).toEqual([
      ['web', 100],
      ['api', 50],
    ]);
    one.close();
    one.close();
    two.close();
    expect([hub.isIdle, hub.wanted().size]).toEqual([true, 0]);
  });

  it('tells each of its services alone, and of losses', () => {
    const [a, b] = [listener(), listener()];
    hub.open(['web'], 1000, a);
    hub.open(['api', 'web'], 1000, b);
    for (const frontend of ['web', 'api', 'own', 'unknown']) hub.line(line(frontend));
    hub.lost('api', 3);
    hub.lost('own', 9);
    expect(a.heard).toEqual(['web']);
    expect(b.heard).toEqual(['web', 'api', 'lost 3']);
    expect(hub.status()).toEqual({ readers: 2, lines: 2, dropped: { haproxy: 3, rate: 0, reader: 0 } });
    expect(hub.services()).toEqual([
      { service: 'web' },
      { service: 'api' },
      { service: 'own', reason: 'not own' },
    ]);
  });

  it('tells nobody that he is attached before what he wanted was said to HAProxy', () => {
    const [a, b] = [listener(), listener()];
    hub.open(['web'], 1000, a);
    const { revision } = hub;
    hub.open(['web'], 1000, b);
    hub.attached(revision, true);
    expect([a.heard, b.heard]).toEqual([['attached'], []]);
    hub.attached(hub.revision, false, 'gone');
    expect([a.heard, b.heard]).toEqual([['attached', 'not: gone'], ['not: gone']]);
  });

  it('wakes whoever carries it out', async () => {
    const stop = new AbortController();
    const changed = hub.changed(stop.signal);
    hub.open(['web'], 1000, listener());
    await changed;
    const aborted = hub.changed(stop.signal);
    stop.abort();
    await aborted;
    await hub.changed(stop.signal);
  });
});
