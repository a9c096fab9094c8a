import { kindsOf, pluginEntry } from '@smartstack/agent/plugins';
import type * as z from 'zod';

import { moduleKind, type ModuleKind } from '../plugins/kit.js';
import type { ModuleUse } from '../plugins/use.js';
import type { Resolution, ResolverInput } from './types.js';
import { unionOf } from './union.js';

/** What a module's resolver is told of a watcher. */
interface ModuleSource {
  readonly name: string;
  readonly status: 'pending' | 'live' | 'stale';
  readonly instances: number;
  /** It told nothing yet, and is waited for. */
  readonly waitedFor: boolean;
}

/** A kind of resolver from a module, as far as it was looked at. */
interface ResolverModule extends ModuleKind {
  /** The names of the watchers that count; undefined to wait. */
  readonly resolve: (
    options: unknown,
    sources: readonly ModuleSource[],
    host: { readonly seed: string },
  ) => unknown;
}

/** A resolver whose kind is in a module. */
export interface PluginResolver {
  readonly method: 'plug-in';
  readonly kind: string;
  readonly module: string;
  /** Undefined until the module was loaded. */
  readonly use: ModuleUse<ResolverModule> | undefined;
}

/** A `resolver` whose method is in a module. */
export function pluginResolver(): z.ZodType<PluginResolver> {
  return pluginEntry('method', new Set(), ({ method, module }): PluginResolver => ({
    ...{ method: 'plug-in', kind: method, module, use: undefined },
  }));
}

/** The kind of resolver that a module exports. */
export const resolverModuleOf = kindsOf((exported) =>
  moduleKind<ResolverModule>(exported, 'resolver', ['resolve']),
);

/** Asks the module which watchers count. Throws what it throws, or what is wrong with its answer. */
export function resolveWith({ use, module }: PluginResolver, { sources, seed }: ResolverInput): Resolution {
  const told = sources.map(({ name, snapshot, waitedFor }) => ({
    name,
    status: snapshot.status,
    instances: snapshot.status === 'pending' ? 0 : snapshot.instances.length,
    waitedFor,
  }));
  const answer = use?.kind.resolve(use.options, told, { seed });
  if (answer === undefined) return { kind: 'wait' };
  if (!Array.isArray(answer) || !answer.every((name) => sources.some((source) => source.name === name)))
    throw new Error(`${module}: resolve returns no list of names of watchers`);
  const chosen = sources.filter(({ name }) => answer.includes(name));
  return chosen.length === 0
    ? { kind: 'wait' }
    : unionOf(chosen.map((one) => ({ ...one, waitedFor: false })));
}
