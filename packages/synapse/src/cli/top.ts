import type { Clock, Timer } from '@smartstack/agent';
import { cut, plainText, table } from '@smartstack/agent/cli';

import { Busiest, type TopRow } from '../tap/busiest.js';
import type { TapCounts, TapEvent } from '../tap/shapes.js';
import { Pages, type Screen } from './screen.js';
import { type LiveView, missingText } from './liveView.js';
import { count, latency, percent } from './units.js';

const refreshMs = 1_000;
/** Rows of a table that is printed once. */
const maxRows = 100;

const columns = ['SOURCE', 'DESTINATION', 'METHOD', 'PATH', 'COUNT', 'BEST', 'WORST', 'LAST', 'SUCCESS'];

/** The busiest kinds of requests, for people. */
function topTable(rows: readonly TopRow[], width: number | undefined): readonly string[] {
  return table(
    columns,
    rows.map((row) => [
      ...[row.source, `${row.service}/${row.server ?? '-'}`, row.method ?? '-', cut(row.path ?? '-', 60)],
      ...[
        count(row.count),
        latency(row.best),
        latency(row.worst),
        latency(row.last),
        percent(row.successRate),
      ],
    ]),
    width,
  );
}

/** `synapse top`: on a terminal a page that is renewed each second, elsewhere one table at the end. */
export class TopPage implements LiveView {
  readonly #screen: Screen;
  readonly #clock: Clock;
  readonly #isJson: boolean;
  readonly #pages: Pages;
  readonly #busiest = new Busiest();
  readonly #startedAt: number;
  #timer: Timer | undefined;
  #requests = 0;
  #note = '';
  #counts: TapCounts | undefined;
  #isOver = false;

  constructor(screen: Screen, clock: Clock, isJson: boolean) {
    this.#screen = screen;
    this.#clock = clock;
    this.#isJson = isJson;
    this.#pages = new Pages(screen);
    this.#startedAt = clock.now();
  }

  event(event: TapEvent): void {
    if (event.type === 'request') {
      this.#requests += 1;
      this.#busiest.add(event);
    } else if (event.type === 'status') {
      this.#counts = event;
      this.#note = event.attached ? '' : `waiting for HAProxy: ${plainText(event.reason ?? '')}`;
    } else if (event.type === 'start') {
      for (const { service, reason } of event.notTapped)
        if (!this.#isLive) this.#screen.err(`synapse: ${service} cannot be tapped: ${plainText(reason)}`);
    }
    if (this.#isLive) this.#timer ??= this.#show();
  }

  end(counts: TapCounts | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#pages.close();
    const rows = this.#busiest.rows();
    const missing = counts === undefined ? '' : missingText(counts);
    if (this.#isJson) {
      const { others } = this.#busiest;
      const { dropped, samplePercent } = counts ?? {};
      const span = { from: this.#startedAt, to: this.#clock.now() };
      this.#screen.out(
        JSON.stringify({ ...span, requests: this.#requests, others, dropped, samplePercent, rows }, null, 2),
      );
      return;
    }
    const { columns: width } = this.#screen.size() ?? {};
    for (const line of topTable(rows.slice(0, maxRows), width)) this.#screen.out(line);
    if (missing !== '') this.#screen.err(`synapse: ${missing}`);
  }

  get #isLive(): boolean {
    return !this.#isJson && this.#screen.size() !== undefined;
  }

  #show(): Timer {
    const { columns: width, rows: height = 24 } = this.#screen.size() ?? {};
    const seconds = Math.round((this.#clock.now() - this.#startedAt) / 1000);
    const missing = this.#counts === undefined ? '' : missingText(this.#counts);
    const facts = [`${this.#requests} requests in ${seconds}s`, this.#note, missing, 'Ctrl-C ends'];
    const head = cut(facts.filter((fact) => fact !== '').join('; '), width);
    this.#pages.show([head, '', ...topTable(this.#busiest.rows().slice(0, height), width)]);
    return this.#clock.setTimeout(() => {
      if (!this.#isOver) this.#timer = this.#show();
    }, refreshMs);
  }
}
