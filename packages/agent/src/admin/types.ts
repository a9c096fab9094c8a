import type { Logger } from '../logger.js';
import type { Metrics } from '../metrics.js';

/** Where to listen; port 0 takes any free one. */
export type AdminAddress = { readonly host: string; readonly port: number } | { readonly socket: string };

export interface AdminRequest {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  /** The parts of the path that the route names (`/services/:name`), decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Empty for GET and HEAD. */
  readonly body: Buffer;
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** One entry of the route table. A GET route serves HEAD as well. */
export interface AdminRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Parts that begin with a colon match any one part: `/services/:name/weight/:weight`. */
  readonly path: string;
  /** What it throws is logged and answered with 500. */
  handle(request: AdminRequest): AdminResponse | Promise<AdminResponse>;
}

/** An answer of /healthz or /readyz: 200 when `ok`, 503 when not; the rest explains. */
export interface HealthReport {
  readonly ok: boolean;
  readonly [detail: string]: unknown;
}

export interface AdminOptions {
  readonly listen: readonly AdminAddress[];
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Whether the agent is fine in itself. Must not depend on ZooKeeper or HAProxy: a restart mends neither. */
  readonly health: () => HealthReport;
  /** Whether it does its job at this moment. */
  readonly ready: () => HealthReport;
  /** What /status shows; any value, bigints and errors included. */
  readonly status: () => unknown;
  readonly routes?: readonly AdminRoute[];
  /** Names, besides addresses and localhost, under which it may be asked (the VM's own name). */
  readonly allowedHosts?: readonly string[];
}
