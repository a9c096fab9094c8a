import { expect, it, vi } from 'vitest';
import { cleanUpAfterEach } from '../discovery/bed.ts';
import { type ChurnOptions, type ChurnReport, runChurn } from './churn.ts';
import { describeFailures } from './traffic.ts';

cleanUpAfterEach();
vi.setConfig({ testTimeout: 180_000 });

const usual: Omit<ChurnOptions, 'seed'> = {
  changes: 600,
  perSecond: 50,
  users: 3,
  haproxies: 1,
  freezeMs: 0,
};

/** Everything that the promise says; a history that breaks it can be run again from its seed. */
async function holds(more: Partial<ChurnOptions>): Promise<ChurnReport> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const report = await runChurn({ ...usual, seed, ...more }).catch((error: unknown) => {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
  });
  expect(describeFailures(report.tally), `seed ${seed}`).toEqual([]);
  expect(report.reloads, `seed ${seed}`).toEqual({});
  return report;
}

it('hundreds of random changes under load: none failed, no reload, nothing stuck, nothing left open', async () => {
  const { kinds } = await holds({});
  expect(Object.keys(kinds).sort()).toEqual(
    expect.arrayContaining(['added', 'options', 're-addressed', 'removed', 'weight']),
  );
});

it('the same with two HAProxies that belong to one synapse', async () => {
  await holds({ changes: 300, haproxies: 2 });
});

it('the same with an HAProxy that stands still for a while: requests waited, nothing else', async () => {
  await holds({ changes: 400, freezeMs: 4_000 });
});
