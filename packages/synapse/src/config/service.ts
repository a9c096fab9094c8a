import * as z from 'zod';

import type { CatalogRules, LabelFilter } from '../catalog/definition.js';
import { configuredInstance, port } from './fields.js';
import { serviceMassLoss, type ServiceMassLoss } from './massLoss.js';

/** What the discovery schema of any watcher yields at least. */
export interface DiscoveryOptions {
  readonly method: string;
  readonly label_filters?: readonly LabelFilter[] | undefined;
  readonly label_filter?: LabelFilter | undefined;
}

/** An operator's description of one service, defaults filled in. */
export interface ServiceDefinition<D extends DiscoveryOptions = DiscoveryOptions> {
  readonly name: string;
  /** For the watcher: what it watches and how. Without the label filters, which are the catalog's. */
  readonly discovery: D;
  readonly rules: CatalogRules;
  /** What it says of mass losses itself. */
  readonly massLoss?: ServiceMassLoss;
  /** The only one who calls through it. */
  readonly caller?: string;
  /** Ruby's: that many services of the same definition, `name_0` and so on. */
  readonly copies: number | undefined;
}

/** Keys of a service that are ours; every other key is a generator's block. */
export const serviceShape = {
  default_servers: z
    .array(configuredInstance)
    .nullish()
    .describe('Instances that stand in while none is discovered.')
    .meta({ default: [] }),
  keep_default_servers: z
    .boolean()
    .nullish()
    .describe('Add the default servers to those discovered.')
    .meta({ default: false }),
  use_previous_backends: z
    .boolean()
    .optional()
    .describe('Keep the last known instances when all are gone and there are no default servers.')
    .meta({ default: true }),
  mass_loss: serviceMassLoss,
  backend_port_override: port
    .nullish()
    .describe('Port of every discovered instance, whatever it says itself.'),
  caller: z
    .string()
    .regex(/^[\w.:@-]{1,128}$/, "expected letters, digits, '_', '.', ':', '@' and '-'")
    .nullish()
    .describe(
      'Who calls through this service, where its port is for one caller only: a name for the topology.',
    ),
  leader_election: z
    .boolean()
    .nullish()
    .describe('Only the instance that registered first serves (the one with the smallest id).')
    .meta({ default: false }),
  load_test_concurrency: z
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe('Run so many copies of this service, `<name>_0` and on, to test synapse itself.'),
} as const;

/** More watchers beside a service's `discovery`: what makes one discovery of both. */
export type DiscoveryMulti<D extends DiscoveryOptions> = z.ZodType<(discovery: D) => D>;

/** The schema of one service, given that of its `discovery`, and of its `discovery_multi` where it has one. */
export function serviceSchema<D extends DiscoveryOptions>(
  discovery: z.ZodType<D>,
  multi?: DiscoveryMulti<D>,
): z.ZodType<ReadKeys<D>> {
  const beside = multi === undefined ? {} : { discovery_multi: multi.nullish() };
  return z.looseObject({ discovery, ...beside, ...serviceShape }) as unknown as z.ZodType<ReadKeys<D>>;
}

/** A service's keys that are ours, as read. */
type ReadKeys<D extends DiscoveryOptions> = z.output<z.ZodObject<typeof serviceShape>> & {
  readonly discovery: D;
  readonly discovery_multi?: ((discovery: D) => D) | null | undefined;
};

/**
 * Turns a validated service into its definition. `whole` is all of its discovery, `blocks` are its generator blocks, raw;
 * `deprecatedOverride` is a port that one of them asks for.
 */
export function toDefinition<D extends DiscoveryOptions>(
  name: string,
  whole: D,
  service: z.output<z.ZodObject<typeof serviceShape>>,
  blocks: CatalogRules['blocks'],
  deprecatedOverride: number | undefined,
): ServiceDefinition<D> {
  const { label_filter: single, label_filters: several, ...discovery } = whole;
  const override = service.backend_port_override ?? deprecatedOverride;
  return {
    name,
    // Omitting two optional keys leaves the discovery options of the same method.
    discovery: discovery as unknown as D,
    copies: service.load_test_concurrency,
    ...(service.mass_loss != null && { massLoss: service.mass_loss }),
    ...(service.caller != null && { caller: service.caller }),
    rules: {
      defaultServers: service.default_servers ?? [],
      keepDefaultServers: service.keep_default_servers ?? false,
      usePreviousBackends: service.use_previous_backends ?? true,
      leaderElection: service.leader_election ?? false,
      labelFilters: [...(single === undefined ? [] : [single]), ...(several ?? [])],
      ...(override === undefined ? {} : { backendPortOverride: override }),
      blocks,
    },
  };
}
