import type { Page } from 'playwright-core';
import type { TopologyAnswer, TopologyEdge } from '../../packages/synapse/src/topology/shapes.ts';

interface DOMRectLike {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Five layers of services that call those of the layers below, two callers that are none, and one with a `hostile` name. */
export function fleet(hostile: string): TopologyAnswer {
  const layers = [['storefront', 'admin', 'mobile-api', 'partner-api'], 16, 30, 30, 20].map((layer, depth) =>
    typeof layer === 'number'
      ? Array.from({ length: layer }, (_, index) => `service-${depth}-${index}`)
      : layer,
  );
  layers[4]![0] = 'web';
  layers[3]![0] = 'orders';
  const edge = (source: string, destination: string, more: Partial<TopologyEdge> = {}): TopologyEdge => ({
    ...{
      source,
      destination,
      identity: 'listener',
      hosts: 1 + ((source.length * 7) % 12),
      onHosts: ['vm-1'],
    },
    ...{ numbersOf: 0, rps: null, successRate: null, p95: null },
    ...more,
  });
  const edges = layers.slice(1).flatMap((layer, above) =>
    layer.flatMap((name, index) => {
      const callers = layers[above]!;
      const by = [callers[index % callers.length]!, callers[(index * 5 + 2) % callers.length]!];
      return [...new Set(by)].map((caller) => edge(caller, name));
    }),
  );
  return {
    ...{
      scope: 'fleet',
      now: 60_000,
      hasFleet: true,
      notes: ['without the nodes of 2 hosts written by a newer agent'],
    },
    hosts: [
      { instanceId: 'vm-1', isThis: true, services: ['mobile-api', 'partner-api'] },
      { instanceId: 'vm-2', isThis: false, services: [] },
    ],
    edges: [
      ...edges,
      edge('nginx', 'storefront', {
        identity: 'unit',
        rps: 120,
        successRate: 0.999,
        p95: 0.02,
        numbersOf: 1,
      }),
      edge('cron', 'admin', { identity: 'user', rps: 0.5, successRate: 0.9, p95: 1, numbersOf: 1 }),
      edge('storefront', hostile, { identity: 'unknown' }),
    ],
  };
}

/** The boxes of the drawing that are upon another. */
export async function overlapping(page: Page): Promise<readonly DOMRectLike[]> {
  const boxes = await page.locator('.node').evaluateAll((all) =>
    all.map((each) => {
      const { left, right, top, bottom } = (
        each as unknown as { getBoundingClientRect(): DOMRectLike }
      ).getBoundingClientRect();
      return { left, right, top, bottom };
    }),
  );
  return boxes.filter((one, index) =>
    boxes
      .slice(index + 1)
      .some(
        (two) => one.left < two.right && two.left < one.right && one.top < two.bottom && two.top < one.bottom,
      ),
  );
}
