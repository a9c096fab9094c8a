import { hostname } from 'node:os';

import * as z from 'zod';

import type { BlockIssue, Watcher } from '../catalog/types.js';
import { type DiscoveryOptions } from '../config/service.js';
import { discoveryBase } from '../config/fields.js';
import { createResolver, resolverSchema, type ResolverOptions } from '../resolvers/index.js';
import { runMulti } from './multi/run.js';
import { defineWatcher, type WatcherContext } from './types.js';

/** What the watchers of a service know, made one by a resolver. */
interface MultiOptions {
  readonly watchers: Readonly<Record<string, DiscoveryOptions>>;
  readonly resolver: ResolverOptions;
}

/** The discovery methods that may be combined. */
export interface InnerMethods<D extends DiscoveryOptions> {
  readonly schema: z.ZodType<D>;
  readonly lint: (discovery: D) => readonly BlockIssue[];
  readonly create: (discovery: D, context: WatcherContext) => Watcher;
}

/** Several watchers for one service, and a resolver that makes one source of them. */
export function multiWatcherOf<D extends DiscoveryOptions>(inner: InnerMethods<D>) {
  const watchers = z.record(z.string().min(1), inner.schema);
  const atLeastOne = watchers.refine((all) => Object.keys(all).length > 0, 'Expected at least one watcher');
  const resolver = resolverSchema.describe('How one source is made of them.');
  const kind = defineWatcher({
    method: 'multi',
    options: z.object({
      method: z.literal('multi'),
      watchers: atLeastOne.describe('The watchers by name, each as a `discovery` of its own.'),
      resolver,
      ...discoveryBase,
    }),
    lint: (options) => [
      ...createResolver(options.resolver)
        .check(Object.keys(options.watchers))
        .map((issue) => ({ ...issue, path: ['resolver', ...issue.path] })),
      ...Object.entries(options.watchers).flatMap(([name, one]) =>
        inner.lint(one).map((issue) => ({ ...issue, path: ['watchers', name, ...issue.path] })),
      ),
    ],
    create: ({ watchers: all, resolver: chosen }, context) => ({
      run: (emit, signal) =>
        runMulti(
          {
            watchers: new Map(
              Object.entries(all).map(([name, one]) => [
                name,
                {
                  create: (child: WatcherContext) => inner.create(one, child),
                  labelFilters: labelFiltersOf(one),
                },
              ]),
            ),
            resolver: createResolver(chosen),
            host: hostname(),
            context,
          },
          emit,
          signal,
        ),
    }),
  });
  /** Ruby's `discovery_multi`, which makes the service's `discovery` the watcher `primary` beside its own. */
  const beside = z
    .object({
      method: z.literal('multi').nullish(),
      watchers: watchers.nullish().describe('More watchers by name, beside that of `discovery`: `primary`.'),
      resolver,
    })
    .transform(
      ({ watchers: more, resolver: chosen }) =>
        (primary: D): MultiOptions & { method: 'multi' } => ({
          method: 'multi',
          watchers: { ...more, primary },
          resolver: chosen,
        }),
    );
  return { kind, beside };
}

function labelFiltersOf({ label_filter: single, label_filters: several }: DiscoveryOptions) {
  return [...(single === undefined ? [] : [single]), ...(several ?? [])];
}
