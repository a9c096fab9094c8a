import { describe, expect, it } from 'vitest';
import { isBudgetLine, withBudgets } from '../desired/budgetLines.js';
import { isBudgetTable } from '../desired/budgetNames.js';
import { withLatencies } from '../desired/latencyLines.js';
import { onceUnlessDeclared } from '../desired/policyLines.js';
import type { DesiredState } from '../types.js';
import { Quarantine } from './quarantineStore.js';
import { settle, type Verdict } from './validate.js';

const shared = new Map<string, readonly string[]>();

function wanted(percent = 20): DesiredState {
  const policy = [`retries 1 # budget ${percent}% and 10/s`, 'retry-on 503', onceUnlessDeclared];
  const plain: DesiredState = {
    base: [
      { title: 'global', lines: [] },
      { title: 'defaults', lines: ['mode http'] },
    ],
    services: [{ service: 'web', backend: { name: 'web', lines: policy, servers: [] } }],
  };
  return withBudgets(withLatencies(plain, { stickCounter: 2, except: [] }));
}

const isBound = (state: DesiredState | undefined): boolean =>
  state?.base.some(isBudgetTable) === true ||
  state?.services.some(({ backend }) => backend.lines.some(isBudgetLine)) === true;

async function settled(part: string, names: boolean) {
  const [desired, quarantine] = [wanted(), new Quarantine()];
  const check = (text: string): Promise<Verdict> => {
    const at = text.split('\n').findIndex((line) => line.includes(part));
    const message = { severity: 'error', text: 'no', ...(names && { line: at + 1 }) } as const;
    return Promise.resolve({ valid: at < 0, messages: at < 0 ? [] : [message] });
  };
  const candidate = () => quarantine.clear(desired, undefined, shared);
  const { accepted } = await settle({ desired, lastGood: undefined, shared, quarantine, candidate, check });
  return { desired, quarantine, accepted };
}

describe('lines of a budget that HAProxy rejects', () => {
  it.each([
    ['with their place', 'sc_inc_gpc0(1)', true],
    ['in the table', 'gpc0_rate(10s)', true],
    ['without a place', 'track-sc1', false],
  ])('%s are set aside, and neither the retries nor what counts latencies is', async (_, part, names) => {
    const { desired, quarantine, accepted } = await settled(part, names);
    expect(isBound(desired)).toBe(true);
    expect(isBound(accepted)).toBe(false);
    expect(accepted?.services[0]?.backend.lines).toContain('retry-on 503');
    expect(accepted?.latencies).toEqual(desired.latencies);
    expect(quarantine.entries).toMatchObject([
      { culprit: { kind: 'budgets' }, kept: 'left-out', reason: 'no' },
    ]);
  });

  it('get another chance when they are others', async () => {
    const { desired, quarantine } = await settled('sc_inc_gpc0(1)', true);
    expect(isBound(quarantine.clear(desired, undefined, shared))).toBe(false);
    const other = wanted(30);
    expect(quarantine.clear(other, undefined, shared)).toBe(other);
  });
});
