import { describe, expect, it } from 'vitest';

import { massLossRules, massLossSettings, serviceMassLoss } from './massLoss.js';

const usual = { defaultServers: [], usePreviousBackends: true, leaderElection: false };
const preset = massLossSettings().parse(undefined);
const standIn = [{ host: '10.0.0.9', port: 80 }];

describe('the rules of mass losses', () => {
  it('hold by default, in milliseconds', () => {
    expect(massLossRules(preset, undefined, usual)).toEqual({
      share: 0.5,
      minimum: 3,
      windowMs: 10_000,
      holdMs: 300_000,
      keepsPrevious: true,
    });
  });

  it('are off where the operator answered a loss otherwise, unless the service asks for them', () => {
    const withDefaults = { ...usual, defaultServers: standIn };
    const withoutPrevious = { ...usual, usePreviousBackends: false };
    for (const rules of [withDefaults, withoutPrevious]) {
      expect(massLossRules(preset, undefined, rules)).toBeUndefined();
      expect(massLossRules(preset, {}, rules)).toMatchObject({ share: 0.5, keepsPrevious: false });
    }
  });

  it('are off for a leader, whatever anybody says', () => {
    expect(massLossRules(preset, { share: 0.1 }, { ...usual, leaderElection: true })).toBeUndefined();
  });

  it('come from the service, else from agent.yaml, else from the preset, key by key', () => {
    const settings = massLossSettings().parse({ share: 0.3, hold: 60 });
    expect(massLossRules(settings, { hold: 5 }, usual)).toMatchObject({
      share: 0.3,
      minimum: 3,
      holdMs: 5_000,
    });
    expect(massLossRules(settings, false, usual)).toBeUndefined();
    expect(massLossRules(false, undefined, usual)).toBeUndefined();
    expect(massLossRules(false, { hold: 5 }, usual)).toMatchObject({ share: 0.5, holdMs: 5_000 });
  });

  it('refuse what means nothing', () => {
    for (const bad of [
      { share: 2 },
      { share: -1 },
      { minimum: 0 },
      { hold: '5' },
      { holds: 5 },
      true,
      'on',
    ]) {
      expect(massLossSettings().safeParse(bad).success).toBe(false);
      expect(serviceMassLoss.safeParse(bad).success).toBe(false);
    }
  });
});
