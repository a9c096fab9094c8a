import { h, type Part, say, set, show } from '../dom.js';
import { count, latency, levelOf, none, percent, rate, roughly } from '../format.js';
import { addressOf } from '../place.js';
import { type Row, stateOf } from '../rows.js';
import { Sparkline } from '../sparkline.js';

/** A row, and the curve of its requests. */
export interface ShownRow {
  readonly row: Row;
  readonly index: number;
  readonly requests: readonly (number | null)[];
  readonly failures: readonly (number | null)[];
  /** The bound above which latencies are not told apart, in seconds. */
  readonly last: number;
}

/** The row of a service in the list. */
export function serviceRow({ row: { name } }: ShownRow): Part<ShownRow> & { readonly link: HTMLElement } {
  const link = h(
    'a',
    { href: addressOf({ view: 'service', service: name }), class: 'name', title: name },
    name,
  );
  const why = h('span', { class: 'why' });
  const mode = h('span', { class: 'mode' }, 'tcp');
  const success = h('td', { class: 'number success' });
  const requests = h('td', { class: 'number rps' });
  const percentiles = [50, 95, 99].map((each) => h('td', { class: `number p${each}` }));
  const servers = h('td', { class: 'number servers' });
  const pill = h('span', { class: 'pill' });
  const spark = new Sparkline();
  const element = h(
    'tr',
    {},
    h('th', { scope: 'row', class: 'service' }, h('div', { class: 'line' }, link, mode), why),
    success,
    requests,
    h('td', { class: 'curve' }, spark.element),
    ...percentiles,
    servers,
    h('td', { class: 'state' }, pill),
  );
  return {
    element,
    link,
    update: ({ row: { line, traffic }, index, requests: curve, failures, last }) => {
      const { summary } = traffic ?? {};
      set(element, 'aria-rowindex', index + 2);
      say(success, percent(summary?.successRate));
      set(success, 'data-level', levelOf(summary?.successRate));
      say(requests, summary === undefined ? none : rate(summary.rps));
      for (const [at, cell] of percentiles.entries()) {
        say(cell, latency([summary?.p50, summary?.p95, summary?.p99][at], last));
        set(cell, 'title', traffic?.noLatencies);
      }
      say(servers, line === undefined ? none : `${count(line.takesTraffic)}/${count(line.servers)}`);
      set(
        servers,
        'data-level',
        line && line.takesTraffic < line.servers ? (line.takesTraffic === 0 ? 'bad' : 'fair') : 'none',
      );
      const { word, level } = stateOf(line);
      const more =
        word === 'stale' ? ` ${roughly(line?.staleMs ?? 0)}` : word === 'held' ? ` ${line?.held ?? 0}` : '';
      say(pill, `${word}${more}`);
      set(pill, 'data-level', level);
      say(why, line?.reason ?? '');
      set(why, 'title', line?.reason);
      show(mode, traffic?.mode === 'tcp');
      spark.update(curve, failures);
    },
  };
}
