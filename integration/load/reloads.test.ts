import { expect, it, vi } from 'vitest';
import { cleanUpAfterEach } from '../discovery/bed.ts';
import { type ReloadsOptions, runReloads } from './reloads.ts';
import { describeFailures } from './traffic.ts';

cleanUpAfterEach();
vi.setConfig({ testTimeout: 120_000 });

/** No request fails; returns the reloads by reason. */
async function holds(more: Partial<ReloadsOptions>): Promise<Readonly<Record<string, number>>> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const usual = { reloads: 6, users: 3, haproxies: 1, freezeMs: 0 } as const;
  const { tally, reloads } = await runReloads({ ...usual, seed, ...more }).catch((error: unknown) => {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
  });
  expect(describeFailures(tally), `seed ${seed}`).toEqual([]);
  return reloads;
}

it('reloads under load: no request fails, on new connections or kept ones, and old workers end', async () => {
  expect(await holds({})).toEqual({ 'lines-changed': 6 });
});

it('the same with two HAProxies that belong to one synapse: one reload of both for each change', async () => {
  expect(await holds({ reloads: 4, haproxies: 2 })).toEqual({ 'lines-changed': 4 });
});

it('the same with an HAProxy that stands still from somewhere in the course of a reload', async () => {
  expect(await holds({ reloads: 3, freezeMs: 4_000 })).toEqual({ 'lines-changed': 3 });
});
