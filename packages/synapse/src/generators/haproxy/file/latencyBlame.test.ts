import { describe, expect, it } from 'vitest';
import { isLatencyLine, withLatencies } from '../desired/latencyLines.js';
import { isLatencyTable } from '../desired/latencyTable.js';
import { aServer, aService, aState } from '../testing/sections.js';
import type { DesiredState } from '../types.js';
import { Quarantine } from './quarantineStore.js';
import { settle, type Verdict } from './validate.js';

const settings = { stickCounter: 2, except: [] };
const services = [aService([aServer('a')]), aService([aServer('a')], { service: 'api' })];
const plain = (): DesiredState => {
  const state = aState(services);
  return {
    ...state,
    base: [
      ...state.base.filter(({ title }) => title !== 'defaults'),
      { title: 'defaults', lines: ['mode http'] },
    ],
  };
};
const counts = (state: DesiredState | undefined): boolean =>
  state?.base.some(isLatencyTable) === true ||
  state?.services.some(({ backend }) => backend.lines.some(isLatencyLine)) === true;

async function settled(check: (text: string) => Verdict, quarantine = new Quarantine()) {
  const desired = withLatencies(plain(), settings);
  expect(counts(desired)).toBe(true);
  const input = { desired, lastGood: undefined, shared: new Map<string, readonly string[]>(), quarantine };
  const result = await settle({
    ...input,
    candidate: () => quarantine.clear(desired, undefined, input.shared),
    check: (text) => Promise.resolve(check(text)),
  });
  return { desired, quarantine, accepted: result.accepted };
}

const rejects =
  (part: string, names: boolean) =>
  (text: string): Verdict => {
    const at = text.split('\n').findIndex((line) => line.includes(part));
    if (at < 0) return { valid: true, messages: [] };
    return { valid: false, messages: [{ severity: 'error', text: 'no', ...(names && { line: at + 1 }) }] };
  };

describe('lines of ours that HAProxy rejects', () => {
  it.each([
    ['with its place', 'sc-inc-gpc(0,2)', true],
    ['in the table', 'stick-table', true],
    ['without a place', 'track-sc2', false],
  ])('%s are set aside altogether, and no service is', async (_, part, names) => {
    const { quarantine, accepted } = await settled(rejects(part, names));
    expect(counts(accepted)).toBe(false);
    expect(accepted?.services.map(({ service }) => service)).toEqual(services.map(({ service }) => service));
    expect(quarantine.entries).toMatchObject([
      { culprit: { kind: 'latencies' }, kept: 'left-out', reason: 'no' },
    ]);
  });

  it('get another chance when they are others', async () => {
    const { desired, quarantine } = await settled(rejects('sc-inc-gpc(0,2)', true));
    const other = withLatencies(desired, { ...settings, stickCounter: 1 });
    expect(quarantine.clear(other, undefined, new Map())).toBe(other);
  });

  it('leave a service that is at fault itself to its own quarantine', async () => {
    const { quarantine, accepted } = await settled(rejects('backend api', true));
    expect(counts(accepted)).toBe(true);
    expect(quarantine.entries.map(({ culprit }) => culprit)).toEqual([{ kind: 'service', service: 'api' }]);
    expect(accepted?.latencies).toEqual(settings);
  });
});
