import { hostname } from 'node:os';

import * as z from 'zod';

import type { BlockIssue, Watcher } from '../catalog/types.js';
import { schemaByBlock } from '../config/lazy.js';
import { type DiscoveryOptions } from '../config/service.js';
import { discoveryBase } from '../config/fields.js';
import { createResolver, resolverSchema, type ResolverOptions } from '../resolvers/index.js';
import { createMulti } from './multi/run.js';
import { defineWatcher, type WatcherContext } from './types.js';

/** What the watchers of a service know, made one by a resolver. */
export interface MultiDiscovery<D extends DiscoveryOptions> extends DiscoveryFilters {
  readonly method: 'multi';
  readonly watchers: Readonly<Record<string, D>>;
  readonly resolver: ResolverOptions;
}

type DiscoveryFilters = z.output<z.ZodObject<typeof discoveryBase>>;

/** The discovery methods that may be combined. */
export interface InnerMethods<D extends DiscoveryOptions> {
  /** The schema of a block of one of them. */
  readonly schema: (block: unknown) => z.ZodType<D>;
  readonly lint: (discovery: D) => readonly BlockIssue[];
  readonly create: (discovery: D, context: WatcherContext) => Watcher;
}

/** Several watchers for one service, and a resolver that makes one source of them. */
export function multiWatcherOf<D extends DiscoveryOptions>(inner: InnerMethods<D>) {
  const watchersOf = () => z.record(z.string().min(1), schemaByBlock(inner.schema));
  const resolverOf = () => schemaByBlock(resolverSchema).describe('How one source is made of them.');
  const kind = defineWatcher({
    method: 'multi',
    options: () =>
      z.object({
        method: z.literal('multi'),
        watchers: watchersOf()
          .refine((all) => Object.keys(all).length > 0, 'Expected at least one watcher')
          .describe('The watchers by name, each as a `discovery` of its own.'),
        resolver: resolverOf(),
        ...discoveryBase,
      }),
    lint: ({ watchers, resolver }: MultiDiscovery<D>) => [
      ...createResolver(resolver)
        .check(Object.keys(watchers))
        .map((issue) => ({ ...issue, path: ['resolver', ...issue.path] })),
      ...Object.entries(watchers).flatMap(([name, one]) =>
        inner.lint(one).map((issue) => ({ ...issue, path: ['watchers', name, ...issue.path] })),
      ),
    ],
    create: ({ watchers, resolver }: MultiDiscovery<D>, context) => {
      const parts = Object.entries(watchers).map(([name, one]) => {
        const create = (child: WatcherContext): Watcher => inner.create(one, child);
        return [name, { create, labelFilters: labelFiltersOf(one) }] as const;
      });
      return createMulti(
        { watchers: new Map(parts), resolver: createResolver(resolver), host: hostname() },
        context,
      );
    },
  });
  /** Ruby's `discovery_multi`, which makes the service's `discovery` the watcher `primary` beside its own. */
  const beside = () =>
    z
      .object({
        method: z.literal('multi').nullish(),
        watchers: watchersOf()
          .nullish()
          .describe('More watchers by name, beside that of `discovery`: `primary`.'),
        resolver: resolverOf(),
      })
      .transform(({ watchers: more, resolver }) => (primary: D): MultiDiscovery<D> => ({
        method: 'multi',
        watchers: { ...more, primary },
        resolver,
      }));
  return { kind, beside };
}

function labelFiltersOf({ label_filter: single, label_filters: several }: DiscoveryOptions) {
  return [...(single === undefined ? [] : [single]), ...(several ?? [])];
}
