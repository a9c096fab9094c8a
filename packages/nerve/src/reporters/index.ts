import * as z from 'zod';
import { camel, type CamelKeys, camelKeys } from '../config/camel.js';
import { etcdReporter } from './etcd.js';
import { fileReporter } from './file.js';
import { pluginReporter, pluginReporterSchema, type PluginSettings } from './plugin.js';
import { type ReporterKind, reporterName } from './reporter.js';
import { zookeeperReporter } from './zookeeper.js';

/** Every kind of reporter there is: the only list. */
const reporters = { zookeeper: zookeeperReporter, etcd: etcdReporter, file: fileReporter } as const;

type Kinds = typeof reporters;
export type ReporterType = keyof Kinds;
const types = Object.keys(reporters);
type SettingsOf<K extends ReporterType> = CamelKeys<z.output<z.ZodObject<Kinds[K]['options']>>>;

interface Choice<Type extends string, Settings> {
  /** Unique among the reporters of a service; a label of metrics. */
  readonly name: string;
  readonly type: Type;
  readonly settings: Settings;
  /** Where its keys stand in the definition: nothing for those beside the service's own. */
  readonly at: readonly PropertyKey[];
}

/** One reporter of a service: which kind, and its settings. */
export type ReporterChoice =
  { [K in ReporterType]: Choice<K, SettingsOf<K>> }[ReporterType] | Choice<'plug-in', PluginSettings>;

/** The kind behind a choice, without the types that bind both. */
export function kindOf({ type }: Pick<ReporterChoice, 'type'>): ReporterKind<string, z.ZodRawShape, unknown> {
  return (type === 'plug-in' ? pluginReporter : reporters[type]) as unknown as ReporterKind<
    string,
    z.ZodRawShape,
    unknown
  >;
}

/** Equal for choices whose registration is one and the same, to be updated in place. */
export function placeOf(choice: ReporterChoice): string {
  return `${choice.type} ${kindOf(choice).place(choice.settings)}`;
}

/** True when both cannot be published at once, so that the old one has to make room first. */
export function clash(before: ReporterChoice, after: ReporterChoice): boolean {
  return before.type === after.type && kindOf(after).clash(before.settings, after.settings);
}

const common = { name: reporterName };

const builtIn = z
  .discriminatedUnion(
    'type',
    [
      z.strictObject({ type: z.literal('zookeeper'), ...common, ...zookeeperReporter.options }),
      z.strictObject({ type: z.literal('etcd'), ...common, ...etcdReporter.options }),
      z.strictObject({ type: z.literal('file'), ...common, ...fileReporter.options }),
    ],
    {
      error: ({ input }) =>
        typeof input === 'object' ? `Unknown type: expected ${types.join(', ')}, or a module` : undefined,
    },
  )
  .transform((entry) => {
    const { type, name, ...rest } = entry;
    return { type, name, settings: camelKeys(rest) };
  });

/** One entry of `reporters`. */
export const reporterSchema = z.union([builtIn, pluginReporterSchema(new Set(types))]);

/** The same, read. */
export type ReporterEntry = z.output<typeof reporterSchema>;

/** An option of a reporter that stands beside the service's own keys, where other kinds do not have it. */
function beside<Options extends z.ZodRawShape>(options: Options, required: readonly string[]) {
  const shape: Record<string, z.ZodType> = {};
  for (const [key, schema] of Object.entries(options) as [string, z.ZodType][]) {
    const { description } = schema;
    shape[key] = required.includes(key)
      ? schema
          .nullish()
          .transform((value: unknown) => value ?? undefined)
          .describe(description ?? '')
      : schema;
  }
  return shape as {
    [K in keyof Options]: z.ZodType<z.output<Options[K]> | undefined, z.input<Options[K]> | null | undefined>;
  };
}

/** The keys of all kinds, as they stand beside a service's own. */
export const besideKeys = {
  ...beside(zookeeperReporter.options, zookeeperReporter.required),
  ...beside(etcdReporter.options, etcdReporter.required),
  ...beside(fileReporter.options, fileReporter.required),
};

/** The reporters that a definition asks for, the one beside its own keys first. */
export function chooseReporters(
  value: Readonly<Record<string, unknown>>,
  type: ReporterType | undefined,
  entries: readonly ReporterEntry[],
  service: { readonly checkIntervalMs: number },
): readonly ReporterChoice[] {
  const own = {
    type: type ?? 'zookeeper',
    name: undefined,
    settings: pick(value, type ?? 'zookeeper'),
    at: [],
  };
  const listed = entries.map((entry, index) => ({ ...entry, at: ['reporters', index] }));
  const taken = new Set<string>();
  return [...(hasOwnReporter(value, type, entries) ? [own] : []), ...listed].map(
    ({ name, settings, ...rest }) => {
      const kind = kindOf(rest);
      const complete = kind.complete?.(settings, service) ?? settings;
      const usual = rest.type === 'plug-in' ? (settings as PluginSettings).kind : rest.type;
      return { ...rest, name: unique(name ?? usual, taken), settings: complete } as ReporterChoice;
    },
  );
}

/** Keys that `type` needs beside the service's own, and that are not there. */
export function missingKeys(value: Readonly<Record<string, unknown>>, type: ReporterType): readonly string[] {
  return kindOf({ type }).required.filter((key) => value[camel(key)] === undefined);
}

/** Whether the definition has a reporter beside its own keys, rather than in `reporters` only. */
export function hasOwnReporter(
  value: Readonly<Record<string, unknown>>,
  type: ReporterType | undefined,
  entries: readonly unknown[],
): boolean {
  const { required } = kindOf({ type: 'zookeeper' });
  return (
    type !== undefined || entries.length === 0 || missingKeys(value, 'zookeeper').length < required.length
  );
}

function pick(value: Readonly<Record<string, unknown>>, type: ReporterType): unknown {
  const names = Object.keys(kindOf({ type }).options).map(camel);
  return Object.fromEntries(names.map((name) => [name, value[name]]));
}

function unique(name: string, taken: Set<string>): string {
  let candidate = name;
  for (let number = 2; taken.has(candidate); number += 1) candidate = `${name}-${number}`;
  taken.add(candidate);
  return candidate;
}
