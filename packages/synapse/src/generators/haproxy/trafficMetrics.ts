import type { CountedHistogram, Counter, Gauge, Metrics } from '@smartstack/agent';
import { latencyBounds, latencySum } from '../../traffic/latency.js';
import type { CountColumn, Counts } from './counters/counts.js';

/** What requests and connections came to, by service. */
export interface TrafficMetrics {
  /** A service's backend gained so much, and has so many requests or connections under way. */
  gained(service: string, isHttp: boolean, gain: Counts, open: number): void;
  /** Its frontend refused so many requests more. */
  refused(service: string, count: number): void;
  /** Its servers answered so many requests more, by latency. */
  answered(service: string, latencies: readonly number[]): void;
  /** How long its connections lasted on average lately, in seconds. */
  lasted(service: string, seconds: number): void;
  /** HAProxy's counters could not be read. */
  failed(): void;
  /** A worker ended before its counters of the last so many seconds were read. */
  lost(seconds: number): void;
  /** Drops all series of a service that left. */
  remove(service: string): void;
}

const classes = [
  { column: 'hrsp_1xx', labels: { status_class: '1xx', classification: 'success' } },
  { column: 'hrsp_2xx', labels: { status_class: '2xx', classification: 'success' } },
  { column: 'hrsp_3xx', labels: { status_class: '3xx', classification: 'success' } },
  { column: 'hrsp_4xx', labels: { status_class: '4xx', classification: 'success' } },
  { column: 'hrsp_5xx', labels: { status_class: '5xx', classification: 'failure' } },
  // Ended without any response: the client left first, or a rule dropped it.
  { column: 'hrsp_other', labels: { status_class: 'other', classification: 'aborted' } },
] as const;

/** Counters of one column each: name and help. */
const simple: readonly (readonly [CountColumn, string, string])[] = [
  ['bin', 'smartstack_tcp_read_bytes_total', 'Bytes that came from clients for a service.'],
  ['bout', 'smartstack_tcp_write_bytes_total', 'Bytes that went to clients of a service.'],
  [
    'wretr',
    'smartstack_retry_total',
    'Further attempts after a bad answer, or to connect to the same server.',
  ],
  [
    'wredis',
    'smartstack_redispatch_total',
    'Requests that went to another server than the one chosen first.',
  ],
  ['econ', 'smartstack_connection_error_total', 'Connections to servers of a service that failed.'],
  ['eresp', 'smartstack_response_error_total', 'Responses that were invalid, or that a server broke off.'],
  ['cli_abrt', 'smartstack_client_abort_total', 'Transfers that a client broke off.'],
];

/** Declares the metrics that come from HAProxy's own counters. */
export function createTrafficMetrics(metrics: Metrics): TrafficMetrics {
  const labels = ['dst_service'];
  const requests = metrics.counter({
    name: 'smartstack_request_total',
    help: 'HTTP requests for a service, counted when they reach its backend.',
    labels,
  });
  const responses = metrics.counter({
    name: 'smartstack_response_total',
    help: "HTTP responses to a service's clients, HAProxy's own included (503: no server).",
    labels: ['dst_service', 'classification', 'status_class'],
  });
  const connections = metrics.counter({
    name: 'smartstack_tcp_open_total',
    help: 'Connections to a service in mode tcp.',
    labels,
  });
  const open = metrics.gauge({
    name: 'smartstack_tcp_open_connections',
    help: 'Connections to a service in mode tcp that are open now, old workers included.',
    labels,
  });
  const refused = metrics.counter({
    name: 'smartstack_request_error_total',
    help: "Requests that a service's frontend could not read: invalid, or never completed.",
    labels,
  });
  const failures = metrics.counter({
    name: 'smartstack_haproxy_counter_failures_total',
    help: "Readings of HAProxy's counters that failed; the next one makes up for it.",
  });
  const latency = metrics.countedHistogram({
    name: 'smartstack_response_latency_seconds',
    help: "From when a service's backend has a request until it has the response's headers; the sum is estimated.",
    labels,
    buckets: latencyBounds,
  });
  const duration = metrics.gauge({
    name: 'smartstack_tcp_connection_duration_seconds',
    help: 'How long the last 1,024 connections to a service in mode tcp lasted on average.',
    labels,
  });
  const unread = metrics.counter({
    name: 'smartstack_haproxy_counter_losses_total',
    help: 'Workers of HAProxy that ended before their counters were read to the end.',
  });
  const unreadSeconds = metrics.counter({
    name: 'smartstack_haproxy_counter_lost_seconds_total',
    help: 'Time of which their last requests are not counted.',
  });
  const counters = simple.map(([column, name, help]) => ({
    column,
    counter: metrics.counter({ name, help, labels }),
  }));
  const plain: readonly (Counter | Gauge | CountedHistogram)[] = [
    ...[requests, connections, open, refused, latency, duration],
  ];
  return {
    gained: (dst_service, isHttp, gain, openNow) => {
      for (const { column, counter } of counters) counter.inc({ dst_service }, gain[column]);
      if (!isHttp) {
        connections.inc({ dst_service }, gain.stot);
        open.set(openNow, { dst_service });
        return;
      }
      requests.inc({ dst_service }, gain.stot);
      for (const each of classes) responses.inc({ dst_service, ...each.labels }, gain[each.column]);
    },
    refused: (dst_service, count) => refused.inc({ dst_service }, count),
    answered: (dst_service, latencies) => latency.add(latencies, latencySum(latencies), { dst_service }),
    lasted: (dst_service, seconds) => duration.set(seconds, { dst_service }),
    failed: () => failures.inc(),
    lost: (seconds) => {
      unread.inc();
      unreadSeconds.inc({}, seconds);
    },
    remove: (dst_service) => {
      for (const metric of plain) metric.remove({ dst_service });
      for (const { counter } of counters) counter.remove({ dst_service });
      for (const each of classes) responses.remove({ dst_service, ...each.labels });
    },
  };
}
