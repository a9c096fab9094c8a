import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Graph, layOut } from './graph.js';

const graph = (ids: readonly string[], calls: readonly (readonly [string, string, number])[]): Graph => ({
  nodes: ids.map((id) => ({ id, label: id, kind: 'service', note: '', success: 1 })),
  edges: calls.map(([from, to, rps]) => ({ from, to, rps, success: 1 })),
});
const draw = (...args: Parameters<typeof graph>) => layOut(graph(...args), 1_000, 200);
const xs = (layout: ReturnType<typeof draw>) =>
  Object.fromEntries(layout.nodes.map(({ node, x }) => [node.id, x]));

describe('the drawing of a graph', () => {
  it('has callers left of those whom they call, and fills its width', () => {
    expect(
      xs(
        draw(
          ['h', 'a', 'b', 'c'],
          [
            ['h', 'a', 1],
            ['a', 'b', 1],
            ['h', 'b', 1],
            ['b', 'c', 1],
          ],
        ),
      ),
    ).toEqual({
      h: 8,
      a: 269.3333333333333,
      b: 530.6666666666666,
      c: 792,
    });
  });

  it('cuts cycles, and ignores whoever calls itself or somebody unknown', () => {
    const drawn = draw(
      ['h', 'a', 'b'],
      [
        ['h', 'a', 1],
        ['a', 'b', 1],
        ['b', 'a', 1],
        ['a', 'a', 1],
        ['a', 'x', 1],
      ],
    );
    const { h, a, b } = xs(drawn);
    expect(h! < a! && a! < b!).toBe(true);
    expect(drawn.edges).toHaveLength(3);
    expect(
      draw(
        ['a', 'b'],
        [
          ['a', 'b', 1],
          ['b', 'a', 1],
        ],
      ).nodes,
    ).toHaveLength(2);
  });

  it('is thicker where there is more, and never vanishes', () => {
    const [much, little, none] = draw(
      ['h', 'a', 'b', 'c'],
      [
        ['h', 'a', 100],
        ['h', 'b', 1],
        ['h', 'c', 0],
      ],
    ).edges;
    expect(much!.thickness).toBe(20);
    expect(little!.thickness).toBeCloseTo(3.35);
    expect(none!.thickness).toBe(1.5);
  });

  it('is empty without anybody, and finite without traffic', () => {
    expect(draw([], [])).toMatchObject({ nodes: [], edges: [] });
    expect(draw(['h', 'a'], [['h', 'a', 0]]).edges[0]!.path).not.toContain('NaN');
  });

  it('never has one node upon another, nor any outside, whoever calls whom', () => {
    const id = fc.integer({ min: 0, max: 14 }).map(String);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(id, id, fc.double({ min: 0, max: 1e5, noNaN: true })), { maxLength: 60 }),
        (calls) => {
          const ids = Array.from({ length: 15 }, (_, index) => String(index));
          const { nodes, edges, width, height } = draw(ids, calls);
          expect(nodes).toHaveLength(15);
          for (const { x, y, width: w, height: h } of nodes) {
            expect(x >= 0 && x + w <= width && y >= 0 && y + h <= height).toBe(true);
          }
          for (const one of nodes)
            for (const other of nodes)
              if (one !== other && Math.abs(one.x - other.x) < 1)
                expect(one.y >= other.y + other.height || other.y >= one.y + one.height).toBe(true);
          for (const { path } of edges) expect(path).not.toMatch(/NaN|undefined/);
        },
      ),
    );
  });
});
