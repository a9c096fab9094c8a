/** Passes over all layers, to the right and back: later ones change little. */
const passes = 4;

/**
 * Orders each layer so that fewer edges cross: everybody moves to the middle of those whom it is connected with in
 * layers that stand already. Who is equal keeps its order.
 */
export function untangled<T extends { readonly id: string }>(
  layers: readonly (readonly T[])[],
  edges: readonly { readonly from: string; readonly to: string }[],
): readonly (readonly T[])[] {
  const neighbours = new Map<string, string[]>();
  const connect = (a: string, b: string): void => void neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
  for (const { from, to } of edges) {
    connect(from, to);
    connect(to, from);
  }
  const layerOf = new Map(
    layers.flatMap((layer, index) => layer.map(({ id }): [string, number] => [id, index])),
  );
  const place = new Map<string, number>();
  const stand = (layer: readonly T[]): void =>
    layer.forEach(({ id }, index) => void place.set(id, (index + 0.5) / layer.length));
  layers.forEach(stand);
  const sorted = layers.map((layer) => [...layer]);
  for (let pass = 0; pass < passes; pass += 1) {
    const isBack = pass % 2 === 1;
    const order = sorted.map((_, index) => (isBack ? sorted.length - 1 - index : index));
    for (const index of order) {
      const layer = sorted[index] ?? [];
      const middles = new Map(
        layer.map(({ id }) => {
          const done = (neighbours.get(id) ?? []).filter((other) => {
            const there = layerOf.get(other) ?? index;
            return isBack ? there > index : there < index;
          });
          const sum = done.reduce((total, other) => total + (place.get(other) ?? 0), 0);
          return [id, done.length === 0 ? (place.get(id) ?? 0) : sum / done.length];
        }),
      );
      layer.sort((a, b) => (middles.get(a.id) ?? 0) - (middles.get(b.id) ?? 0));
      stand(layer);
    }
  }
  return sorted;
}
