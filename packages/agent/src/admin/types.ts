import type * as z from 'zod';
import type { Clock } from '../clock.js';
import type { Logger } from '../logger.js';
import type { Metrics } from '../metrics.js';

/** Where to listen; port 0 takes any free one. */
export type AdminAddress = { readonly host: string; readonly port: number } | { readonly socket: string };

/** Who may change something, and who may read from other hosts. */
export interface AdminAccess {
  /** A file with the token that requests over TCP need. Without one, nobody may change anything over TCP. */
  readonly tokenFile?: string;
  /** Of the file of a unix socket: whoever may write to it may do everything. Default: 0o660. */
  readonly socketMode?: number;
  /** Name or number of the group of that file; the process's own by default. */
  readonly socketGroup?: string;
}

export interface AdminRequest {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  /** The parts of the path that the route names (`/services/:name`), decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Empty for GET and HEAD. */
  readonly body: Buffer;
  /** In lower case; undefined when none was sent. */
  readonly contentType: string | undefined;
  /** What the asker has already, and how it may be packed. */
  readonly cached?: { readonly etags: string | undefined; readonly encodings: string | undefined };
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  /** Beside, or in place of, those that every answer has; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Writes what follows the body, for as long as it takes; the answer ends when it has settled. Called once, whatever
   * happens: with a signal that has aborted where nobody is to read it, as for HEAD.
   */
  readonly stream?: (sink: AdminSink) => Promise<void>;
}

/** Where a stream writes. */
export interface AdminSink {
  /** Sends a text, or keeps it for a reader who is slow: false while so much is kept that no more should be written. */
  write(text: string): boolean;
  /** Called each time that more may be written. */
  onDrain(listener: () => void): void;
  /** Aborts when the reader has gone. */
  readonly signal: AbortSignal;
}

/** What the API's description says of a route. */
export interface RouteDoc {
  /** One line. */
  readonly summary: string;
  readonly description?: string;
  /** Of the answer; JSON unless said otherwise. */
  readonly contentType?: string;
  readonly params?: z.ZodObject;
  /** All of them may be left out. */
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly response?: z.ZodType;
  /** When it answers 503 with a `response`. */
  readonly unready?: string;
  /** When it refuses, by status. */
  readonly statuses?: Readonly<Record<number, string>>;
}

/** One entry of the route table. A GET route serves HEAD as well. */
export interface AdminRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Parts that begin with a colon match any one part: `/services/:name/weight/:weight`. */
  readonly path: string;
  /** Whether other hosts may ask without a token. */
  readonly isOpen?: boolean;
  /** Whether it takes the token over TCP, as what changes something does; where that is so, also from this host. */
  readonly isPrivate?: boolean;
  /** Whether asking has an effect, so that no other site may have a browser ask, not even with a link. */
  readonly hasEffect?: boolean;
  /** Without it the route is in no description. */
  readonly doc?: RouteDoc;
  /** What it throws is logged and answered with 500, unless it is a Refusal. */
  handle(request: AdminRequest): AdminResponse | Promise<AdminResponse>;
}

/** An answer of /healthz or /readyz: 200 when `ok`, 503 when not; the rest explains. */
export interface HealthReport {
  readonly ok: boolean;
  readonly [detail: string]: unknown;
}

/** Makes one text of metrics of another; what the query says beside `compat` may be labels. May throw a Refusal. */
type CompatMetrics = (text: string, query: URLSearchParams) => Promise<string>;

export interface AdminOptions {
  /** For the API's description: the agent and its version. */
  readonly name: string;
  readonly version: string;
  readonly listen: readonly AdminAddress[];
  readonly access?: AdminAccess;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'expose'>;
  /** Its metrics under the names of others, by what `/metrics?compat=` asks for: of the text that `metrics` exposes. */
  readonly compat?: Readonly<Record<string, CompatMetrics>>;
  /** Whether the agent is fine in itself. Must not depend on ZooKeeper or HAProxy: a restart mends neither. */
  readonly health: () => HealthReport;
  /** Whether it does its job at this moment. */
  readonly ready: () => HealthReport;
  /** What /status shows; any value, bigints and errors included. */
  readonly status: () => unknown;
  /** The routes beside the standard ones. Asked for when first needed, so that a start does not pay for them. */
  readonly routes?: () => Promise<readonly AdminRoute[]>;
  /** Names, besides addresses, localhost and those of `listen`, under which it may be asked (the VM's own name). */
  readonly allowedHosts?: readonly string[];
}
