import type { TapEvent, TapRequest, TapServices } from '../../../tap/shapes.js';
import { api, ApiError } from '../api.js';
import { clock } from '../clock.js';
import { h, say, set, show } from '../dom.js';
import { count, latency, none, timeOfDay } from '../format.js';
import { liveQuery } from '../liveQuery.js';
import type { Place } from '../place.js';
import { follow } from '../stream.js';
import type { Page, ViewPart } from '../view.js';

/** Rows that are kept; the oldest go. */
const maxRows = 200;
/** As many as eyes can follow. */
const maxRps = 50;
/** How long typing may pause before what was typed is asked for. */
const typingMs = 300;
const againMs = 1_000;

const heads = [
  ['at', 'Time'],
  ['method', 'Method'],
  ['path', 'Path'],
  ['number status', 'Status'],
  ['number latency', 'Latency'],
  ['source', 'Client'],
  ['server', 'Server'],
] as const;

/** Requests while they pass. The agent is asked only while somebody can see them: it is silent otherwise. */
export class LiveView implements ViewPart {
  readonly element: HTMLElement;
  readonly title = 'Live';
  readonly #page: Page;
  #place: Place;
  #signal: AbortSignal | undefined;
  #run: AbortController | undefined;
  #isPaused = false;
  /** What the choice holds. */
  #listed = '';
  readonly #choice: HTMLSelectElement;
  readonly #filter: HTMLInputElement;
  readonly #pause: HTMLButtonElement;
  readonly #facts = h('span', { class: 'muted facts' });
  readonly #problem = h('p', { class: 'notice', role: 'status', hidden: true });
  readonly #body = h('tbody');
  readonly #empty = h('p', { class: 'empty' }, 'Waiting for requests …');

  constructor(page: Page, place: Place) {
    this.#page = page;
    this.#place = place;
    this.#choice = h('select', {
      'aria-label': 'Service',
      change: () => this.#page.go({ ...this.#place, service: this.#choice.value }, true),
    });
    this.#filter = h('input', {
      ...{ type: 'search', placeholder: '/path 5xx GET >50ms', autocomplete: 'off', spellcheck: 'false' },
      'aria-label': 'Filter requests: a path, statuses, methods, >50ms, an address, a server',
      input: () => this.#page.go({ ...this.#place, filter: this.#filter.value }, true),
    });
    this.#pause = h(
      'button',
      { type: 'button', class: 'button', 'aria-pressed': 'false', click: () => this.#toggle() },
      'Pause',
    );
    this.element = h(
      'section',
      { class: 'view' },
      h('h1', { class: 'hidden' }, 'Live requests'),
      h('div', { class: 'bar' }, this.#choice, this.#filter, this.#facts, this.#pause),
      this.#problem,
      h(
        'table',
        { class: 'live' },
        h('caption', { class: 'hidden' }, 'Requests that ended last, newest first'),
        h(
          'thead',
          {},
          h('tr', {}, ...heads.map(([kind, text]) => h('th', { scope: 'col', class: kind }, text))),
        ),
        this.#body,
      ),
      this.#empty,
    );
    this.#services([]);
    this.#filter.value = place.filter;
  }

  moved(place: Place): void {
    const isOther = place.filter !== this.#place.filter || place.service !== this.#place.service;
    this.#place = place;
    if (this.#filter.value !== place.filter) this.#filter.value = place.filter;
    this.#choice.value = place.service;
    if (isOther) this.#restart(typingMs);
  }

  run(signal: AbortSignal): void {
    this.#signal = signal;
    const feed = this.#page.connection.feed(
      api.tapServices,
      10_000,
      (services) => this.#services(services),
      signal,
      () => undefined,
    );
    feed.catch(reportError);
    document.addEventListener('visibilitychange', () => this.#restart(0), { signal });
    this.#restart(0);
  }

  key(name: string): boolean {
    if (name === '/') {
      this.#filter.focus();
      this.#filter.select();
    } else if (name === 'p') this.#toggle();
    else if (name === 'Escape' && document.activeElement === this.#filter && this.#filter.value === '')
      this.#filter.blur();
    else if (name === 'Escape' && this.#place.filter !== '')
      this.#page.go({ ...this.#place, filter: '' }, true);
    else return false;
    return true;
  }

  #services(known: TapServices['services']): void {
    const { service: chosen } = this.#place;
    const isKnown = chosen === '' || known.some(({ service }) => service === chosen);
    const all = isKnown ? known : [{ service: chosen }, ...known];
    const state = JSON.stringify(all);
    if (state === this.#listed) return;
    this.#listed = state;
    this.#choice.replaceChildren(
      h('option', { value: '' }, 'All services'),
      ...all.map(({ service, reason }) =>
        h('option', { value: service, disabled: reason !== undefined, title: reason }, service),
      ),
    );
    this.#choice.value = chosen;
  }

  #toggle(): void {
    this.#isPaused = !this.#isPaused;
    set(this.#pause, 'aria-pressed', String(this.#isPaused));
    say(this.#pause, this.#isPaused ? 'Go on' : 'Pause');
    this.#restart(0);
  }

  /** Asks anew, with what is wanted now; nothing while nobody looks. */
  #restart(waitMs: number): void {
    this.#run?.abort();
    if (this.#signal === undefined || this.#signal.aborted || this.#isPaused || document.hidden) return;
    this.#run = new AbortController();
    this.#follow(waitMs, AbortSignal.any([this.#signal, this.#run.signal])).catch(reportError);
  }

  async #follow(waitMs: number, signal: AbortSignal): Promise<void> {
    await clock.sleep(waitMs, signal);
    const { service, filter } = this.#place;
    if (!signal.aborted) {
      this.#body.replaceChildren();
      show(this.#empty, true);
    }
    while (!signal.aborted) {
      let problem = '';
      try {
        await follow(liveQuery(service, filter, maxRps), (events) => this.#take(events), signal);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        problem = error.status === 0 ? 'The agent does not answer.' : error.message;
      }
      if (hasEnded(signal)) return;
      this.#tell(problem);
      await clock.sleep(againMs, signal);
    }
  }

  #tell(problem: string): void {
    say(this.#problem, problem);
    show(this.#problem, problem !== '');
  }

  #take(events: readonly TapEvent[]): void {
    for (const event of events) {
      if (event.type === 'start') {
        // What is meant so is no trouble: the list of services has it.
        const odd = event.notTapped.filter(({ isMeant }) => isMeant !== true);
        const some = odd.map(({ service }) => service).slice(0, 5);
        const [first] = odd;
        this.#tell(first === undefined ? '' : `Not to be seen: ${some.join(', ')} (${first.reason})`);
      } else if (event.type === 'status') {
        if (!event.attached) this.#tell(`Waiting for HAProxy: ${event.reason ?? ''}`);
        else if (this.#problem.textContent.startsWith('Waiting')) this.#tell('');
        const { dropped, samplePercent } = event;
        const missing = dropped.rate + dropped.reader + dropped.haproxy;
        const sample = samplePercent < 100 ? `, of ${samplePercent} %` : '';
        say(
          this.#facts,
          `${count(event.sent)} shown${sample}${missing > 0 ? `, ${count(missing)} not shown` : ''}`,
        );
      }
    }
    const requests = events.filter((event) => event.type === 'request').slice(-maxRows);
    if (requests.length === 0) return;
    show(this.#empty, false);
    this.#body.prepend(...requests.reverse().map(row));
    while (this.#body.rows.length > maxRows) this.#body.lastElementChild?.remove();
  }
}

/** It changes while something is awaited, which the compiler does not see. */
function hasEnded(signal: AbortSignal): boolean {
  return signal.aborted;
}

const levels = { success: 'good', failure: 'bad', aborted: 'fair' } as const;

function row(request: TapRequest): HTMLTableRowElement {
  const { at, method, path, status, outcome, source, service, server, termination } = request;
  const ended = termination === '--' ? undefined : `ended ${termination}`;
  const pathText = path ?? none;
  return h(
    'tr',
    { 'data-level': levels[outcome] },
    h('td', { class: 'at' }, timeOfDay(at)),
    h('td', { class: 'method' }, method ?? none),
    h('td', { class: 'path', title: pathText }, pathText),
    h('td', { class: 'number status', title: ended }, status < 0 ? none : String(status)),
    h('td', { class: 'number latency' }, latency(request.latency ?? request.duration)),
    h('td', { class: 'source' }, source),
    h('td', { class: 'server', title: `${service}/${server ?? none}` }, server ?? service),
  );
}
