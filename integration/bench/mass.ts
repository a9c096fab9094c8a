// The ZooKeeper sessions of all hosts expire at once and return, under load: do any requests fail?
// Usage: npm run bench:mass [-- --instances 500 --hosts 20 --rounds 3 --dying-of-ten 0 --users 6 --haproxies 1 --freeze 0 --seed 1]
import { parseArgs } from 'node:util';
import { cleanUp } from '../discovery/bed.ts';
import { runMass } from '../load/mass.ts';
import { haproxyFlags, haproxyOptions } from './haproxyFlags.ts';
import { printTally } from './tallyTable.ts';

const { values } = parseArgs({
  options: {
    instances: { type: 'string', default: '500' },
    hosts: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    'dying-of-ten': { type: 'string', default: '0' },
    users: { type: 'string', default: '6' },
    ...haproxyFlags(),
  },
});
const haproxy = haproxyOptions(values);
try {
  const report = await runMass({
    ...haproxy,
    instances: Number(values.instances),
    hosts: Number(values.hosts),
    rounds: Number(values.rounds),
    dyingOfTen: Number(values['dying-of-ten']),
    users: Number(values.users),
  });
  for (const { emptyMs, backMs } of report.rounds)
    console.log(
      `nothing registered for ${(emptyMs / 1_000).toFixed(1)} s, all in step ${(backMs / 1_000).toFixed(1)} s after the return`,
    );
  printTally(report.tally);
  console.log(
    `reloads: ${JSON.stringify(report.reloads)}; ${report.servers} servers at the end, as the registry says`,
  );
} finally {
  await cleanUp();
}
