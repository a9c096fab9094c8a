import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HistogramRow, Histograms, histogramWidth } from './histograms.js';
import { hasNoTable, readHistogram } from './histogramTable.js';

const line = (key: string, counts: readonly number[], use = 0): string =>
  `0x7f2ae0046f90: key=${key} use=${use} exp=0 ${counts.map((count, index) => `gpc${index}=${count}`).join(' ')}`;
const countsOf = (...some: readonly number[]): number[] =>
  Array.from({ length: histogramWidth }, (_, index) => some[index] ?? 0);
const row = (key: string, ...some: readonly number[]): HistogramRow => ({
  ...{ key, counts: countsOf(...some), inUse: false },
});

describe('show table', () => {
  it('is read as HAProxy 2.6 writes it, and with the words that later ones add', () => {
    const counts = countsOf(3, 0, 4_294_967_295, 17);
    expect(readHistogram(line('web/1', counts))).toEqual({ key: 'web/1', counts, inUse: false });
    const later = line('web.zone/65535', counts, 2).replace('exp=0', 'exp=0 shard=0');
    expect(readHistogram(later)).toEqual({ key: 'web.zone/65535', counts, inUse: true });
    expect(readHistogram('# table: synapse-latencies, type: string, size:1048576, used:2')).toBeUndefined();
    expect(hasNoTable('No such table')).toBe(true);
  });

  it.each([
    'Permission denied',
    '0x1: key=web/1 use=0 exp=0 gpc0=1',
    '0x1: key= use=0 exp=0 gpc0=1',
    `${line('web/1', countsOf(1))} gpc19=4`,
    line('web/1', countsOf(1)).replace('gpc5=0', 'gpc5=x'),
    line('web/1', countsOf(1)).replace(/gpc18=0$/, 'gpc18=0junk'),
  ])('is refused as: %s', (text) => {
    expect(readHistogram(text)).toBe('malformed');
  });
});

describe('histograms', () => {
  it('leave out what was counted before synapse came, and count whole what came after', () => {
    const histograms = new Histograms();
    expect(histograms.add({ worker: 'w', rows: [row('web/1', 100)], isOlder: true })).toEqual([]);
    expect(
      histograms.add({ worker: 'w', rows: [row('web/1', 101), row('web/2', 5)], isOlder: true }),
    ).toEqual([
      { key: 'web/1', counts: countsOf(1) },
      { key: 'web/2', counts: countsOf(5) },
    ]);
    expect(histograms.add({ worker: 'x', rows: [row('web/1', 2)], isOlder: false })).toEqual([
      { key: 'web/1', counts: countsOf(2) },
    ]);
  });

  it('count an entry anew that was removed, by us or by others', () => {
    const histograms = new Histograms();
    histograms.add({ worker: 'w', rows: [row('web/1', 5, 1)], isOlder: false });
    histograms.removed('w', 'web/1');
    expect(histograms.add({ worker: 'w', rows: [row('web/1', 9, 1)], isOlder: false })).toEqual([
      { key: 'web/1', counts: countsOf(9, 1) },
    ]);
    expect(histograms.add({ worker: 'w', rows: [row('web/1', 20)], isOlder: false })).toEqual([
      { key: 'web/1', counts: countsOf(20) },
    ]);
    expect(histograms.add({ worker: 'w', rows: [], isOlder: false })).toEqual([]);
    expect(histograms.add({ worker: 'w', rows: [row('web/1', 30)], isOlder: false })).toEqual([
      { key: 'web/1', counts: countsOf(30) },
    ]);
  });

  it('go on where a count of 32 bits begins anew', () => {
    const histograms = new Histograms();
    histograms.add({ worker: 'w', rows: [row('web/1', 4_294_967_290, 70, 9)], isOlder: false });
    expect(histograms.add({ worker: 'w', rows: [row('web/1', 4, 71, 9)], isOlder: false })).toEqual([
      { key: 'web/1', counts: countsOf(10, 1) },
    ]);
  });

  /** What happens to workers and their tables between two looks. */
  const happening = fc.oneof(
    fc.record({
      kind: fc.constant('answer' as const),
      which: fc.nat(),
      key: fc.constantFrom('a/1', 'a/2', 'b/1'),
      bucket: fc.nat({ max: histogramWidth - 1 }),
      count: fc.integer({ min: 1, max: 50 }),
    }),
    fc.record({ kind: fc.constant('look' as const) }),
    fc.record({ kind: fc.constant('reload' as const) }),
    fc.record({ kind: fc.constant('end' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('kill' as const) }),
    fc.record({
      kind: fc.constant('clear' as const),
      which: fc.nat(),
      key: fc.constantFrom('a/1', 'a/2', 'b/1'),
    }),
  );

  it('count each answer once, over reloads, drains and removals, and lose only what a kill took unread', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (history) => {
        const histograms = new Histograms();
        let number = 1;
        let workers = new Map([['w1', new Map<string, number[]>()]]);
        const [sent, unread] = [new Map<string, number>(), new Map<string, number>()];
        const got = new Map<string, number>();
        const bump = (to: Map<string, number>, key: string, by: number): void =>
          void to.set(key, (to.get(key) ?? 0) + by);
        const look = (worker: string): void => {
          const rows = [...(workers.get(worker) ?? [])].map(([key, counts]) => ({
            key,
            counts: [...counts],
            inUse: false,
          }));
          for (const { key, counts } of histograms.add({ worker, rows, isOlder: false }))
            counts.forEach((count, bucket) => {
              expect(count).toBeGreaterThanOrEqual(0);
              bump(got, `${key} ${bucket}`, count);
              bump(unread, `${worker} ${key} ${bucket}`, -count);
            });
        };
        const lookAtAll = (): void => [...workers.keys()].forEach(look);
        const chosen = (which: number): string => [...workers.keys()][which % workers.size]!;
        for (const each of history) {
          if (each.kind === 'answer') {
            const worker = chosen(each.which);
            const table = workers.get(worker)!;
            const counts = table.get(each.key) ?? countsOf();
            counts[each.bucket]! += each.count;
            table.set(each.key, counts);
            bump(sent, `${each.key} ${each.bucket}`, each.count);
            bump(unread, `${worker} ${each.key} ${each.bucket}`, each.count);
          } else if (each.kind === 'look') lookAtAll();
          else if (each.kind === 'reload') workers.set(`w${(number += 1)}`, new Map());
          else if (each.kind === 'end' && workers.size > 1) {
            const worker = chosen(each.which);
            look(worker);
            histograms.forget(worker);
            workers.delete(worker);
          } else if (each.kind === 'clear') {
            const worker = chosen(each.which);
            look(worker);
            workers.get(worker)?.delete(each.key);
            histograms.removed(worker, each.key);
          } else if (each.kind === 'kill') {
            // Nobody had read it: gone.
            for (const [what, count] of unread) bump(sent, what.slice(what.indexOf(' ') + 1), -count);
            unread.clear();
            workers = new Map([[`w${(number += 1)}`, new Map<string, number[]>()]]);
          }
        }
        lookAtAll();
        for (const [what, count] of sent) expect([what, got.get(what) ?? 0]).toEqual([what, count]);
      }),
    );
  });
});
