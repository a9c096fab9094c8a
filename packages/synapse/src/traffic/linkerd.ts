import { Refusal } from '@smartstack/agent';

import { escaped, type Sample, samplesOf } from '../samples.js';

/** Who the traffic is said to come from. */
export interface LinkerdLabels {
  readonly deployment: string;
  readonly namespace: string;
}

/** Longest value of a label, in characters. */
const maxLength = 128;

/** The labels that `?compat=linkerd&deployment=…&namespace=…` asks for. Throws a Refusal. */
export function linkerdLabels(query: URLSearchParams, host: string): LinkerdLabels {
  const given = (name: string, usual: string): string => {
    const value = query.get(name) ?? usual;
    if (value === '' || value.length > maxLength || /\p{Cc}/u.test(value))
      throw new Refusal(400, `${name}: expected 1 to ${maxLength} characters, and no control characters`);
    return value;
  };
  return { deployment: given('deployment', host), namespace: given('namespace', 'default') };
}

/** A bound in seconds as milliseconds, without what floating point adds. */
function inMilliseconds(seconds: string): string {
  return seconds === '+Inf' ? seconds : String(Math.round(Number(seconds) * 1e6) / 1e3);
}

/**
 * The traffic in `text` (our metrics) under the names of Linkerd's proxy, so that its dashboards and rules can be used.
 * A response that never came (`aborted`) is no success there, and no failure: it is left out.
 */
export function linkerdMetrics(text: string, { deployment, namespace }: LinkerdLabels): string {
  const caller = `direction="outbound",deployment="${escaped(deployment)}",namespace="${escaped(namespace)}"`;
  const to = ({ labels }: Sample): string =>
    `${caller},dst_deployment="${labels.get('dst_service') ?? ''}",dst_namespace="${escaped(namespace)}"`;
  const responses = new Map<string, number>();
  for (const sample of samplesOf(text, 'smartstack_response_total')) {
    const classification = sample.labels.get('classification');
    if (classification !== 'success' && classification !== 'failure') continue;
    const series = `${to(sample)},classification="${classification}"`;
    responses.set(series, (responses.get(series) ?? 0) + Number(sample.value));
  }
  const latency = 'smartstack_response_latency_seconds';
  return [
    '# HELP request_total Requests for a service.',
    '# TYPE request_total counter',
    ...samplesOf(text, 'smartstack_request_total').map(
      (sample) => `request_total{${to(sample)}} ${sample.value}`,
    ),
    '# HELP response_total Responses, by what they were.',
    '# TYPE response_total counter',
    ...[...responses].map(([series, value]) => `response_total{${series}} ${value}`),
    '# HELP response_latency_ms Time to the headers of the response.',
    '# TYPE response_latency_ms histogram',
    ...samplesOf(text, `${latency}_bucket`).map(
      (sample) =>
        `response_latency_ms_bucket{${to(sample)},le="${inMilliseconds(sample.labels.get('le') ?? '')}"} ${sample.value}`,
    ),
    ...samplesOf(text, `${latency}_sum`).map(
      (sample) => `response_latency_ms_sum{${to(sample)}} ${Number(sample.value) * 1000}`,
    ),
    ...samplesOf(text, `${latency}_count`).map(
      (sample) => `response_latency_ms_count{${to(sample)}} ${sample.value}`,
    ),
    '',
  ].join('\n');
}
