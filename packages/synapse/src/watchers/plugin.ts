import { type Clock, describeError, type Logger } from '@smartstack/agent';
import { kindsOf, pluginEntry } from '@smartstack/agent/plugins';
import type { Instance } from '@smartstack/registry';
import * as z from 'zod';

import type { Snapshot, SourceProblem, Watcher } from '../catalog/types.js';
import { configuredInstance, discoveryBase } from '../config/fields.js';
import { moduleKind, type ModuleKind } from '../plugins/kit.js';
import type { ModuleUse } from '../plugins/use.js';
import { maxInstances } from '../catalog/limit.js';
import type { WatcherContext } from './types.js';

/** What a module's watcher is given. */
interface ModuleWatcherContext {
  readonly service: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A kind of watcher from a module, as far as it was looked at. */
interface WatcherModule extends ModuleKind {
  readonly create: (options: unknown, context: ModuleWatcherContext) => unknown;
}

/** What is not the module's own. */
export const pluginBase = () => z.object(discoveryBase);

/** A service's instances come from a watcher whose kind is in a module. */
export interface PluginDiscovery extends z.output<ReturnType<typeof pluginBase>> {
  readonly method: 'plug-in';
  readonly kind: string;
  readonly module: string;
  /** Undefined until the module was loaded. */
  readonly use: ModuleUse<WatcherModule> | undefined;
}

/** Keys of a `discovery` that are not the module's. */
export const pluginKeys: readonly string[] = ['method', 'module', ...Object.keys(discoveryBase)];

/** A `discovery` whose method is in a module. */
export function pluginDiscovery(): z.ZodType<PluginDiscovery> {
  return pluginEntry('method', new Set(), ({ method, module, ...rest }): PluginDiscovery => ({
    ...{ method: 'plug-in', kind: method, module, use: undefined },
    // What is wrong with them is told when the module is loaded, with its place.
    ...pluginBase().safeParse(rest).data,
  }));
}

/** The kind of watcher that a module exports. */
export const watcherModuleOf = kindsOf((exported) =>
  moduleKind<WatcherModule>(exported, 'watcher', ['create']),
);

const shownProblems = 50;

/** Makes the watcher. What it emits is looked at: a module may say anything. */
export function createPluginWatcher(
  { use, kind, module }: PluginDiscovery,
  context: WatcherContext,
): Watcher {
  const { service, clock, logger } = context;
  return {
    run: async (emit, signal) => {
      const made = Object(use?.kind.create(use.options, { service, clock, logger })) as Partial<Watcher>;
      if (typeof made.run !== 'function') throw new Error(`${module}: it makes no watcher: expected { run }`);
      let told = '';
      await made.run((said) => {
        const snapshot = checkedSnapshot(said, kind);
        const problem = snapshot.status === 'pending' ? undefined : snapshot.problems?.[0]?.reason;
        if (problem !== undefined && problem !== told)
          logger.warn('a module says what cannot be used', { module, reason: problem });
        told = problem ?? '';
        emit(snapshot);
      }, signal);
    },
  };
}

/** What of a module's snapshot can be used. Throws when nothing of it can. Exported for its test. */
export function checkedSnapshot(said: unknown, kind: string): Snapshot {
  const { status, instances } = Object(said) as { readonly status?: unknown; readonly instances?: unknown };
  if (status === 'pending') return { status };
  if ((status !== 'live' && status !== 'stale') || !Array.isArray(instances))
    throw new Error('it emits no snapshot: expected { status: live | stale, instances: [] }');
  if (instances.length > maxInstances) throw new Error(`it emits more than ${maxInstances} instances`);
  const good: Instance[] = [];
  const problems: SourceProblem[] = [];
  for (const [at, instance] of instances.entries()) {
    try {
      good.push(configuredInstance.parse(instance));
    } catch (error) {
      const reason = error instanceof z.ZodError ? (error.issues[0]?.message ?? '') : describeError(error);
      const field = error instanceof z.ZodError ? String(error.issues[0]?.path[0] ?? 'instance') : 'instance';
      if (problems.length < shownProblems)
        problems.push({ path: `${kind}[${at}]`, reason: `${field}: ${reason}` });
    }
  }
  return { status, instances: good, ...(problems.length > 0 && { problems }) };
}
