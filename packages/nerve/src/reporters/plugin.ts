import { inspect, isDeepStrictEqual } from 'node:util';
import { type Clock, describeError, type Logger, within } from '@smartstack/agent';
import { type Instance, nerveCodec } from '@smartstack/registry';
import * as z from 'zod';
import { camelKeys } from '../config/camel.js';
import { pluginEntry } from '@smartstack/agent/plugins';
import { definedBy } from '../plugins/kit.js';
import { Carrier } from './carrier.js';
import { PluginCalls } from './pluginCalls.js';
import {
  type PlainState,
  type Registrant,
  type Reporter,
  type ReporterContext,
  type ReporterKind,
  reporterName,
} from './reporter.js';

/** What a module's reporter is to make its registry hold: an instance, and airbnb's JSON of it. */
export interface PluginRegistration {
  readonly instance: Instance;
  readonly data: Buffer;
}

/** What a module knows of whom it works for. */
export interface PluginReporterContext extends Registrant {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A reporter as a module makes it. */
interface PluginReporter {
  /**
   * Makes the registry hold this, or nothing of ours, whatever it holds now; never called twice at once. Resolves
   * with where it stands. What it throws is told, and it is called again.
   */
  readonly carry: (
    wanted: PluginRegistration | undefined,
    signal: AbortSignal,
  ) => Promise<string | undefined>;
  /** Call it again so long after it succeeded, in milliseconds, for a registry that forgets. */
  readonly renewMs?: number;
  /** Lets go of the registry, without withdrawing. */
  readonly close?: () => void | Promise<void>;
}

/** A kind of reporter from a module, as far as it was looked at. */
export interface PluginReporterKind {
  readonly schema: z.ZodType;
  readonly create: (options: unknown, context: PluginReporterContext) => unknown;
  readonly place?: (options: unknown) => string;
}

/** What is known of a reporter whose kind is in a module. */
export interface PluginSettings {
  readonly kind: string;
  readonly module: string;
  /** Undefined until the module was loaded: a version of it, and the options as it sees them. */
  readonly use:
    | {
        readonly url: string;
        readonly options: unknown;
        readonly kind: PluginReporterKind;
        readonly place: string;
      }
    | undefined;
}

/** A reporter whose kind is in a module, among the kinds that are built in. */
export function pluginReporterSchema(types: ReadonlySet<string>) {
  return pluginEntry('type', types, ({ type, module, name }) => {
    const settings: PluginSettings = { kind: type, module, use: undefined };
    const known = reporterName.safeParse(name);
    return { type: 'plug-in' as const, name: known.success ? known.data : undefined, settings };
  });
}

/** Gives a kind of a module its types and its schema; `options` are spelt as in the file, `create` sees them in camelCase. */
export function definePluginReporter(kind: {
  readonly type: string;
  readonly options: z.ZodRawShape;
  readonly create: PluginReporterKind['create'];
  readonly place?: PluginReporterKind['place'];
}): PluginReporterKind {
  const keys = { type: z.literal(kind.type), name: reporterName, ...kind.options };
  return {
    schema: z.strictObject(keys).transform((value) => camelKeys(value)),
    create: kind.create,
    ...(kind.place && { place: kind.place }),
  };
}

/** The kind of reporter that a module exports. Throws with what is wrong with it. */
export async function reporterKindIn(
  exported: Readonly<Record<string, unknown>>,
): Promise<PluginReporterKind> {
  const made = await definedBy(exported, { defineReporter: definePluginReporter });
  const { schema, create } = Object(made) as Partial<PluginReporterKind>;
  if (typeof schema?.safeParse !== 'function' || typeof create !== 'function') {
    throw new Error(
      'its default export is no reporter: expected what defineReporter returns, or a function of it',
    );
  }
  return made as PluginReporterKind;
}

/** A module's reporters, as the other kinds are. */
export const pluginReporter: ReporterKind<'plug-in', z.ZodRawShape, PluginSettings> = {
  type: 'plug-in',
  options: {},
  required: [],
  problems: () => Promise.resolve([]),
  place: ({ kind, module, use }) => JSON.stringify([kind, module, use?.place]),
  clash: () => false,
  create: (settings, context, registrant) => new ModuleReporter(settings, context, registrant),
};

/** Where a module says that it reports to; by default, its options. Throws what the module throws, or what is wrong with it. */
export function pluginPlace(kind: PluginReporterKind, options: unknown): string {
  if (kind.place === undefined)
    return inspect(options, { depth: null, maxArrayLength: null, maxStringLength: null, sorted: true });
  const place: unknown = kind.place(options);
  if (typeof place !== 'string') throw new Error('place() gives no text');
  return place;
}

/** Bounds of the time between two renewals, in milliseconds: no registry forgets faster, no timer lasts longer. */
const [renewMinMs, renewMaxMs] = [1_000, 2_000_000_000];
/** For a module to let go, in milliseconds. */
const closeMs = 2_000;

class ModuleReporter implements Reporter<PluginSettings> {
  readonly #context: ReporterContext;
  readonly #registrant: Registrant;
  readonly #carrier: Carrier<Instance>;
  #settings: PluginSettings;
  #made: PluginReporter | Error;
  #calls: PluginCalls;
  #instance: Instance | undefined;
  #told = false;

  constructor(settings: PluginSettings, context: ReporterContext, registrant: Registrant) {
    this.#settings = settings;
    this.#context = context;
    this.#registrant = registrant;
    this.#made = this.#make();
    this.#calls = this.#newCalls();
    const { clock, logger, random } = context;
    this.#carrier = new Carrier({
      ...{ clock, logger, random },
      carry: (wanted) => this.#carry(wanted),
      renewMs: () => (this.#made instanceof Error ? undefined : renewalOf(this.#made.renewMs)),
    });
  }

  get state(): PlainState {
    return this.#carrier.state;
  }

  get unreachable(): boolean {
    return this.#carrier.failing;
  }

  report(instance: Instance | undefined): void {
    this.#instance = instance;
    this.#told = true;
    this.#carrier.want(instance);
  }

  /** Options that stay at one place, or another version of the module: the new one takes over what stands. */
  configure(settings: PluginSettings): void {
    const before = this.#settings.use;
    this.#settings = settings;
    if (isDeepStrictEqual(before, settings.use)) return;
    this.#close(closeMs).catch(() => undefined);
    this.#made = this.#make();
    this.#calls = this.#newCalls();
    if (this.#told) this.#carrier.want(this.#instance);
  }

  settled(signal: AbortSignal): Promise<void> {
    return this.#carrier.settled(signal);
  }

  onChange(listener: () => void): () => void {
    return this.#carrier.onChange(listener);
  }

  run(): Promise<void> {
    return Promise.resolve();
  }

  async dispose(deadlineMs = closeMs): Promise<void> {
    this.#carrier.dispose();
    await this.#close(deadlineMs);
  }

  /** What a late call has done may be out of date by then. */
  #newCalls(): PluginCalls {
    return new PluginCalls(this.#context.clock, () => {
      if (this.#told) this.#carrier.again();
    });
  }

  #make(): PluginReporter | Error {
    const { use } = this.#settings;
    const { clock, logger } = this.#context;
    try {
      const made = Object(use?.kind.create(use.options, { clock, logger, ...this.#registrant })) as object;
      if (typeof (made as Partial<PluginReporter>).carry === 'function') return made as PluginReporter;
      return new Error('the module makes no reporter: expected { carry }');
    } catch (error) {
      return new Error(`the module: ${describeError(error)}`);
    }
  }

  async #carry(wanted: Instance | undefined): Promise<string | undefined> {
    const made = this.#made;
    if (made instanceof Error) throw made;
    const registration = wanted && { instance: wanted, data: nerveCodec.encode(wanted) };
    const place: unknown = await this.#calls.run((signal) => made.carry(registration, signal));
    if (wanted === undefined) return undefined;
    return typeof place === 'string' && place !== '' ? place : this.#settings.kind;
  }

  /** Never rejects. */
  async #close(deadlineMs: number): Promise<void> {
    this.#calls.abort();
    const made = this.#made;
    if (made instanceof Error) return;
    const { clock, logger } = this.#context;
    const closing = (async () => {
      await made.close?.();
    })().catch((error: unknown) => {
      logger.warn('a reporter of a module could not be closed', { error: describeError(error) });
    });
    await within(closing, deadlineMs, clock);
  }
}

function renewalOf(ms: unknown): number | undefined {
  if (typeof ms !== 'number' || !(ms > 0) || ms === Infinity) return undefined;
  return Math.min(Math.max(ms, renewMinMs), renewMaxMs);
}
