import type { TopologyAnswer, TopologyEdge } from '../../../topology/shapes.js';
import { h, List, type Part, say, set, show } from '../dom.js';
import { identityNames } from '../fleetGraph.js';
import { count, counted, latency, levelOf, none, percent, rate, roughly } from '../format.js';
import { addressOf } from '../place.js';

/** So many edges are listed; more nobody reads. */
const maxRows = 500;

const heads = [
  ['from', 'Caller', 'Who calls'],
  ['to', 'Service', 'The service that is called'],
  ['identity', 'Known by', 'How it is known who calls. No proof.'],
  ['number hosts', 'Hosts', 'On how many hosts'],
  ['number rps', 'RPS', 'Requests a second, where they are known'],
  ['number success', 'Success', 'Share of responses other than 5xx'],
  ['number p95', 'p95', '95 % of the responses had their headers in this time'],
  ['number seen', 'Seen', 'When this host saw it last'],
] as const;

interface Call {
  readonly edge: TopologyEdge;
  readonly now: number;
  /** It has a page here. */
  readonly isLocal: boolean;
}

/** What the drawing shows, as a table: for whoever cannot see it, and for the numbers. */
export class CallsTable {
  readonly element: HTMLElement;
  readonly #more = h('p', { class: 'muted', hidden: true });
  readonly #rows: List<Call>;

  constructor() {
    const table = h(
      'table',
      { class: 'calls' },
      h('caption', { class: 'hidden' }, 'Who calls whom'),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ...heads.map(([kind, text, title]) => h('th', { scope: 'col', class: kind, title }, text)),
        ),
      ),
    );
    const body = h('tbody');
    table.append(body);
    this.#rows = new List(
      body,
      ({ edge: { source, destination, identity } }) => JSON.stringify([source, destination, identity]),
      callRow,
    );
    this.element = h('div', {}, table, this.#more);
  }

  update({ edges, now }: TopologyAnswer, local: ReadonlySet<string>): void {
    const shown = edges.slice(0, maxRows);
    this.#rows.update(shown.map((edge) => ({ edge, now, isLocal: local.has(edge.destination) })));
    const more = edges.length - shown.length;
    show(this.#more, more > 0);
    say(this.#more, more > 0 ? `And ${counted(more, 'further call')}: synapse edges lists them all.` : '');
  }
}

function callRow({ edge: { source, destination }, isLocal }: Call): Part<Call> {
  const identity = h('td', { class: 'identity' });
  const numbers = heads.slice(3).map(([kind]) => h('td', { class: kind }));
  const [hosts, rps, success, p95, seen] = numbers;
  const to = isLocal
    ? h('a', { href: addressOf({ view: 'service', service: destination }), class: 'name' }, destination)
    : destination;
  return {
    element: h(
      'tr',
      {},
      h('th', { scope: 'row', class: 'from', title: source }, source),
      h('td', { class: 'to', title: destination }, to),
      identity,
      ...numbers,
    ),
    update: ({ edge, now }) => {
      say(identity, identityNames[edge.identity]);
      const texts = [
        [hosts, count(edge.hosts)],
        [rps, edge.rps === null ? none : rate(edge.rps)],
        [success, percent(edge.successRate)],
        [p95, latency(edge.p95)],
        [seen, edge.lastSeen === undefined ? none : roughly(now - edge.lastSeen)],
      ] as const;
      for (const [cell, text] of texts) if (cell) say(cell, text);
      if (hosts) set(hosts, 'title', edge.onHosts.join(', '));
      const told =
        edge.numbersOf < edge.hosts ? `of ${edge.numbersOf} of ${counted(edge.hosts, 'host')}` : undefined;
      for (const cell of [rps, success, p95]) if (cell) set(cell, 'title', told);
      if (success) set(success, 'data-level', levelOf(edge.successRate));
    },
  };
}
