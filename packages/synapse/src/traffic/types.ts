import type { ServiceDetail, TrafficAnswer } from './shapes.js';

/** How traffic is looked at, from agent.yaml. */
export interface TrafficSettings {
  /** Whether HAProxy counts latencies, which takes lines of ours in its file. */
  readonly latencies: boolean;
  /** Which of HAProxy's stick counters these lines use. */
  readonly stickCounter: number;
  /** Whether requests can be looked at while they pass, which takes lines of ours as well. */
  readonly tap?: boolean;
}

/** What was counted more than at the last look. */
export interface Gain {
  /** HTTP requests or TCP connections that began. */
  readonly requests: number;
  readonly success: number;
  readonly failure: number;
  readonly aborted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly retries: number;
  readonly redispatches: number;
  readonly connectErrors: number;
  readonly responseErrors: number;
  readonly clientAborts: number;
}

/** What one server answered since the last look, for whoever steers by it. */
export interface ServerGain {
  readonly service: string;
  readonly backend: string;
  /** HAProxy's name of it. */
  readonly server: string;
  /** Seconds since the look before at that worker of HAProxy; 0 at the first. */
  readonly seconds: number;
  /** Responses by latency, as in `latencyBounds`; their sum is how many there were. */
  readonly latencies: readonly number[];
  /** Those of them that were 5xx. Requests without an answer are in nobody's histogram. */
  readonly failures: number;
}

/** Hears of every look at the histograms of a worker of HAProxy: the servers that answered anything. Must not throw, nor take long. */
export type GainListener = (gains: readonly ServerGain[]) => void;

/** A span of time, as milliseconds before now; `fromMs` is the longer. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  /** With the single slots, for charts. */
  readonly withPoints: boolean;
}

/** What the traffic of services comes to: for the API, the dashboard, and the balancing by latency. */
export interface TrafficView {
  /** All services. */
  services(span: Span): TrafficAnswer;
  /** One service and its servers; undefined when there is no such service. */
  service(name: string, span: Span): ServiceDetail | undefined;
  /** Tells `listener` of each look, until the function that is returned is called. */
  listen(listener: GainListener): () => void;
}
