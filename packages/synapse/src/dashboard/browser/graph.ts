import { untangled } from './untangle.js';

/** Somebody who calls or is called. */
export interface GraphNode {
  readonly id: string;
  readonly label: string;
  readonly kind: 'host' | 'caller' | 'service' | 'server' | 'more';
  /** A few words below the label. */
  readonly note: string;
  readonly success: number | null;
  /** Out of rotation, or without a live source. */
  readonly isOut?: boolean;
  readonly href?: string;
}

/** Who calls whom, and how much. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** Null where that is not known. */
  readonly rps: number | null;
  readonly success: number | null;
  /** What it is as thick as, in place of `rps`. */
  readonly weight?: number;
  /** A few words. */
  readonly note?: string | undefined;
}

/** Whatever calls whatever: of one host or of a fleet. It may have cycles. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** Where a node is drawn. */
export interface PlacedNode {
  readonly node: GraphNode;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** How an edge is drawn. */
export interface PlacedEdge {
  readonly edge: GraphEdge;
  readonly path: string;
  readonly thickness: number;
}

/** A drawing. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

const [least, most, room, minHeight, margin] = [1.5, 20, 12, 40, 8];
/** So many edges are a crowd. */
const crowd = 80;
/** Between two edges at the side of a node. */
const seam = 2;

/** Draws a graph from left to right, callers before those whom they call, as wide as `width`. */
export function layOut({ nodes, edges }: Graph, width: number, nodeWidth: number): Layout {
  const ids = new Set(nodes.map(({ id }) => id));
  const known = edges.filter(({ from, to }) => ids.has(from) && ids.has(to) && from !== to);
  const weightOf = ({ weight, rps }: GraphEdge): number => Math.max(0, weight ?? rps ?? 0);
  const top = Math.max(...known.map(weightOf), Number.MIN_VALUE);
  // By the square root: a hundredth of the traffic still can be seen.
  // Where there are many, thick ones would hide each other.
  const thickest = known.length > crowd ? most / 3 : most;
  const thicknessOf = (edge: GraphEdge): number =>
    least + (thickest - least) * Math.sqrt(weightOf(edge) / top);
  const layers = untangled(layersOf(nodes, known), known);
  const out = groupBy(known, ({ from }) => from);
  const into = groupBy(known, ({ to }) => to);
  const stack = (list: readonly GraphEdge[] = []): number =>
    list.reduce((sum, edge) => sum + thicknessOf(edge) + seam, 0);
  const heightOf = ({ id }: GraphNode): number =>
    Math.max(minHeight, stack(out.get(id)), stack(into.get(id)));
  const middles = middlesOf(layers, heightOf, out);
  const gap = layers.length > 1 ? (width - 2 * margin - nodeWidth) / (layers.length - 1) : 0;
  const placed = layers.flatMap((layer, index) =>
    layer.map((node): PlacedNode => {
      const height = heightOf(node);
      const y = (middles.get(node.id) ?? 0) - height / 2;
      return { node, x: margin + index * gap, y, width: nodeWidth, height };
    }),
  );
  const byId = new Map(placed.map((each) => [each.node.id, each]));
  const middleOf = (id: string): number => middles.get(id) ?? 0;
  const leaving = attach(out, byId, thicknessOf, ({ to }) => middleOf(to));
  const arriving = attach(into, byId, thicknessOf, ({ from }) => middleOf(from));
  const bottom = Math.max(0, ...placed.map(({ y, height }) => y + height));
  return {
    ...{ width, height: bottom + margin, nodes: placed },
    edges: known.map((edge) => {
      const [from, to] = [byId.get(edge.from), byId.get(edge.to)];
      const [x1, x2] = [(from?.x ?? 0) + nodeWidth, to?.x ?? 0];
      const [y1, y2] = [leaving.get(edge) ?? 0, arriving.get(edge) ?? 0];
      const bend = Math.max(30, Math.abs(x2 - x1) / 2);
      return {
        edge,
        path: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`,
        thickness: thicknessOf(edge),
      };
    }),
  };
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

/** Everybody is right of all who call it; calls that would close a cycle do not count. */
function layersOf(
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
): readonly (readonly GraphNode[])[] {
  const out = groupBy(edges, ({ from }) => from);
  const called = new Set(edges.map(({ to }) => to));
  const state = new Map<string, 'open' | 'done'>();
  const order: string[] = [];
  const forward = new Set<GraphEdge>();
  const visit = (start: string): void => {
    const path = [{ id: start, next: 0 }];
    state.set(start, 'open');
    for (let here = path.at(-1); here !== undefined; here = path.at(-1)) {
      const edge = out.get(here.id)?.[here.next];
      here.next += 1;
      if (edge === undefined) {
        state.set(here.id, 'done');
        order.unshift(here.id);
        path.pop();
      } else if (state.get(edge.to) !== 'open') {
        forward.add(edge);
        if (!state.has(edge.to)) {
          state.set(edge.to, 'open');
          path.push({ id: edge.to, next: 0 });
        }
      }
    }
  };
  // Whom nobody calls first, so that cycles are cut where one comes into them.
  for (const { id } of nodes) if (!called.has(id) && !state.has(id)) visit(id);
  for (const { id } of nodes) if (!state.has(id)) visit(id);
  const depth = new Map<string, number>();
  for (const id of order) {
    const mine = depth.get(id) ?? 0;
    depth.set(id, mine);
    for (const edge of out.get(id) ?? [])
      if (forward.has(edge)) depth.set(edge.to, Math.max(depth.get(edge.to) ?? 0, mine + 1));
  }
  const layers: GraphNode[][] = [];
  for (const node of nodes) (layers[depth.get(node.id) ?? 0] ??= []).push(node);
  return layers.filter((layer) => layer.length > 0);
}

/** Each in the middle of those whom it calls, where there is room; nobody above another. */
function middlesOf(
  layers: readonly (readonly GraphNode[])[],
  heightOf: (node: GraphNode) => number,
  out: ReadonlyMap<string, readonly GraphEdge[]>,
): ReadonlyMap<string, number> {
  const middles = new Map<string, number>();
  for (const layer of [...layers].reverse()) {
    let y = margin;
    for (const node of layer) {
      const height = heightOf(node);
      const below = (out.get(node.id) ?? []).flatMap(({ to }) => middles.get(to) ?? []);
      const wish = below.length === 0 ? 0 : (Math.min(...below) + Math.max(...below)) / 2 - height / 2;
      const start = Math.max(y, wish);
      middles.set(node.id, start + height / 2);
      y = start + height + room;
    }
  }
  return middles;
}

/** Where each edge meets its node: side by side, in the order of the other ends. */
function attach(
  groups: ReadonlyMap<string, readonly GraphEdge[]>,
  placed: ReadonlyMap<string, PlacedNode>,
  thicknessOf: (edge: GraphEdge) => number,
  orderOf: (edge: GraphEdge) => number,
): ReadonlyMap<GraphEdge, number> {
  const found = new Map<GraphEdge, number>();
  for (const [id, edges] of groups) {
    const node = placed.get(id);
    if (node === undefined) continue;
    const total = edges.reduce((sum, edge) => sum + thicknessOf(edge) + seam, 0);
    let y = node.y + node.height / 2 - total / 2;
    for (const edge of [...edges].sort((a, b) => orderOf(a) - orderOf(b))) {
      const thick = thicknessOf(edge) + seam;
      found.set(edge, y + thick / 2);
      y += thick;
    }
  }
  return found;
}
