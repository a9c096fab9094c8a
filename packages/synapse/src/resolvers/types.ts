import type * as z from 'zod';

import type { BlockIssue, Snapshot } from '../catalog/types.js';
import { withLazyOptions } from '../config/lazy.js';

/** One of the watchers that a resolver makes one of. */
export interface ResolverSource {
  readonly name: string;
  readonly snapshot: Snapshot;
  /** Nothing is decided against it yet: it told nothing so far, or was lost, and its time for that is not up. */
  readonly waitedFor: boolean;
}

/** What a file of weights says: how likely each watcher is to be chosen. */
export type Weights = ReadonlyMap<string, number>;

/** Where a file of weights is. */
export type WeightsPlace =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly key: string; readonly everyMs: number };

/** Everything that a resolver decides on. A value. */
export interface ResolverInput {
  /** In the order of the configuration. */
  readonly sources: readonly ResolverSource[];
  /** The last good weights, where the resolver has some; undefined while none were read. */
  readonly weights?: Weights | undefined;
  /** No weights were read yet, and the time for that is not up. */
  readonly waitsForWeights?: boolean;
  /** This machine and where the weights are: hosts choose differently, each always the same. */
  readonly seed: string;
}

/** What a resolver makes of its watchers. */
export type Resolution =
  /** Nothing yet: whatever was decided before stays. */
  | { readonly kind: 'wait' }
  | {
      readonly kind: 'resolved';
      /** Names of the watchers whose instances these are. */
      readonly used: readonly string[];
      readonly snapshot: Exclude<Snapshot, { status: 'pending' }>;
    };

/** One way to make one source of several: its options and its rule. Pure. */
export interface ResolverKind<M extends string, S extends z.ZodObject> {
  readonly method: M;
  readonly options: S;
  /** Problems with the watchers that there are. Paths are relative to the block of the resolver. */
  readonly check?: (options: z.output<S>, watchers: readonly string[]) => readonly BlockIssue[];
  /** Where the weights are that it needs. */
  readonly weights?: (options: z.output<S>) => WeightsPlace;
  /** It always takes all watchers: what vanishes from its snapshots was lost, and not left out. */
  readonly takesAll?: true;
  /** The watcher that counts while nothing speaks against it, where there is such a one. */
  readonly first?: (options: z.output<S>) => string | undefined;
  /** For how long a watcher that was lost is waited for, in milliseconds; none by default. */
  readonly patienceMs?: (options: z.output<S>) => number;
  readonly resolve: (options: z.output<S>, input: ResolverInput) => Resolution;
}

/** Keeps the literal method and the inferred options of a resolver, whose schema is made when it is asked for. */
export function defineResolver<const M extends string, S extends z.ZodObject>(
  kind: Omit<ResolverKind<M, S>, 'options'> & { readonly options: () => S },
): ResolverKind<M, S> {
  return withLazyOptions<S, typeof kind>(kind);
}
