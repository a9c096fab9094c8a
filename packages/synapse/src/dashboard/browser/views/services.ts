import type { ServiceLine } from '../../../explain/shapes.js';
import type { TrafficAnswer } from '../../../traffic/shapes.js';
import type { Curves } from '../../about.js';
import { api } from '../api.js';
import { h, List, say, set, show } from '../dom.js';
import { count, counted, latency, levelOf, none, percent, rate } from '../format.js';
import { type Place, spans } from '../place.js';
import { curveOf } from '../points.js';
import { chosen, type Row, rowsOf, totalOf } from '../rows.js';
import { Choice, Tile } from '../tiles.js';
import type { Page, ViewPart } from '../view.js';
import { headCells, heads } from './serviceHeads.js';
import { serviceRow, type ShownRow } from './serviceRow.js';

/** Rows beyond those that can be seen, above and below. */
const spare = 8;

/** The list of all services. */
export class ServicesView implements ViewPart {
  readonly element: HTMLElement;
  readonly title = 'Services';
  readonly #page: Page;
  #place: Place;
  #lines: readonly ServiceLine[] = [];
  #traffic: TrafficAnswer | undefined;
  #curves: Curves | undefined;
  #rows: readonly Row[] = [];
  #selected = -1;
  #signal: AbortSignal | undefined;
  #spanRun: AbortController | undefined;
  readonly #filter: HTMLInputElement;
  readonly #span: Choice<number>;
  readonly #found = h('span', { class: 'muted', role: 'status' });
  readonly #tiles: Readonly<Record<'success' | 'rps' | 'p95' | 'servers' | 'trouble', Tile>>;
  readonly #heads: readonly HTMLTableCellElement[];
  readonly #above = h('tr', { 'aria-hidden': 'true' }, h('td', { colspan: heads.length, class: 'spacer' }));
  readonly #below = h('tr', { 'aria-hidden': 'true' }, h('td', { colspan: heads.length, class: 'spacer' }));
  readonly #body = h('tbody');
  readonly #table: HTMLTableElement;
  readonly #empty = h('p', { class: 'empty', hidden: true });
  readonly #list: List<ShownRow>;
  readonly #links = new Map<string, HTMLElement>();

  constructor(page: Page, place: Place) {
    this.#page = page;
    this.#place = place;
    this.#filter = h('input', {
      ...{
        type: 'search',
        placeholder: 'Filter',
        'aria-label': 'Filter services',
        autocomplete: 'off',
        spellcheck: 'false',
      },
      input: () => this.#page.go({ ...this.#place, filter: this.#filter.value }, true),
    });
    this.#span = new Choice(
      'Span of the numbers',
      spans.map(([seconds, name]) => [seconds, name]),
      (span) => this.#page.go({ ...this.#place, span }, true),
    );
    this.#tiles = {
      success: new Tile('Success'),
      rps: new Tile('Requests a second'),
      p95: new Tile('95th percentile'),
      servers: new Tile('Servers in rotation'),
      trouble: new Tile('Services', () =>
        this.#page.go({ ...this.#place, trouble: !this.#place.trouble }, true),
      ),
    };
    this.#heads = headCells((key) => this.#sortBy(key));
    this.#table = h(
      'table',
      { class: 'services' },
      h('caption', { class: 'hidden' }, 'Services'),
      h('thead', {}, h('tr', {}, ...this.#heads)),
      h('tbody', { class: 'room' }, this.#above),
      this.#body,
      h('tbody', { class: 'room' }, this.#below),
    );
    this.#list = new List(
      this.#body,
      ({ row }) => row.name,
      (shown) => {
        const part = serviceRow(shown);
        this.#links.set(shown.row.name, part.link);
        return part;
      },
    );
    this.element = h(
      'section',
      { class: 'view' },
      h('h1', { class: 'hidden' }, 'Services'),
      h('div', { class: 'tiles' }, ...Object.values(this.#tiles).map(({ element }) => element)),
      h('div', { class: 'bar' }, this.#filter, this.#found, this.#span.element),
      this.#table,
      this.#empty,
    );
    this.moved(place);
  }

  moved(place: Place): void {
    const span = this.#place.span;
    this.#place = place;
    if (this.#filter.value !== place.filter) this.#filter.value = place.filter;
    this.#span.update(place.span);
    for (const [index, cell] of this.#heads.entries()) {
      const sorted = heads[index]?.[0] === place.sort;
      set(cell, 'aria-sort', sorted ? (place.down ? 'descending' : 'ascending') : undefined);
    }
    set(this.#tiles.trouble.element, 'aria-pressed', String(place.trouble));
    if (span !== place.span) this.#ask();
    this.#choose();
  }

  run(signal: AbortSignal): void {
    const { connection } = this.#page;
    this.#signal = signal;
    const calm = (usual: number): number => (this.#lines.length > 200 ? usual * 2.5 : usual);
    const feeds = [
      connection.feed(
        api.services,
        () => calm(3_000),
        (lines) => {
          this.#lines = lines;
          this.#join();
        },
        signal,
      ),
      connection.feed(
        api.curves,
        () => calm(5_000),
        (curves) => {
          this.#curves = curves;
          this.#draw();
        },
        signal,
        () => undefined,
      ),
    ];
    Promise.all(feeds).catch(reportError);
    this.#ask();
    const draw = (): void => this.#draw();
    window.addEventListener('scroll', draw, { passive: true, signal });
    window.addEventListener('resize', draw, { passive: true, signal });
  }

  key(name: string): boolean {
    switch (name) {
      case '/':
        this.#filter.focus();
        this.#filter.select();
        return true;
      case 'j':
      case 'ArrowDown':
        return this.#select(this.#selected + 1);
      case 'k':
      case 'ArrowUp':
        return this.#select(Math.max(0, this.#selected - 1));
      case 'Home':
        return this.#select(0);
      case 'End':
        return this.#select(this.#rows.length - 1);
      case 'Escape':
        if (document.activeElement === this.#filter && this.#filter.value === '') this.#filter.blur();
        else if (this.#place.filter === '' && !this.#place.trouble) return false;
        else this.#page.go({ ...this.#place, filter: '', trouble: false }, true);
        return true;
      case 'Enter':
        if (document.activeElement !== this.#filter) return false;
        return this.#select(0);
      default:
        return false;
    }
  }

  #ask(): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    this.#spanRun?.abort();
    this.#spanRun = new AbortController();
    const { span } = this.#place;
    const every = (answer: TrafficAnswer | undefined): number =>
      (answer?.services.length ?? 0) > 200 ? 5_000 : 2_000;
    this.#page.connection
      .feed(
        (inner) => api.traffic(span, inner),
        every,
        (traffic) => {
          this.#traffic = traffic;
          this.#join();
        },
        AbortSignal.any([signal, this.#spanRun.signal]),
        () => undefined,
      )
      .catch(reportError);
  }

  #sortBy(key: string): void {
    const same = this.#place.sort === key;
    const textual = key === 'service' || key === 'state';
    this.#page.go({ ...this.#place, sort: key, down: same ? !this.#place.down : !textual }, true);
  }

  #join(): void {
    const rows = rowsOf(this.#lines, this.#traffic?.services ?? []);
    const total = totalOf(rows);
    const long = spans.find(([seconds]) => seconds === this.#place.span)?.[2] ?? '';
    const { success, rps, p95, servers, trouble } = this.#tiles;
    const known = this.#traffic !== undefined;
    success.update(percent(total.successRate), long, levelOf(total.successRate));
    rps.update(known ? rate(total.rps) : none, long);
    p95.update(latency(total.p95, this.#last), long);
    servers.update(
      count(total.takesTraffic),
      `of ${count(total.servers)}`,
      total.takesTraffic < total.servers ? 'fair' : 'none',
    );
    trouble.update(
      count(rows.length),
      total.trouble === 0 ? 'all well' : `${count(total.trouble)} with trouble`,
      total.trouble === 0 ? 'good' : 'fair',
    );
    this.#all = rows;
    this.#choose();
  }

  #all: readonly Row[] = [];

  get #last(): number {
    return this.#traffic?.latencyBounds.at(-1) ?? Infinity;
  }

  #choose(): void {
    const focused = this.#rows[this.#selected]?.name;
    this.#rows = chosen(this.#all, this.#place);
    this.#selected = focused === undefined ? -1 : this.#rows.findIndex(({ name }) => name === focused);
    const { filter, trouble } = this.#place;
    const narrowed = filter !== '' || trouble;
    say(
      this.#found,
      narrowed ? `${count(this.#rows.length)} of ${counted(this.#all.length, 'service')}` : '',
    );
    const loaded = this.#lines.length > 0 || this.#traffic !== undefined;
    say(
      this.#empty,
      this.#all.length === 0
        ? 'No services are configured: see service_conf_dir.'
        : 'No service fits this filter. Esc shows all.',
    );
    show(this.#empty, loaded && this.#rows.length === 0);
    this.#draw();
  }

  /** Only the rows that can be seen, and some more, are in the page. */
  #draw(): void {
    const height = this.#rowHeight();
    const top = this.#body.getBoundingClientRect().top - this.#aboveHeight;
    const first = Math.max(0, Math.min(this.#rows.length - 1, Math.floor(-top / height) - spare));
    const last = Math.min(this.#rows.length, first + Math.ceil(window.innerHeight / height) + 2 * spare);
    set(this.#table, 'aria-rowcount', this.#rows.length + 1);
    this.#aboveHeight = first * height;
    this.#above.cells[0]?.style.setProperty('height', `${this.#aboveHeight}px`);
    this.#below.cells[0]?.style.setProperty('height', `${(this.#rows.length - last) * height}px`);
    show(this.#above, first > 0);
    show(this.#below, last < this.#rows.length);
    this.#list.update(this.#rows.slice(first, last).map((row, index) => this.#shown(row, first + index)));
    for (const name of this.#links.keys()) if (this.#list.get(name) === undefined) this.#links.delete(name);
  }

  #aboveHeight = 0;

  #rowHeight(): number {
    return Number.parseFloat(getComputedStyle(this.#table).getPropertyValue('--row')) || 52;
  }

  #shown(row: Row, index: number): ShownRow {
    return { row, index, ...curveOf(this.#curves, row.name, this.#page.startedAt()), last: this.#last };
  }

  #select(index: number): boolean {
    if (this.#rows.length === 0) return true;
    this.#selected = Math.max(0, Math.min(this.#rows.length - 1, index));
    const height = this.#rowHeight();
    const top = this.#body.getBoundingClientRect().top - this.#aboveHeight + this.#selected * height;
    const header = document.querySelector('header')?.getBoundingClientRect().height ?? 0;
    if (top < header + height) window.scrollBy(0, top - header - height);
    else if (top + 2 * height > window.innerHeight) window.scrollBy(0, top + 2 * height - window.innerHeight);
    this.#draw();
    this.#links.get(this.#rows[this.#selected]?.name ?? '')?.focus({ preventScroll: true });
    return true;
  }
}
