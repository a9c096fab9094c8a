/** A title line (`frontend web`) and the lines below it, without indentation. */
export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

/** One `server` line. Every field is validated: nothing here can break out of its place in a line or command. */
export interface Server {
  /** `<instance name>_<host>:<port>` or `<host>:<port>`, as Ruby builds it. */
  readonly name: string;
  /** IPv4 or IPv6 literal (names are resolved before they get here). */
  readonly address: string;
  readonly port: number;
  /** HAProxy's server id (`id N`); always known, also when it comes from the options themselves. */
  readonly id: number | undefined;
  /** Value of `cookie`, written only where the backend has a `cookie` directive. */
  readonly cookie?: string;
  /** Words of server_options and haproxy_server_options in line order, templates expanded. */
  readonly options: readonly string[];
  /** From the registry with `use_nerve_weights`; then `options` holds no `weight`. */
  readonly weight?: number;
  /** Remembered from the state file but not discovered now: kept in the file as `disabled`. */
  readonly disabled: boolean;
  /**
   * Only in what is believed to run: it was being replaced when the conversation with HAProxy broke off, so that it
   * may run as before or as was wanted then.
   */
  readonly unconfirmed?: true;
}

export interface Backend {
  /** Name of the section (`backend_name`), which may differ from the service's. */
  readonly name: string;
  readonly lines: readonly string[];
  readonly servers: readonly Server[];
}

export interface ServiceSections {
  readonly service: string;
  readonly frontend?: Section;
  readonly backend: Backend;
}

/** Servers of a service, wherever they are known from. */
export type KnownServers = Pick<ServiceSections, 'service'> & {
  readonly backend: Pick<ServiceSections['backend'], 'servers'>;
};

/** Everything haproxy.cfg should hold, as a value. `render` is a pure function of it. */
export interface DesiredState {
  /** global, defaults and extra_sections (and our presets), in file order. */
  readonly base: readonly Section[];
  readonly services: readonly ServiceSections[];
  readonly sharedFrontend?: Section;
  /** No frontend is called as a backend is (`withSeparateNames`): nor may be what stands in for a part of it. */
  readonly separateNames?: true;
  /** Its backends have lines that count latencies, where they can (`withLatencies`). */
  readonly latencies?: LatencySettings;
  /** Its backends have the lines of their budgets of retries, where they can (`withBudgets`). */
  readonly budgets?: true;
  /** Its frontends have the lines of the tap, where they can (`withTap`). */
  readonly tap?: TapSettings;
}

/** How requests are tapped. */
export interface TapSettings {
  /** Services that do without. */
  readonly except: readonly string[];
}

/** How latencies are counted in HAProxy. */
export interface LatencySettings {
  /** Which of HAProxy's stick counters is ours. */
  readonly stickCounter: number;
  /** Services that do without. */
  readonly except: readonly string[];
}

/** What one server is in the running process. */
export interface ObservedServer {
  readonly name: string;
  readonly id: number;
  readonly address: string;
  readonly port: number;
  /** Weight that the operator set, 0 to 256 (`srv_uweight`). */
  readonly weight: number;
  readonly admin: 'ready' | 'drain' | 'maint';
  readonly operational: 'up' | 'down' | 'starting' | 'stopping';
  /** True while HAProxy checks it (`srv_check_state` enabled). */
  readonly checked: boolean;
}

/** Read from the process that runs: `show info` and `show servers state`. */
export interface ObservedState {
  readonly process: { readonly pid: number; readonly version: string; readonly uptimeSeconds: number };
  /** By backend name, then by server name. Every backend of the process, also those without servers. */
  readonly backends: ReadonlyMap<string, ReadonlyMap<string, ObservedServer>>;
}

/** Weights other than the servers' own, by backend and server: they are never in the file. */
export type SteeredWeights = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Ids of servers that are not ours, by backend: the names that have them. */
export type ForeignIds = ReadonlyMap<string, ReadonlyMap<number, string>>;

/** A branch of HAProxy: 2.6 is [2, 6]. */
export type Release = readonly [major: number, minor: number];

/** What the installed HAProxy can do; from its version, detected once per process. */
export interface Capabilities {
  readonly version: string;
  /** [0, 0] when the version cannot be read. */
  readonly release: Release;
  /** `add server` and `del server` without a reload (>= 2.6). */
  readonly dynamicServers: boolean;
  /** `add server ... cookie` is accepted (>= 3.0). */
  readonly dynamicCookie: boolean;
  /** The file's TLS servers send the request's host as SNI, but those of `add server` do not (3.3). */
  readonly addServerForgetsSni: boolean;
  /** A frontend and a backend of one name are refused (>= 3.3). */
  readonly separateNames: boolean;
  /** Stick tables hold lists of counters (`gpc(n)`, >= 2.5); asked for from 2.6 on, which was tried. */
  readonly counterArrays: boolean;
}

/** One change that a running HAProxy takes without a reload. Values, not strings: `runtimeApi` encodes them. */
export type RuntimeCommand =
  | {
      readonly kind: 'add-server';
      readonly backend: string;
      readonly server: string;
      readonly address: string;
      readonly port: number;
      readonly id: number;
      /** Keywords accepted by `add server` of this version; without id, weight and disabled. */
      readonly options: readonly string[];
      /** Absolute weight that it ends with, 0 to 256. */
      readonly weight: number;
      /** True when the options hold `check`: then it is probed first and enters UP or DOWN accordingly. */
      readonly checked: boolean;
    }
  | { readonly kind: 'remove-server'; readonly backend: string; readonly server: string }
  | {
      readonly kind: 'set-state';
      readonly backend: string;
      readonly server: string;
      readonly state: 'ready' | 'drain' | 'maint';
    }
  | {
      /** Back to its own address: one that is wanted again while it was being removed, or that hands moved. */
      readonly kind: 'set-address';
      readonly backend: string;
      readonly server: string;
      readonly address: string;
      readonly port: number;
    }
  | {
      readonly kind: 'set-weight';
      readonly backend: string;
      readonly server: string;
      readonly weight: number;
    };

/** Why a reload cannot be avoided. Logged, counted by `kind`, shown in the status. */
export interface ReloadReason {
  readonly kind:
    | 'first-configuration'
    | 'process-not-ours'
    | 'base-changed'
    | 'section-added'
    | 'section-removed'
    | 'lines-changed'
    | 'server-needs-reload'
    | 'no-dynamic-servers'
    | 'runtime-failed'
    | 'operator-request';
  /** One line for people: which section or server, and what about it. */
  readonly detail: string;
  readonly service?: string;
}

/** The difference between desired, loaded and observed, as a value. Empty arrays mean nothing to do. */
export interface Plan {
  readonly commands: readonly RuntimeCommand[];
  readonly reload: readonly ReloadReason[];
}
