import { expect, it, vi } from 'vitest';
import { cleanUpAfterEach } from '../discovery/bed.ts';
import { type MassOptions, type MassReport, runMass } from './mass.ts';
import { describeFailures, failuresOf } from './traffic.ts';

cleanUpAfterEach();
vi.setConfig({ testTimeout: 120_000 });

/** A run without a reload. */
async function run(more: Partial<MassOptions>): Promise<MassReport['tally']> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const usual = { instances: 100, hosts: 10, rounds: 1, users: 2, dyingOfTen: 0 };
  const options = { ...usual, haproxies: 1, freezeMs: 0, seed, ...more } as const;
  const { tally, reloads } = await runMass(options).catch((error: unknown) => {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
  });
  expect(reloads, `seed ${seed}`).toEqual({});
  return tally;
}

it('all sessions expire at once and return: no request fails, no reload', async () => {
  expect(describeFailures(await run({}))).toEqual([]);
});

it('the same with two HAProxies that belong to one synapse, and stand still in the middle of it', async () => {
  expect(describeFailures(await run({ users: 4, haproxies: 2, freezeMs: 4_000 }))).toEqual([]);
});

it('some of the instances are dead as well: what the others can answer is answered', async () => {
  const tally = await run({ dyingOfTen: 3 });
  // A slow answer that was under way ends with its instance, and a TCP stream cannot be tried again.
  expect(failuresOf(tally, ['fresh', 'keep-alive']), describeFailures(tally).join('\n')).toBe(0);
});
