import { expect, it } from 'vitest';
import { cleanUpAfterEach } from '../discovery/bed.ts';
import { runReloads } from './reloads.ts';
import { describeFailures } from './traffic.ts';

cleanUpAfterEach();

it(
  'reloads under load: no request fails, on new connections or kept ones, and old workers end',
  { timeout: 120_000 },
  async () => {
    const { tally, reloads } = await runReloads({ reloads: 6, users: 3 });
    expect(describeFailures(tally)).toEqual([]);
    for (const { requests } of Object.values(tally)) expect(requests).toBeGreaterThan(10);
    expect(reloads).toEqual({ 'lines-changed': 6 });
  },
);
