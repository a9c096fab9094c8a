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

const methods = Object.keys(resolvers);

/** Ruby's example of `discovery_multi` has it; there is none in Ruby's code either. */
const fallbackHint = '; to fall back from one watcher to the next, use sequential with a sequential_order';

const builtIn = z.discriminatedUnion(
  'method',
  [
    resolvers.union.options,
    resolvers.sequential.options,
    resolvers.s3_toggle.options,
    resolvers.file_toggle.options,
    resolvers.base.options,
  ],
  {
    error: ({ input }) => {
      if (typeof input !== 'object' || input === null) return undefined;
      const { method } = input as { readonly method?: unknown };
      if (typeof method !== 'string') return `Expected a method: ${methods.join(', ')}`;
      const hint = method === 'fallback' ? fallbackHint : '';
      return `There is no resolver ${method}: expected ${methods.join(', ')}, or a module${hint}`;
    },
  },
);

/** The options of any resolver. */
export const resolverSchema = z.union([builtIn, pluginResolver(methods)]);
export type ResolverOptions = z.output<typeof resolverSchema>;

/** The keys that a resolver knows; undefined for one that does not exist. */
export function resolverKeys(method: string): readonly string[] | undefined {
  return Object.hasOwn(resolvers, method)
    ? Object.keys(resolvers[method as keyof typeof resolvers].options.shape)
    : undefined;
}

/** A resolver with its options: what a service's watchers need of it. */
export interface Resolver {
  readonly weights: WeightsPlace | undefined;
  readonly patienceMs: number;
  readonly check: (watchers: readonly string[]) => readonly BlockIssue[];
  readonly resolve: (input: ResolverInput) => Resolution;
}

/** A kind for whoever knows no more of the options than that they are the kind's own. */
interface AnyKind {
  readonly check?: (options: ResolverOptions, watchers: readonly string[]) => readonly BlockIssue[];
  readonly weights?: (options: ResolverOptions) => WeightsPlace;
  readonly patienceMs?: (options: ResolverOptions) => number;
  readonly resolve: (options: ResolverOptions, input: ResolverInput) => Resolution;
}

/** The resolver that a block describes. */
export function createResolver(options: ResolverOptions): Resolver {
  if (options.method === 'plug-in') return moduleResolver(options);
  // Each kind takes its own options only; the schema has seen to it that `method` says whose they are.
  const kind = resolvers[options.method] as unknown as AnyKind;
  return {
    weights: kind.weights?.(options),
    patienceMs: kind.patienceMs?.(options) ?? 0,
    check: (watchers) => kind.check?.(options, watchers) ?? [],
    resolve: (input) => kind.resolve(options, input),
  };
}

function moduleResolver(options: PluginResolver): Resolver {
  const resolve = (input: ResolverInput): Resolution => resolveWith(options, input);
  return { weights: undefined, patienceMs: 0, check: () => [], resolve };
}
