// Reloads of HAProxy under load: do any requests fail?
// Usage: npm run bench:reloads [-- --reloads 50 --users 6 --haproxies 1 --freeze 0 --seed 1]
import { parseArgs } from 'node:util';
import { cleanUp } from '../discovery/bed.ts';
import { runReloads } from '../load/reloads.ts';
import { haproxyFlags, haproxyOptions } from './haproxyFlags.ts';
import { printTally } from './tallyTable.ts';

const { values } = parseArgs({
  options: {
    reloads: { type: 'string', default: '50' },
    users: { type: 'string', default: '6' },
    ...haproxyFlags(),
  },
});
const haproxy = haproxyOptions(values);
try {
  const report = await runReloads({
    ...haproxy,
    reloads: Number(values.reloads),
    users: Number(values.users),
  });
  console.log(
    `${JSON.stringify(report.reloads)} in ${(report.tookMs / 1_000).toFixed(0)} s, at most ${report.mostOldWorkers} old workers at once, none at the end`,
  );
  printTally(report.tally);
} finally {
  await cleanUp();
}
