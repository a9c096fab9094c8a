import * as z from 'zod';

import type { BlockIssue } from '../catalog/types.js';
import { baseResolver } from './base.js';
import { fileToggleResolver } from './fileToggle.js';
import { type PluginResolver, pluginResolver, resolveWith } from './plugin.js';
import { s3ToggleResolver } from './s3Toggle.js';
import { sequentialResolver } from './sequential.js';
import type { Resolution, ResolverInput, WeightsPlace } from './types.js';
import { unionResolver } from './union.js';

/** Every resolver: the key is `resolver.method`. */
export const resolvers = {
  union: unionResolver,
  sequential: sequentialResolver,
  s3_toggle: s3ToggleResolver,
  file_toggle: fileToggleResolver,
  base: baseResolver,
} as const;

type BuiltIn = {
  [M in keyof typeof resolvers]: z.output<(typeof resolvers)[M]['options']>;
}[keyof typeof resolvers];
/** The options of any resolver. */
export type ResolverOptions = BuiltIn | PluginResolver;

/** A kind for whoever knows no more of the options than that they are the kind's own. */
interface AnyKind {
  readonly options: z.ZodType<BuiltIn>;
  readonly check?: (options: BuiltIn, watchers: readonly string[]) => readonly BlockIssue[];
  readonly weights?: (options: BuiltIn) => WeightsPlace;
  readonly takesAll?: true;
  readonly first?: (options: BuiltIn) => string | undefined;
  readonly patienceMs?: (options: BuiltIn) => number;
  readonly resolve: (options: BuiltIn, input: ResolverInput) => Resolution;
}

// Each kind takes its own options only; the schema has seen to it that `method` says whose they are.
const kindOf = (method: keyof typeof resolvers): AnyKind => resolvers[method] as unknown as AnyKind;

function isBuiltIn(method: unknown): method is keyof typeof resolvers {
  return typeof method === 'string' && Object.hasOwn(resolvers, method);
}

/** The options of a `resolver`, which is read by its method; for what is none, what is wrong with it. */
export function resolverSchema(block: unknown): z.ZodType<ResolverOptions> {
  const { method, module } = Object(block) as { readonly method?: unknown; readonly module?: unknown };
  if (isBuiltIn(method)) return kindOf(method).options;
  const isModule = typeof module === 'string' && typeof method === 'string';
  return isModule ? pluginResolver() : unknownMethod();
}

/** Ruby's example of `discovery_multi` has it; there is none in Ruby's code either. */
const fallbackHint = '; to fall back from one watcher to the next, use sequential with a sequential_order';

function unknownMethod(): z.ZodType<never> {
  const methods = Object.keys(resolvers).join(', ');
  const method = z.custom<never>(() => false, {
    error: ({ input }) => {
      if (typeof input !== 'string') return `Expected a method: ${methods}`;
      const hint = input === 'fallback' ? fallbackHint : '';
      return `There is no resolver ${input}: expected ${methods}, or a module${hint}`;
    },
  });
  return z.object({ method }) as unknown as z.ZodType<never>;
}

/** The keys that a resolver knows; undefined for one that does not exist. */
export function resolverKeys(method: string): readonly string[] | undefined {
  return isBuiltIn(method) ? Object.keys(resolvers[method].options.shape) : undefined;
}

/** A resolver with its options: what a service's watchers need of it. */
export interface Resolver {
  readonly method: ResolverOptions['method'];
  readonly weights: WeightsPlace | undefined;
  /** It always takes all watchers. */
  readonly takesAll: boolean;
  /** The watcher that counts while nothing speaks against it, where there is such a one. */
  readonly first: string | undefined;
  readonly patienceMs: number;
  readonly check: (watchers: readonly string[]) => readonly BlockIssue[];
  readonly resolve: (input: ResolverInput) => Resolution;
}

/** The resolver that a block describes. */
export function createResolver(options: ResolverOptions): Resolver {
  if (options.method === 'plug-in') return moduleResolver(options);
  const kind = kindOf(options.method);
  return {
    method: options.method,
    weights: kind.weights?.(options),
    takesAll: kind.takesAll ?? false,
    first: kind.first?.(options),
    patienceMs: kind.patienceMs?.(options) ?? 0,
    check: (watchers) => kind.check?.(options, watchers) ?? [],
    resolve: (input) => kind.resolve(options, input),
  };
}

function moduleResolver(options: PluginResolver): Resolver {
  return {
    ...{ method: 'plug-in', weights: undefined, takesAll: false, first: undefined, patienceMs: 0 },
    check: () => [],
    resolve: (input) => resolveWith(options, input),
  };
}
