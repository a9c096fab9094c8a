import { createMetrics } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { noCounts } from './counters/counts.js';
import { rowKey, type StatRow } from './counters/statTable.js';
import { aServer, aService } from './testing/sections.js';
import { Traffic } from './traffic.js';
import { createTrafficMetrics } from './trafficMetrics.js';

const backend = (name: string, stot: number, open = 0): StatRow => ({
  ...{ kind: 'backend', key: rowKey('backend', name), id: 1, http: true, open, isDown: false },
  counts: { ...noCounts, stot, hrsp_2xx: stot },
});
const server = (name: string, stot: number): StatRow => ({
  ...{ kind: 'server', key: rowKey('server', name, 'a'), id: 1, http: true, open: 0, isDown: false },
  counts: { ...noCounts, stot },
});

describe('a service with tiers', () => {
  let metrics: ReturnType<typeof createMetrics>;
  let traffic: Traffic;
  const web = aService([aServer('a'), aServer('b')]);
  const tier = { service: 'web@zone', backend: { name: 'web.zone', lines: [], servers: [aServer('a')] } };

  beforeEach(() => {
    metrics = createMetrics();
    traffic = new Traffic(new FakeClock(), createTrafficMetrics(metrics));
    traffic.serve([web, tier, aService([], { service: 'api' })]);
  });
  const read = (rows: readonly StatRow[]): void => {
    traffic.add({ worker: 'w', rows, hasServers: true }, 0);
    traffic.publish(['w'], true);
  };
  const series = async (name: string): Promise<readonly string[]> =>
    (await metrics.expose()).body.split('\n').filter((line) => line.startsWith(`${name}{`));

  it('is counted as one', async () => {
    read([
      backend('web', 3),
      backend('web.zone', 40),
      backend('api', 500),
      server('web', 1),
      server('web.zone', 40),
    ]);
    expect(await series('smartstack_request_total')).toEqual([
      'smartstack_request_total{dst_service="web"} 43',
      'smartstack_request_total{dst_service="api"} 500',
    ]);
    expect(traffic.status()).toMatchObject({ web: { stot: 43, servers: { a: { stot: 41 }, b: {} } } });
    // Only the tier went on.
    read([backend('web', 3), backend('web.zone', 42), backend('api', 500), server('web.zone', 42)]);
    expect((await series('smartstack_request_total'))[0]).toContain(' 45');
  });

  it('goes on when tiers come and go, and ends with its service', async () => {
    read([backend('web', 3), backend('web.zone', 40)]);
    traffic.serve([web]);
    read([backend('web', 5)]);
    expect(await series('smartstack_request_total')).toEqual([
      'smartstack_request_total{dst_service="web"} 45',
    ]);
    traffic.serve([web, tier]);
    read([backend('web', 5), backend('web.zone', 1)]);
    expect((await series('smartstack_request_total'))[0]).toContain(' 46');
    traffic.serve([]);
    expect(await series('smartstack_request_total')).toEqual([]);
  });
});
