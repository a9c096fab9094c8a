import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countColumns, countsOf, noCounts } from './counts.js';
import { rowKey, type StatRow } from './statTable.js';
import { advance, forgetRows, forgetWorker, noTotals, openNow, type Totals } from './totals.js';

const web = rowKey('backend', 'web');
const server = rowKey('server', 'web', 'a');

function row(key: string, stot: number, more: Partial<StatRow> = {}): StatRow {
  const kind = key.startsWith('server') ? 'server' : 'backend';
  return { kind, key, id: 1, http: true, open: 0, isDown: false, counts: { ...noCounts, stot }, ...more };
}

function read(
  totals: Totals,
  worker: string,
  rows: readonly StatRow[],
  { isOlder = false, hasServers = true } = {},
): Totals {
  return advance(totals, { worker, rows, hasServers, isOlder });
}

const requests = (totals: Totals, key = web): number | undefined => totals.sums.get(key)?.counts.stot;

describe('totals', () => {
  it('go on over a reload, with what the old worker still counts', () => {
    let totals = read(noTotals, 'old', [row(web, 10)]);
    totals = read(totals, 'new', [row(web, 3)]);
    totals = read(totals, 'old', [row(web, 12)]);
    expect(requests(totals)).toBe(15);
    totals = forgetWorker(totals, 'old');
    expect(requests(read(totals, 'new', [row(web, 4)]))).toBe(16);
  });

  it('begin at 0 with a worker that is older than we, and in full with a younger one', () => {
    let totals = read(noTotals, 'w', [row(web, 1000)], { isOlder: true, hasServers: false });
    totals = read(totals, 'w', [row(web, 1002), row(server, 500)], { isOlder: true });
    totals = read(totals, 'w', [row(web, 1003), row(server, 501)], { isOlder: true });
    expect([requests(totals), requests(totals, server)]).toEqual([3, 1]);
    expect(requests(read(totals, 'x', [row(web, 5)]))).toBe(8);
  });

  it('count anew after `clear counters all`, and for another server of the same name', () => {
    let totals = read(noTotals, 'w', [row(web, 100), row(server, 10)]);
    totals = read(totals, 'w', [row(web, 7), row(server, 12, { id: 2 })]);
    expect([requests(totals), requests(totals, server)]).toEqual([107, 22]);
  });

  it('take a server that was gone in between for a new one, but not one that was not asked for', () => {
    const before = read(noTotals, 'w', [row(web, 1), row(server, 10)]);
    const absent = read(before, 'w', [row(web, 1)]);
    expect(requests(read(absent, 'w', [row(web, 1), row(server, 10)]), server)).toBe(20);
    const unasked = read(before, 'w', [row(web, 1)], { hasServers: false });
    expect(requests(read(unasked, 'w', [row(web, 1), row(server, 10)]), server)).toBe(10);
  });

  it('forget rows of no worker but those to keep, and nothing that a worker has', () => {
    const other = rowKey('server', 'web', 'b');
    let totals = read(noTotals, 'w', [row(web, 1), row(server, 10), row(other, 10)]);
    totals = read(totals, 'w', [row(web, 1)]);
    expect([...forgetRows(totals, (key) => key === other).sums.keys()]).toEqual([web, other]);
  });

  it('know what is under way now, in the workers that live', () => {
    const totals = read(read(noTotals, 'a', [row(web, 1, { open: 2 })]), 'b', [row(web, 1, { open: 5 })]);
    expect([openNow(totals, ['a', 'b'], web), openNow(totals, ['b'], web)]).toEqual([7, 5]);
  });
});

/** What happens to workers, as they would count it. */
type Event =
  | { readonly kind: 'serve'; readonly worker: number; readonly row: number; readonly count: number }
  | { readonly kind: 'read'; readonly worker: number; readonly hasServers: boolean }
  | { readonly kind: 'clear' | 'replace' | 'end'; readonly worker: number }
  | { readonly kind: 'reload' };

const worker = fc.nat(3);
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant('serve'), worker, row: fc.nat(1), count: fc.nat(50) }),
  fc.record({ kind: fc.constant('read'), worker, hasServers: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('clear', 'replace', 'end'), worker }),
  fc.record({ kind: fc.constant('reload') }),
);

interface Simulated {
  readonly name: string;
  readonly now: number[];
  readonly ids: number[];
  /** What was seen of each row at each reading, by the server's id at the time. */
  readonly seen: { readonly id: number; readonly count: number }[][];
}

/** What a row's readings come to: the last value before each time that it began anew, and the last one. */
function worth(seen: Simulated['seen'][number]): number {
  return seen.reduce((sum, { id, count }, index) => {
    const next = seen[index + 1];
    const isLastOfItsLife = next?.id !== id || next.count < count;
    return isLastOfItsLife ? sum + count : sum;
  }, 0);
}

describe('totals over random histories of workers', () => {
  it('are what each worker counted at its last reading, and never decrease', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const keys = [web, server];
        const all: Simulated[] = [];
        const start = (): void =>
          void all.push({ name: `w${all.length}`, now: [0, 0], ids: [1, 1], seen: [[], []] });
        const ended = new Set<string>();
        start();
        let totals = noTotals;
        for (const happening of events) {
          if (happening.kind === 'reload') {
            start();
            continue;
          }
          // The newest ones: old workers drain for a while.
          const one = all[all.length - 1 - (happening.worker % Math.min(all.length, 4))]!;
          if (ended.has(one.name)) continue;
          if (happening.kind === 'serve') one.now[happening.row]! += happening.count;
          if (happening.kind === 'clear') one.now.fill(0);
          if (happening.kind === 'replace') {
            one.now[1] = 0;
            one.ids[1]! += 1;
          }
          if (happening.kind === 'end') {
            ended.add(one.name);
            totals = forgetWorker(totals, one.name);
          }
          if (happening.kind !== 'read') continue;
          const read = keys.slice(0, happening.hasServers ? 2 : 1);
          const rows = read.map((key, index) => row(key, one.now[index]!, { id: one.ids[index]! }));
          read.forEach((_, index) => one.seen[index]!.push({ id: one.ids[index]!, count: one.now[index]! }));
          const before = totals;
          totals = advance(totals, {
            worker: one.name,
            rows,
            hasServers: happening.hasServers,
            isOlder: false,
          });
          for (const [key, { counts }] of before.sums) {
            const now = totals.sums.get(key)!.counts;
            for (const column of countColumns) expect(now[column]).toBeGreaterThanOrEqual(counts[column]);
          }
        }
        for (const [index, key] of keys.entries()) {
          const expected = all.reduce((sum, { seen }) => sum + worth(seen[index]!), 0);
          expect(requests(totals, key) ?? 0).toBe(expected);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('do not depend on what was read in between, while nothing begins anew', () => {
    const steps = fc.array(fc.record({ count: fc.nat(1000), isRead: fc.boolean() }), { minLength: 1 });
    fc.assert(
      fc.property(steps, (all) => {
        let count = 0;
        let totals = noTotals;
        for (const step of all) {
          count += step.count;
          if (step.isRead) totals = read(totals, 'w', [row(web, count)]);
        }
        totals = read(totals, 'w', [row(web, count, { counts: countsOf(() => count) })]);
        expect(requests(totals)).toBe(count);
      }),
    );
  });
});
