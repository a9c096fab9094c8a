import type { Explanation } from '../../../explain/shapes.js';
import type { ServiceDetail } from '../../../traffic/shapes.js';
import { api } from '../api.js';
import { Chart } from '../chart.js';
import { h, List, say, set, show } from '../dom.js';
import { bytes, count, latency, levelOf, percent, rate } from '../format.js';
import { addressOf, type Place, spans } from '../place.js';
import { chartsOf } from '../points.js';
import { serverRows } from '../servers.js';
import { Choice, Tile } from '../tiles.js';
import type { Page, ViewPart } from '../view.js';
import { serverRow, type ShownServer, stepList } from './serverRow.js';

const heads = [
  ['service', 'Server'],
  ['state', 'State'],
  ['number weight', 'Weight'],
  ['share', 'Share'],
  ['number rps', 'RPS'],
  ['number success', 'Success'],
  ['number p50', 'p50'],
  ['number p95', 'p95'],
  ['number p99', 'p99'],
] as const;

/** One service: its charts, its servers, and why each is in or out. */
export class ServiceView implements ViewPart {
  readonly element: HTMLElement;
  readonly title: string;
  readonly #page: Page;
  #place: Place;
  #detail: ServiceDetail | undefined;
  #why: Explanation | undefined;
  #signal: AbortSignal | undefined;
  #spanRun: AbortController | undefined;
  readonly #span: Choice<number>;
  readonly #pill = h('span', { class: 'pill', 'data-level': 'none' });
  readonly #problem = h('p', { class: 'notice', hidden: true });
  readonly #tiles = {
    success: new Tile('Success'),
    rps: new Tile('Requests a second'),
    p50: new Tile('p50'),
    p95: new Tile('p95'),
    p99: new Tile('p99'),
    open: new Tile('Under way'),
  };
  readonly #charts: Readonly<Record<'requests' | 'latency' | 'success', Chart>>;
  readonly #noLatencies = h('p', { class: 'notice', hidden: true });
  readonly #table: HTMLTableElement;
  readonly #servers: List<ShownServer>;
  readonly #noServers = h('p', { class: 'empty', hidden: true });
  readonly #steps = h('div');
  readonly #facts = h('p', { class: 'muted facts' });
  #shownSteps = '';

  constructor(page: Page, place: Place) {
    this.#page = page;
    this.#place = place;
    this.title = place.service;
    this.#span = new Choice(
      'Span',
      spans.map(([seconds, name]) => [seconds, name]),
      (span) => this.#page.go({ ...this.#place, span }, true),
    );
    const point = (at: number | undefined): void => {
      for (const chart of Object.values(this.#charts)) chart.point(at);
    };
    this.#charts = {
      requests: new Chart('Requests', point),
      latency: new Chart('Latency', point),
      success: new Chart('Success', point),
    };
    const columns = heads.map(([kind, text]) => h('th', { scope: 'col', class: kind }, text));
    this.#table = h(
      'table',
      { class: 'servers' },
      h('caption', { class: 'hidden' }, 'Servers'),
      h('thead', {}, h('tr', {}, ...columns)),
    );
    // Caption and head stay first.
    this.#servers = new List(this.#table, ({ name }) => name, serverRow, 2);
    const back = h('a', { href: addressOf({ view: 'services' }), class: 'back' }, 'Services');
    this.element = h(
      'section',
      { class: 'view' },
      h(
        'div',
        { class: 'bar' },
        h('div', { class: 'title' }, back, h('h1', {}, place.service), this.#pill),
        h(
          'a',
          { href: addressOf({ view: 'live', service: place.service }), class: 'button' },
          'Live requests',
        ),
        this.#span.element,
      ),
      this.#problem,
      h('div', { class: 'tiles' }, ...Object.values(this.#tiles).map(({ element }) => element)),
      h('div', { class: 'charts' }, ...Object.values(this.#charts).map(({ element }) => element)),
      this.#noLatencies,
      h('h2', {}, 'Servers'),
      this.#table,
      this.#noServers,
      this.#facts,
      h('h2', {}, 'From the registry to HAProxy'),
      this.#steps,
    );
    this.#span.update(place.span);
  }

  moved(place: Place): void {
    const changed = place.span !== this.#place.span;
    this.#place = place;
    this.#span.update(place.span);
    if (changed) this.#ask();
  }

  run(signal: AbortSignal): void {
    this.#signal = signal;
    this.#page.connection
      .feed(
        (inner) => api.why(this.#place.service, inner),
        3_000,
        (why) => {
          this.#why = why;
          this.#explain(why);
          this.#list();
        },
        signal,
        ({ message }) => this.#refuse(message),
      )
      .catch(reportError);
    this.#ask();
  }

  key(name: string): boolean {
    const buttons = [...this.#table.querySelectorAll<HTMLElement>('button.name')];
    const at = buttons.findIndex((each) => each === document.activeElement);
    switch (name) {
      case 'j':
      case 'ArrowDown':
        buttons[Math.min(at + 1, buttons.length - 1)]?.focus();
        return true;
      case 'k':
      case 'ArrowUp':
        buttons[Math.max(at - 1, 0)]?.focus();
        return true;
      case 'Escape':
        this.#page.go({ view: 'services' });
        return true;
      default:
        return false;
    }
  }

  #ask(): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    this.#spanRun?.abort();
    this.#spanRun = new AbortController();
    const { service, span } = this.#place;
    this.#page.connection
      .feed(
        (inner) => api.service(service, span, true, inner),
        span > 600 ? 5_000 : 2_000,
        (detail) => {
          this.#detail = detail;
          this.#count(detail);
          this.#list();
        },
        AbortSignal.any([signal, this.#spanRun.signal]),
        () => undefined,
      )
      .catch(reportError);
  }

  #refuse(message: string): void {
    say(this.#problem, message);
    show(this.#problem, true);
  }

  #count(detail: ServiceDetail): void {
    const { service, latencyBounds } = detail;
    const { summary, mode, open, noLatencies } = service;
    const long = spans.find(([seconds]) => seconds === this.#place.span)?.[2] ?? '';
    const last = latencyBounds.at(-1);
    const { success, rps, p50, p95, p99, open: openTile } = this.#tiles;
    success.update(
      percent(summary.successRate),
      `${count(summary.failure)} failed`,
      levelOf(summary.successRate),
    );
    rps.update(rate(summary.rps), long);
    p50.update(latency(summary.p50, last), 'half are faster');
    p95.update(latency(summary.p95, last), '95 % are faster');
    p99.update(latency(summary.p99, last), '99 % are faster');
    openTile.update(count(open), mode === 'tcp' ? 'connections' : 'requests');
    const charts = chartsOf(detail, this.#page.startedAt());
    for (const [name, chart] of Object.entries(this.#charts))
      chart.update(charts[name as keyof typeof charts]);
    const isTcp = mode === 'tcp';
    show(this.#charts.latency.element, noLatencies === undefined && !isTcp);
    show(this.#charts.success.element, !isTcp);
    say(this.#noLatencies, noLatencies === undefined ? '' : `No latencies: ${noLatencies}`);
    show(this.#noLatencies, noLatencies !== undefined);
    const facts = [
      `${count(summary.requests)} ${isTcp ? 'connections' : 'requests'} in the ${long}`,
      `${bytes(summary.bytesIn)} in, ${bytes(summary.bytesOut)} out`,
      `${count(summary.aborted)} aborted`,
      `${count(summary.retries)} retries`,
      `${count(summary.redispatches)} redispatched`,
      `${count(summary.connectErrors)} connect errors`,
      `${count(summary.responseErrors)} broken responses`,
    ];
    say(this.#facts, facts.join(' · '));
  }

  #explain({ source, ok, reason, steps }: Explanation): void {
    say(this.#pill, source);
    set(this.#pill, 'data-level', source === 'live' ? (ok ? 'good' : 'bad') : 'fair');
    show(this.#problem, reason !== undefined);
    say(this.#problem, reason ?? '');
    const text = JSON.stringify(steps);
    if (text === this.#shownSteps) return;
    this.#shownSteps = text;
    this.#steps.replaceChildren(stepList(steps));
  }

  #list(): void {
    if (this.#why === undefined) return;
    const rows = serverRows(this.#why.servers, this.#detail?.servers ?? []);
    const last = this.#detail?.latencyBounds.at(-1) ?? Infinity;
    this.#servers.update(rows.map((row) => ({ ...row, last })));
    const { noServers } = this.#detail ?? {};
    say(
      this.#noServers,
      noServers === undefined || rows.length === 0
        ? 'It has no servers.'
        : `No numbers of single servers: ${noServers}.`,
    );
    show(this.#noServers, rows.length === 0 || noServers !== undefined);
  }
}
