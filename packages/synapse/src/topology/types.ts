import type { End } from './socketTable.js';

/** Where clients of services connect to on this host. */
export interface Entrance {
  /** Undefined: for which service a connection is, only the proxy knows. */
  readonly service: string | undefined;
  /** All for which it can be. */
  readonly services: readonly string[];
  /** What the proxy calls it. */
  readonly frontend: string;
  /** An IP address; 0.0.0.0 or :: for any of its family. */
  readonly host: string;
  readonly port: number;
  /** An IPv6 address that takes IPv4 connections as well. */
  readonly bothFamilies: boolean;
}

/** A client that the proxy serves at the moment, and for which service, at an entrance of several. */
export interface SharedClient {
  readonly frontend: string;
  readonly client: End;
  readonly service: string;
}

/** A caller who came in at an address of his own. */
export interface OwnCall {
  readonly caller: string;
  readonly service: string;
}

/** What the proxy knows of its clients. */
export interface ClientReading {
  readonly shared: readonly SharedClient[];
  /** Since the last look. */
  readonly own: readonly OwnCall[];
  /** There are more clients than are looked at. */
  readonly isCut: boolean;
}

/**
 * How it is known who calls, the surest first: the configuration says so; the user of the socket is the one whose
 * process serves this service of nerve; its only systemd unit; its name; nerve has only this service here; only the
 * host is known. `unknown` has a socket that cannot be seen: in a container, or on another host.
 */
export type Identity = 'declared' | 'listener' | 'unit' | 'user' | 'only-service' | 'host' | 'unknown';

/** Somebody who calls services. It is no proof of who they are. */
export interface Caller {
  readonly name: string;
  readonly identity: Identity;
}

/** Who calls whom, on one host. */
export interface Edge {
  readonly caller: Caller;
  readonly service: string;
  /** Wall clock milliseconds. */
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** A service that nerve registers from this host. */
export interface HostedService {
  readonly name: string;
  readonly port: number;
}
