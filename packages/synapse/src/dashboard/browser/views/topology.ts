import type { ServiceLine } from '../../../explain/shapes.js';
import type { TopologyAnswer } from '../../../topology/shapes.js';
import type { ServiceDetail, TrafficAnswer } from '../../../traffic/shapes.js';
import { api, ApiError } from '../api.js';
import { h, say, set, show } from '../dom.js';
import { fleetGraph } from '../fleetGraph.js';
import { fleetLegend } from '../fleetLegend.js';
import { busiest, hostGraph, maxDetailed } from '../hostGraph.js';
import type { Place } from '../place.js';
import { Choice } from '../tiles.js';
import type { Page, ViewPart } from '../view.js';
import { CallsTable } from './calls.js';
import { GraphFigure } from './graphFigure.js';

const span = 60;

/** Who calls whom: of the fleet, where its hosts tell, or of this host. */
export class TopologyView implements ViewPart {
  readonly element: HTMLElement;
  readonly title = 'Topology';
  readonly #page: Page;
  readonly #host: () => string;
  #place: Place;
  #signal: AbortSignal | undefined;
  /** Of what is asked now. */
  #asking = new AbortController();
  #traffic: TrafficAnswer | undefined;
  #lines: readonly ServiceLine[] = [];
  #details: ReadonlyMap<string, ServiceDetail> = new Map();
  #calls: TopologyAnswer | undefined;
  readonly #figure = new GraphFigure();
  readonly #table = new CallsTable();
  readonly #scope: Choice<boolean>;
  readonly #legend = h('span', { class: 'muted' });
  readonly #notes = h('p', { class: 'muted', hidden: true });
  readonly #empty = h('p', { class: 'empty', hidden: true });
  readonly #tableHead = h('h2', {}, 'Calls');

  constructor(page: Page, place: Place, host: () => string) {
    this.#page = page;
    this.#place = place;
    this.#host = host;
    this.#scope = new Choice(
      'Scope',
      [
        [false, 'Fleet'],
        [true, 'This host'],
      ],
      (local) => page.go({ view: 'topology', local }, true),
    );
    show(this.#scope.element, false);
    this.element = h(
      'section',
      { class: 'view' },
      h(
        'div',
        { class: 'bar' },
        h('div', { class: 'title' }, h('h1', {}, 'Topology')),
        this.#legend,
        this.#scope.element,
      ),
      this.#figure.element,
      this.#empty,
      this.#notes,
      this.#tableHead,
      this.#table.element,
    );
  }

  moved(place: Place): void {
    const changed = place.local !== this.#place.local;
    this.#place = place;
    if (changed) this.#ask();
  }

  run(signal: AbortSignal): void {
    this.#signal = signal;
    this.#page.connection
      .feed(
        api.services,
        5_000,
        (lines) => {
          this.#lines = lines;
          this.#draw();
        },
        signal,
      )
      .catch(reportError);
    this.#ask();
  }

  key(name: string): boolean {
    const step = name === 'j' || name === 'ArrowDown' ? 1 : name === 'k' || name === 'ArrowUp' ? -1 : 0;
    if (step === 0) return false;
    this.#figure.move(step);
    return true;
  }

  /** Is not shown as the fleet's before it is known that there is one. */
  get #isFleet(): boolean {
    return this.#calls?.scope === 'fleet' && !this.#place.local;
  }

  #ask(): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    this.#asking.abort();
    this.#asking = new AbortController();
    this.#page.connection
      .feed(
        (inner) => this.#look(inner),
        3_000,
        () => this.#draw(),
        AbortSignal.any([signal, this.#asking.signal]),
        () => this.#draw(),
      )
      .catch(reportError);
  }

  async #look(signal: AbortSignal): Promise<void> {
    this.#calls = await api.topology(!this.#place.local, signal);
    if (!this.#isFleet) await this.#lookAtHost(signal);
  }

  /** All services of this host, and the servers of those that are busiest. */
  async #lookAtHost(signal: AbortSignal): Promise<void> {
    const traffic = await api.traffic(span, signal);
    const top = busiest(traffic.services).slice(0, maxDetailed);
    const details = await Promise.all(
      top.map(async ({ service }): Promise<[string, ServiceDetail][]> => {
        try {
          return [[service, await api.service(service, span, false, signal)]];
        } catch (error) {
          // It left in between.
          if (error instanceof ApiError && error.status === 404) return [];
          throw error;
        }
      }),
    );
    this.#traffic = traffic;
    this.#details = new Map(details.flat());
  }

  #draw(): void {
    const calls = this.#calls;
    if (calls === undefined) return;
    const isFleet = this.#isFleet;
    const local = new Set(this.#lines.map(({ service }) => service));
    show(this.#scope.element, calls.hasFleet);
    this.#scope.update(!isFleet);
    say(
      this.#legend,
      isFleet
        ? fleetLegend(calls)
        : 'What calls this host’s services, and what serves them, over the last minute: width by requests, colour by success',
    );
    set(this.#legend, 'data-level', isFleet && calls.fleet?.isStale === true ? 'fair' : undefined);
    const services = this.#traffic?.services ?? [];
    const count = isFleet ? calls.edges.length : services.length;
    say(
      this.#empty,
      isFleet ? 'Nobody has called anybody in the last 15 minutes.' : 'No services, no topology.',
    );
    show(this.#empty, count === 0);
    show(this.#figure.element, count > 0);
    for (const part of [this.#tableHead, this.#table.element]) show(part, calls.edges.length > 0);
    const notes = calls.notes.filter((note) => !note.startsWith('only of this host'));
    say(this.#notes, notes.join('; '));
    show(this.#notes, notes.length > 0);
    this.#figure.update(
      isFleet
        ? fleetGraph(calls, local)
        : hostGraph(this.#host(), services, this.#lines, this.#details, calls.edges),
    );
    this.#table.update(calls, local);
  }
}
