// Random changes of the registry under load: do any requests fail, does HAProxy reload, is anything left behind?
// Usage: npm run bench:churn [-- --changes 10000 --per-second 50 --users 6 --haproxies 1 --freeze 0 --seed 1]
import { parseArgs } from 'node:util';
import { cleanUp } from '../discovery/bed.ts';
import { runChurn } from '../load/churn.ts';
import { haproxyFlags, haproxyOptions } from './haproxyFlags.ts';
import { printTally } from './tallyTable.ts';

const { values } = parseArgs({
  options: {
    changes: { type: 'string', default: '10000' },
    'per-second': { type: 'string', default: '50' },
    users: { type: 'string', default: '6' },
    ...haproxyFlags(),
  },
});
const options = {
  changes: Number(values.changes),
  perSecond: Number(values['per-second']),
  users: Number(values.users),
  ...haproxyOptions(values),
};
try {
  const { tally, reloads, kinds, tookMs, servers } = await runChurn(options);
  const rate = (options.changes / tookMs) * 1_000;
  console.log(
    `${options.changes} changes in ${(tookMs / 1_000).toFixed(0)} s (${rate.toFixed(0)}/s):`,
    Object.entries(kinds)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', '),
  );
  printTally(tally);
  console.log(
    `${Object.keys(reloads).length === 0 ? 'no reload' : JSON.stringify(reloads)}; ${servers} servers at the end, as the registry says; no descriptor left open`,
  );
} finally {
  await cleanUp();
}
