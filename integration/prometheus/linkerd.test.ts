// /metrics?compat=linkerd, as Prometheus reads it.
import { spawnSync } from 'node:child_process';
import { createMetrics, systemClock, silentLogger, serveAdmin, type AdminAddress } from '@smartstack/agent';
import { expect, it } from 'vitest';
import { noCounts } from '../../packages/synapse/src/generators/haproxy/counters/counts.ts';
import { createTrafficMetrics } from '../../packages/synapse/src/generators/haproxy/trafficMetrics.ts';
import { latencyBounds } from '../../packages/synapse/src/traffic/latency.ts';
import { linkerdLabels, linkerdMetrics } from '../../packages/synapse/src/traffic/linkerd.ts';
import { eventually } from '../harness/eventually.ts';
import { get } from '../harness/load.ts';

/** What promtool says of a text: 1 for what is no exposition, 3 for a matter of taste. */
function promtool(text: string): { readonly status: number | null; readonly stderr: string } {
  return spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
}

const counts = (own: Partial<typeof noCounts>) => ({ ...noCounts, ...own });

it('is an exposition that says the same under other names', async () => {
  const metrics = createMetrics();
  const traffic = createTrafficMetrics(metrics);
  // HAProxy's sections may be called anything that a label can hold.
  for (const service of ['web', 'odd"\\\n{} 1']) {
    traffic.gained(
      service,
      true,
      counts({ stot: 10, hrsp_2xx: 5, hrsp_4xx: 2, hrsp_5xx: 2, hrsp_other: 1 }),
      0,
    );
    traffic.answered(service, [1, ...new Array<number>(latencyBounds.length - 1).fill(0), 8]);
  }
  traffic.gained('db', false, counts({ stot: 3 }), 1);
  const listening: AdminAddress[] = [];
  const stop = new AbortController();
  const query = 'compat=linkerd&namespace=prod&deployment=shop%22';
  const serving = serveAdmin(
    {
      ...{ name: 'synapse', version: '1', listen: [{ host: '127.0.0.1', port: 0 }], metrics },
      ...{ clock: systemClock, logger: silentLogger, status: () => ({}) },
      ...{ health: () => ({ ok: true }), ready: () => ({ ok: true }) },
      compat: {
        linkerd: (text, asked) => Promise.resolve(linkerdMetrics(text, linkerdLabels(asked, 'vm1'))),
      },
      onListening: (addresses) => void listening.push(...addresses),
    },
    stop.signal,
  );
  await eventually(() => listening.length === 1, { what: 'it listens' });
  const { port } = listening[0] as { port: number };
  const ask = (path: string) => get({ port, path });
  const { status, body } = await ask(`/metrics?${query}`);
  const refused = [await ask('/metrics?compat=istio'), await ask('/metrics?compat=linkerd&deployment=')];
  const plain = await ask('/metrics');
  stop.abort();
  await serving;
  expect([status, plain.status, ...refused.map((answer) => answer.status)]).toEqual([200, 200, 400, 400]);
  expect(refused[0]!.body).toContain('only linkerd');
  expect(plain.body).toContain('smartstack_request_total{dst_service="web"} 10');

  const caller = 'direction="outbound",deployment="shop\\"",namespace="prod"';
  const web = `${caller},dst_deployment="web",dst_namespace="prod"`;
  const lines = body.split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      `request_total{${web}} 10`,
      `response_total{${web},classification="success"} 7`,
      `response_total{${web},classification="failure"} 2`,
      `response_latency_ms_bucket{${web},le="0.5"} 1`,
      `response_latency_ms_bucket{${web},le="2.5"} 1`,
      `response_latency_ms_bucket{${web},le="10000"} 1`,
      `response_latency_ms_bucket{${web},le="+Inf"} 9`,
      `response_latency_ms_count{${web}} 9`,
    ]),
  );
  expect(body).not.toContain('db');
  expect(lines.filter((line) => line.startsWith('request_total{'))).toHaveLength(2);

  const { status: verdict, stderr } = promtool(body);
  // Base units are what ours are in; these are Linkerd's.
  const taste = stderr.split('\n').filter((line) => line !== '' && !line.includes('response_latency_ms'));
  expect([verdict === 1, taste], stderr).toEqual([false, []]);
  expect(promtool(body.replace('request_total{', 'request_total{{')).status).toBe(1);
});
