import { h, List, type Part, s, say, set } from '../dom.js';
import { levelOf, percent, rate } from '../format.js';
import { type Graph, layOut, type PlacedEdge, type PlacedNode } from '../graph.js';

/** Narrower than this, the drawing is scrolled within its frame. */
const leastWidth = 620;

/** A drawing of who calls whom. What is pointed at, or has the focus, stands out with its calls. */
export class GraphFigure {
  readonly element: HTMLElement;
  readonly #edges = s('g');
  readonly #nodes = s('g');
  readonly #svg = s(
    'svg',
    { class: 'graph', role: 'group', 'aria-label': 'Who calls whom' },
    this.#edges,
    this.#nodes,
  );
  readonly #edgeList = new List<PlacedEdge>(this.#edges, ({ edge }) => `${edge.from}\n${edge.to}`, edgePart);
  readonly #nodeList = new List<PlacedNode>(
    this.#nodes,
    ({ node }) => `${node.id}\n${node.href ?? ''}`,
    nodePart,
  );
  #graph: Graph | undefined;
  #chosen: string | undefined;

  constructor() {
    this.element = h(
      'div',
      { class: 'frame', tabindex: 0, role: 'region', 'aria-label': 'Topology' },
      this.#svg,
    );
    const choose = ({ target }: Event): void => this.#choose(target);
    for (const kind of ['pointerover', 'focusin']) this.#nodes.addEventListener(kind, choose);
    for (const kind of ['pointerleave', 'focusout'])
      this.#nodes.addEventListener(kind, () => this.#choose(null));
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  update(graph: Graph): void {
    this.#graph = graph;
    this.#draw();
  }

  /** Moves the focus by `step` among the nodes. */
  move(step: number): void {
    const nodes = [...this.#svg.querySelectorAll<SVGGElement>('.node')];
    const at = nodes.findIndex((node) => node === document.activeElement);
    nodes[Math.max(0, Math.min(nodes.length - 1, at + step))]?.focus();
  }

  #draw(): void {
    if (this.#graph === undefined || this.element.clientWidth === 0) return;
    const width = Math.max(leastWidth, this.element.clientWidth);
    const { length } = this.#graph.nodes;
    const layout = layOut(this.#graph, width, width > 900 && length < 60 ? 216 : 168);
    set(this.#svg, 'width', layout.width);
    set(this.#svg, 'height', Math.ceil(layout.height));
    this.#edgeList.update(layout.edges);
    this.#nodeList.update(layout.nodes);
    this.#mark();
  }

  #choose(target: EventTarget | null): void {
    const node = target instanceof Element ? target.closest('.node') : null;
    this.#chosen = node?.getAttribute('data-id') ?? undefined;
    this.#mark();
  }

  #mark(): void {
    const chosen = this.#chosen;
    set(this.#svg, 'data-chosen', chosen !== undefined);
    const near = new Set([chosen]);
    for (const { from, to } of this.#graph?.edges ?? []) {
      const isOn = from === chosen || to === chosen;
      if (isOn) near.add(from).add(to);
      const drawn = this.#edgeList.get(`${from}\n${to}`);
      if (drawn) set(drawn.element, 'data-on', isOn);
    }
    for (const { id, href } of this.#graph?.nodes ?? []) {
      const drawn = this.#nodeList.get(`${id}\n${href ?? ''}`);
      if (drawn) set(drawn.element, 'data-on', near.has(id));
    }
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
      const { rps, success, note } = edge;
      set(element, 'data-level', rps === 0 ? 'idle' : levelOf(success));
      const said = note ?? `${rate(rps ?? 0)} requests a second`;
      say(title, `${edge.from} → ${edge.to}: ${said}, success ${percent(success)}`);
    },
  };
}

function nodePart({ node: { id, href, kind } }: PlacedNode): Part<PlacedNode> {
  const title = s('title');
  const box = s('rect', { rx: 8 });
  const mark = s('rect', { class: 'mark', width: 4, rx: 2 });
  const [label, note] = [s('text', { class: 'label' }), s('text', { class: 'note' })];
  const parts = [title, box, mark, label, note];
  const element =
    href === undefined
      ? s('g', { class: `node ${kind}`, 'data-id': id, role: 'img', tabindex: -1 }, ...parts)
      : s('a', { class: `node ${kind}`, 'data-id': id, href }, ...parts);
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
