import { describe, expect, it } from 'vitest';
import { History } from './history.js';

describe('History', () => {
  it('is empty at first, and then has what there was, oldest first', () => {
    const history = new History();
    expect(history.results).toEqual([]);
    history.add({ ok: true }, 1_700_000_000_000, 0.5);
    history.add({ ok: false, reason: 'refused' }, 1_700_000_000_500, 2);
    expect(history.results).toEqual([
      { ok: true, at: 1_700_000_000_000, tookMs: 0.5 },
      { ok: false, reason: 'refused', at: 1_700_000_000_500, tookMs: 2 },
    ]);
  });

  it('forgets all but the last ten, and the reasons of what it forgets', () => {
    const history = new History();
    for (let index = 0; index < 12; index += 1) history.add({ ok: false, reason: `no ${index}` }, index, 1);
    expect(history.results.map(({ reason }) => reason)).toEqual(
      Array.from({ length: 10 }, (_, index) => `no ${index + 2}`),
    );
    for (let index = 12; index < 1_015; index += 1) history.add({ ok: true }, index, 1);
    expect(history.results.map(({ at }) => at)).toEqual(
      Array.from({ length: 10 }, (_, index) => index + 1_005),
    );
    expect(JSON.stringify(history.results)).not.toContain('reason');
  });
});
