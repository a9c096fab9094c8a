import type { Explanation, ServiceLine } from '../../explain/shapes.js';
import type { ServiceDetail, TrafficAnswer } from '../../traffic/shapes.js';
import type { TapServices } from '../../tap/shapes.js';
import type { TopologyAnswer } from '../../topology/shapes.js';
import type { About, Curves } from '../about.js';
import type { HealthStatus } from './health.js';

/** What the agent said instead of an answer; 0 when it did not answer. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** So long an answer is waited for, in milliseconds. */
const patienceMs = 10_000;

async function ask(path: string, signal: AbortSignal): Promise<Response> {
  const both = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  let response;
  try {
    response = await fetch(path, { signal: both, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  } catch (error) {
    throw new ApiError(0, error instanceof Error ? error.message : 'no answer');
  }
  // An agent that is not ready says so with 503, and with a body like any other.
  if (response.ok || (response.status === 503 && path === '/readyz')) return response;
  const body = (await response.json().catch(() => undefined)) as { readonly error?: string } | undefined;
  throw new ApiError(response.status, body?.error ?? response.statusText);
}

async function json<T>(path: string, signal: AbortSignal): Promise<T> {
  return (await (await ask(path, signal)).json()) as T;
}

const named = (name: string): string => encodeURIComponent(name);

/** The agent's API, as far as the page needs it. All throw ApiError. */
export const api = {
  about: (signal: AbortSignal) => json<About>('/dashboard/about', signal),
  curves: (signal: AbortSignal) => json<Curves>('/dashboard/curves', signal),
  ready: (signal: AbortSignal) => json<{ readonly ok: boolean }>('/readyz', signal),
  status: (signal: AbortSignal) => json<HealthStatus>('/status', signal),
  metrics: async (signal: AbortSignal) => (await ask('/metrics', signal)).text(),
  topology: (isFleet: boolean, signal: AbortSignal) =>
    json<TopologyAnswer>(`/v1/topology?fleet=${isFleet}`, signal),
  traffic: (span: number, signal: AbortSignal) => json<TrafficAnswer>(`/v1/traffic?from=${span}`, signal),
  services: async (signal: AbortSignal) =>
    (await json<{ readonly services: readonly ServiceLine[] }>('/v1/services', signal)).services,
  service: (name: string, span: number, withPoints: boolean, signal: AbortSignal) =>
    json<ServiceDetail>(`/v1/traffic/${named(name)}?from=${span}&points=${withPoints}`, signal),
  tapServices: async (signal: AbortSignal) => (await json<TapServices>('/v1/tap/services', signal)).services,
  why: (name: string, signal: AbortSignal) => json<Explanation>(`/v1/services/${named(name)}/why`, signal),
};
