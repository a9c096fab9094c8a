import type { ServiceLine } from '../../../explain/shapes.js';
import type { ServiceDetail, TrafficAnswer } from '../../../traffic/shapes.js';
import { api, ApiError } from '../api.js';
import { h, List, type Part, s, say, set, show } from '../dom.js';
import { levelOf, percent, rate } from '../format.js';
import { type Layout, layOut, type PlacedEdge, type PlacedNode } from '../graph.js';
import { busiest, hostGraph, maxDetailed } from '../hostGraph.js';
import type { Page, ViewPart } from '../view.js';

/** Narrower than this, the drawing is scrolled within its frame. */
const leastWidth = 620;
const span = 60;

/** Who calls whom. */
export class TopologyView implements ViewPart {
  readonly element: HTMLElement;
  readonly title = 'Topology';
  readonly #page: Page;
  readonly #host: () => string;
  #traffic: TrafficAnswer | undefined;
  #lines: readonly ServiceLine[] = [];
  #details: ReadonlyMap<string, ServiceDetail> = new Map();
  readonly #edges = s('g');
  readonly #nodes = s('g');
  readonly #svg = s(
    'svg',
    { class: 'graph', role: 'group', 'aria-label': 'Who calls whom' },
    this.#edges,
    this.#nodes,
  );
  readonly #frame = h(
    'div',
    { class: 'frame', tabindex: 0, role: 'region', 'aria-label': 'Topology' },
    this.#svg,
  );
  readonly #empty = h('p', { class: 'empty', hidden: true }, 'No services, no topology.');
  readonly #edgeList = new List<PlacedEdge>(this.#edges, ({ edge }) => `${edge.from}\n${edge.to}`, edgePart);
  readonly #nodeList = new List<PlacedNode>(this.#nodes, ({ node }) => node.id, nodePart);

  constructor(page: Page, host: () => string) {
    this.#page = page;
    this.#host = host;
    this.element = h(
      'section',
      { class: 'view' },
      h(
        'div',
        { class: 'bar' },
        h('div', { class: 'title' }, h('h1', {}, 'Topology')),
        h(
          'span',
          { class: 'muted' },
          'What this host calls, over the last minute: width by requests, colour by success',
        ),
      ),
      this.#frame,
      this.#empty,
    );
    new ResizeObserver(() => this.#draw()).observe(this.#frame);
  }

  moved(): void {
    // There is only one of it.
  }

  run(signal: AbortSignal): void {
    const { connection } = this.#page;
    const feeds = [
      connection.feed(
        api.services,
        5_000,
        (lines) => {
          this.#lines = lines;
        },
        signal,
      ),
      connection.feed(
        (inner) => this.#look(inner),
        3_000,
        () => this.#draw(),
        signal,
        () => this.#draw(),
      ),
    ];
    Promise.all(feeds).catch(reportError);
  }

  key(name: string): boolean {
    const links = [...this.#svg.querySelectorAll<SVGAElement>('a')];
    const at = links.findIndex((link) => link === document.activeElement);
    const step = name === 'j' || name === 'ArrowDown' ? 1 : name === 'k' || name === 'ArrowUp' ? -1 : 0;
    if (step === 0) return false;
    links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
    return true;
  }

  /** All services, and the servers of those that are busiest. */
  async #look(signal: AbortSignal): Promise<void> {
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
    const services = this.#traffic?.services;
    show(this.#empty, services?.length === 0);
    show(this.#frame, services?.length !== 0);
    const width = Math.max(leastWidth, this.#frame.clientWidth);
    if (services === undefined || this.#frame.clientWidth === 0) return;
    const graph = hostGraph(this.#host(), services, this.#lines, this.#details);
    const layout: Layout = layOut(graph, width, width > 900 ? 216 : 168);
    set(this.#svg, 'width', layout.width);
    set(this.#svg, 'height', Math.ceil(layout.height));
    this.#edgeList.update(layout.edges);
    this.#nodeList.update(layout.nodes);
  }
}

function edgePart(): Part<PlacedEdge> {
  const title = s('title');
  const element = s('path', { class: 'edge' }, title);
  return {
    element,
    update: ({ edge, path, thickness }) => {
      set(element, 'd', path);
      set(element, 'stroke-width', thickness.toFixed(1));
      set(element, 'data-level', edge.rps > 0 ? levelOf(edge.success) : 'idle');
      say(title, `${rate(edge.rps)} requests a second, success ${percent(edge.success)}`);
    },
  };
}

function nodePart({ node: { href, kind } }: PlacedNode): Part<PlacedNode> {
  const title = s('title');
  const box = s('rect', { rx: 8 });
  const mark = s('rect', { class: 'mark', width: 4, rx: 2 });
  const [label, note] = [s('text', { class: 'label' }), s('text', { class: 'note' })];
  const parts = [title, box, mark, label, note];
  const element =
    href === undefined
      ? s('g', { class: `node ${kind}` }, ...parts)
      : s('a', { class: `node ${kind}`, href }, ...parts);
  return {
    element,
    update: ({ node, x, y, width, height }) => {
      set(element, 'transform', `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      set(element, 'data-level', node.isOut ? 'bad' : levelOf(node.success));
      set(element, 'aria-label', `${node.label}, ${node.note}`);
      set(box, 'width', width);
      set(box, 'height', height);
      set(mark, 'x', 6);
      set(mark, 'y', 8);
      set(mark, 'height', height - 16);
      const middle = height / 2;
      for (const [text, at] of [
        [label, middle - 3],
        [note, middle + 13],
      ] as const) {
        set(text, 'x', 18);
        set(text, 'y', at);
      }
      say(label, shortened(node.label, Math.floor((width - 28) / 8)));
      say(note, node.note);
      say(title, node.label);
    },
  };
}

/** Both ends say more than the middle. */
function shortened(text: string, most: number): string {
  const letters = Array.from(text);
  if (letters.length <= most) return text;
  const half = Math.floor((most - 1) / 2);
  return `${letters.slice(0, half).join('')}…${letters.slice(letters.length - half).join('')}`;
}
