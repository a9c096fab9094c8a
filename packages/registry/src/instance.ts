/** A JSON value as it may appear in a label. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One running copy of a service, as published in the registry. */
export interface Instance {
  /** IP address or host name, as the registrar wrote it. Never trusted: whoever renders it validates it. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  /** The port is written as text (`"8080"`), because the definition quotes it: Ruby keeps its type. */
  readonly portAsText?: true;
  /** The registrar's instance_id. */
  readonly name?: string;
  /** ZooKeeper's sequence number of the node, where it has one. Ruby calls it `id`. */
  readonly id?: number;
  /** Share of traffic; 0 takes no new traffic. */
  readonly weight?: number;
  /** Options for HAProxy's `server` line, as the registrar wrote them. Never trusted. */
  readonly haproxyServerOptions?: string;
  readonly labels?: Readonly<Record<string, Json>>;
  /** Its registrar (BlaBlaCar's nerve) says that it takes no requests now. */
  readonly available?: false;
  /** Never in a registry: the watcher's source lost it with most others at once, and it is kept for a time. */
  readonly held?: true;
}
