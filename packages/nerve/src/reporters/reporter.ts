import type { Clock, Logger } from '@smartstack/agent';
import type { EtcdPool, Instance, SessionPool } from '@smartstack/registry';
import * as z from 'zod';
import type { Asked } from '../config/asked.js';
import type { StatsdEvents } from '../statsdEvents.js';
import type { Folders } from './folder.js';

/** What one registry holds for one service. Times are wall clock milliseconds. */
export type PlainState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'pending'; readonly since: number; readonly error?: string }
  | { readonly kind: 'present'; readonly place: string; readonly since: number };

/** The same for all registries of a service: present if all of them hold it. `reporters` if there are several. */
export type ReportState = PlainState & {
  readonly reporters?: readonly (PlainState & { readonly reporter: string })[];
};

/** Carries one service's registration to a registry, and keeps it there. */
export interface Reporter<Settings = unknown> {
  readonly state: ReportState;
  /** True while the registry cannot be reached, so that waiting for it may take for ever. */
  readonly unreachable: boolean;
  /** Sets what the registry should hold: this instance, or nothing. Returns at once, never gives up. */
  report(instance: Instance | undefined): void;
  /** Takes new settings that leave the place as it is; what was reported follows them. */
  configure(settings: Settings): void;
  /** Resolves when the registry holds what was reported last; rejects when `signal` aborts. */
  settled(signal: AbortSignal): Promise<void>;
  /** Calls `listener` whenever `state` or `unreachable` changes. Returns how to stop that. */
  onChange(listener: () => void): () => void;
  /** Its background duties, if it has any, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Lets go of the registry without withdrawing. The last to do so ends the session, within `deadlineMs`. */
  dispose(deadlineMs?: number): Promise<void>;
}

/** What a reporter gets beside its own options. */
export interface ReporterContext {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly sessions: SessionPool;
  readonly etcd: EtcdPool;
  readonly folders: Folders;
  readonly statsd: StatsdEvents;
}

/** What a reporter of a list may be called. */
export const reporterName = z
  .string()
  .regex(/^[\w.-]{1,60}$/, 'expected letters, digits, _, - and .')
  .nullish()
  .transform((name) => name ?? undefined)
  .describe('What the reporter is called in the status and the metrics; its type by default.');

/** Whose registration it is. */
export interface Registrant {
  readonly service: string;
  readonly instanceId: string;
  readonly host: string;
  readonly port: number;
}

/** What a registry holds of a service. */
export interface Found {
  readonly instances: readonly Instance[];
  /** Registrations that cannot be understood. */
  readonly problems: readonly { readonly path: string; readonly reason: string }[];
}

/** What reading a registry takes. */
interface ListContext extends Pick<ReporterContext, 'clock' | 'sessions'> {
  readonly service: string;
  readonly signal: AbortSignal;
  /** Of one question to the registry. */
  readonly timeoutMs: number;
  /** Whose registrations are enough; others may be left out. */
  readonly only?: Registrant;
}

/** A kind of reporter: its keys in a service's definition, and what makes a reporter of them. */
export interface ReporterKind<Type extends string, Options extends z.ZodRawShape, Settings> {
  readonly type: Type;
  /** Schemas of the keys, spelt as in the file; they stand beside the service's own keys. */
  readonly options: Options;
  /** Keys of `options` without which there is nothing to report to. */
  readonly required: readonly (keyof Options & string)[];
  /** Fills in what depends on the service. */
  readonly complete?: (settings: Settings, service: { readonly checkIntervalMs: number }) => Settings;
  /**
   * What cannot be used although it is well-formed, such as a key file that is missing. `asked` remembers
   * answers for one reading of the configuration: thousands of services name the same few files.
   */
  readonly problems: (
    settings: Settings,
    asked: Asked,
  ) => Promise<readonly { readonly key: string; readonly message: string }[]>;
  /** Equal for settings under which a registration can stay where it is, and be updated in place. */
  readonly place: (settings: Settings) => string;
  /** True when registrations under both settings would get into each other's way. */
  readonly clash: (before: Settings, after: Settings) => boolean;
  readonly create: (
    settings: Settings,
    context: ReporterContext,
    registrant: Registrant,
  ) => Reporter<Settings>;
  /** Reads all that is registered where these settings register, also by others. Rejects when that fails. */
  readonly list?: (settings: Settings, context: ListContext) => Promise<Found>;
}

/** Gives a kind its types; a plug-in exports what this returns. */
export function defineReporter<Type extends string, Options extends z.ZodRawShape, Settings>(
  kind: ReporterKind<Type, Options, Settings>,
): ReporterKind<Type, Options, Settings> {
  return kind;
}
