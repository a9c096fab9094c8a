import * as z from 'zod';

import type { CatalogRules } from '../catalog/definition.js';
import type { MassLossRules } from '../catalog/massLoss.js';

const shape = {
  share: z
    .number()
    .min(0)
    .max(1)
    .describe('Only when more than this share of its instances vanishes, from 0 to 1.'),
  minimum: z.int().min(1).describe('Fewer than so many are let go in any case.'),
  window: z.number().min(0).max(3600).describe('What vanishes within so many seconds vanishes at once.'),
  hold: z.number().min(0).max(86_400).describe('So many seconds they stay, unless they return.'),
} as const;

/** What holds where nobody says otherwise. */
const preset = { share: 0.5, minimum: 3, window: 10, hold: 300 };

const off = z.literal(false);

/** `mass_loss` of agent.yaml: for all services that say nothing themselves. */
export const massLossSettings = () =>
  z
    .union([
      off,
      z.strictObject({
        share: shape.share.default(preset.share),
        minimum: shape.minimum.default(preset.minimum),
        window: shape.window.default(preset.window),
        hold: shape.hold.default(preset.hold),
      }),
    ])
    .prefault({})
    .describe(
      'Instances that their source loses all at once stay where HAProxy checks them; false to let them go.',
    );
export type MassLossSettings = z.output<ReturnType<typeof massLossSettings>>;

/** `mass_loss` of a service: what differs from agent.yaml. */
export const serviceMassLoss = z
  .union([
    off,
    z.strictObject({
      share: shape.share.optional(),
      minimum: shape.minimum.optional(),
      window: shape.window.optional(),
      hold: shape.hold.optional(),
    }),
  ])
  .nullish()
  .describe("Instances that vanish all at once: what differs from agent.yaml's `mass_loss`, or false.");
export type ServiceMassLoss = z.output<typeof serviceMassLoss>;

/** Whether the last instances stand in for those of a source that is empty: default servers go before them. */
export function keepsPrevious(
  rules: Pick<CatalogRules, 'defaultServers' | 'usePreviousBackends'> | undefined,
): boolean {
  return rules !== undefined && rules.usePreviousBackends && rules.defaultServers.length === 0;
}

/**
 * The rules of one service; undefined where losses are believed. Default servers, and the wish to have no previous
 * ones, are answers of the operator's to a loss: beside them nothing is held unless the service asks for it. A leader
 * must be one that its source tells.
 */
export function massLossRules(
  settings: MassLossSettings,
  service: ServiceMassLoss,
  rules: Pick<CatalogRules, 'defaultServers' | 'usePreviousBackends' | 'leaderElection'>,
): MassLossRules | undefined {
  const previous = keepsPrevious(rules);
  const isWanted = service ?? (settings !== false && previous);
  if (isWanted === false || rules.leaderElection) return undefined;
  const base = settings === false ? preset : settings;
  const own = isWanted === true ? undefined : isWanted;
  return {
    share: own?.share ?? base.share,
    minimum: own?.minimum ?? base.minimum,
    windowMs: (own?.window ?? base.window) * 1000,
    holdMs: (own?.hold ?? base.hold) * 1000,
    keepsPrevious: previous,
  };
}
