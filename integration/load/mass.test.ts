import { expect, it } from 'vitest';
import { cleanUpAfterEach } from '../discovery/bed.ts';
import { runMass } from './mass.ts';
import { describeFailures, failuresOf } from './traffic.ts';

cleanUpAfterEach();
const usual = { instances: 100, hosts: 10, rounds: 1, users: 2 };

it('all sessions expire at once and return: no request fails, no reload', { timeout: 120_000 }, async () => {
  const { tally, reloads } = await runMass({ ...usual, dyingOfTen: 0 });
  expect(describeFailures(tally)).toEqual([]);
  for (const { requests } of Object.values(tally)) expect(requests).toBeGreaterThan(10);
  expect(reloads).toEqual({});
});

it(
  'some of the instances are dead as well: what the others can answer is answered',
  { timeout: 120_000 },
  async () => {
    const { tally, reloads } = await runMass({ ...usual, dyingOfTen: 3 });
    // A slow answer that was under way ends with its instance, and a TCP stream cannot be tried again.
    expect(failuresOf(tally, ['fresh', 'keep-alive']), describeFailures(tally).join('\n')).toBe(0);
    expect(reloads).toEqual({});
  },
);
