import type { ApiClient } from '@smartstack/agent/apiClient';
import { reader, table } from '@smartstack/agent/cli';
import * as z from 'zod';

import { explanationShape, serviceShape } from '../explain/shapes.js';
import { serviceDetailShape, type ServiceTraffic, trafficShape } from '../traffic/shapes.js';
import type { StatSpan } from './invocation.js';
import { bytes, count, latency, percent, rate } from './units.js';

const readServices = reader('synapse', z.object({ services: z.array(serviceShape) }));
const readExplanation = reader('synapse', explanationShape);
const readTraffic = reader('synapse', trafficShape);
const readDetail = reader('synapse', serviceDetailShape);

/** A line of `synapse stat`: a service, or a server as `service/server`. */
interface StatLine extends Pick<ServiceTraffic, 'mode' | 'open' | 'noLatencies'> {
  readonly name: string;
  /** Servers that take traffic, and all. */
  readonly up: number;
  readonly total: number;
  /** Where instances come from: live, stale, default, previous; of a server, how it is. */
  readonly state: string;
  /** Null where HAProxy counts nothing of it. */
  readonly summary: ServiceTraffic['summary'] | null;
}

/** What `synapse stat` shows. */
export interface Stat {
  /** Wall clock milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly lines: readonly StatLine[];
}

type Known = Pick<StatLine, 'mode' | 'open' | 'summary' | 'noLatencies'>;

function known(traffic: Known | undefined): Known {
  if (traffic === undefined) return { mode: null, open: 0, summary: null };
  const { mode, open, summary, noLatencies } = traffic;
  return { mode, open, summary, ...(noLatencies !== undefined && { noLatencies }) };
}

/** Asks the agent for all services, or one and its servers. Throws ApiError. */
export async function readStat(
  client: ApiClient,
  service: string | undefined,
  span: StatSpan,
): Promise<Stat> {
  const query = `?from=${span.fromMs / 1000}&to=${span.toMs / 1000}`;
  if (service === undefined) {
    const { from, to, services } = readTraffic(await client.call('GET', `/v1/traffic${query}`));
    const listed = readServices(await client.call('GET', '/v1/services')).services;
    const traffic = new Map(services.map((each) => [each.service, each]));
    const lines = listed.map(({ service: name, takesTraffic: up, servers: total, source: state }) => ({
      ...{ name, up, total, state },
      ...known(traffic.get(name)),
    }));
    return { from, to, lines };
  }
  const place = encodeURIComponent(service);
  const detail = readDetail(await client.call('GET', `/v1/traffic/${place}${query}`));
  const explained = readExplanation(await client.call('GET', `/v1/services/${place}/why`));
  const { service: name } = detail.service;
  const up = explained.servers.filter(({ takesTraffic }) => takesTraffic).length;
  const servers = new Map(detail.servers.map((each) => [each.server, each]));
  return {
    ...{ from: detail.from, to: detail.to },
    lines: [
      { name, up, total: explained.servers.length, state: explained.source, ...known(detail.service) },
      ...explained.servers.map(({ server, takesTraffic, state }) => ({
        ...{ name: `${name}/${server}`, up: takesTraffic ? 1 : 0, total: 1, state },
        ...known(servers.get(server)),
      })),
    ],
  };
}

const columns = ['NAME', 'UP/TOTAL', 'SUCCESS', 'RPS', 'P50', 'P95', 'P99', 'TCP_CONN', 'RETRIES', 'STATE'];
const wideColumns = ['REQUESTS', 'FAILED', 'ABORTED', 'OPEN', 'IN', 'OUT', 'CONN_ERRORS', 'LASTED', 'NOTE'];

/** For people; `wide` has more columns. */
export function statTable({ lines }: Stat, wide: boolean, width: number | undefined): readonly string[] {
  const rows = lines.map(({ name, up, total, state, mode, open, summary, noLatencies }) => [
    name,
    `${up}/${total}`,
    percent(summary?.successRate),
    rate(summary?.rps),
    latency(summary?.p50),
    latency(summary?.p95),
    latency(summary?.p99),
    mode === 'tcp' ? count(open) : '',
    count(summary?.retries),
    state,
    ...(wide
      ? [
          count(summary?.requests),
          count(summary?.failure),
          count(summary?.aborted),
          count(open),
          bytes(summary?.bytesIn),
          bytes(summary?.bytesOut),
          count(summary?.connectErrors),
          latency(summary?.meanDuration),
          noLatencies === undefined ? '' : `no latencies: ${noLatencies}`,
        ]
      : []),
  ]);
  return table(wide ? [...columns, ...wideColumns] : columns, rows, width);
}
