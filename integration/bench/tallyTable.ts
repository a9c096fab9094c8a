import { describeFailures, type Tally } from '../load/traffic.ts';

/** Prints what became of the requests: a line for each kind of user, then the failures, and sets the exit code. */
export function printTally(tally: Tally): void {
  console.log(
    `${'requests'.padEnd(14)}${['sent', 'failed', 'slowest ms'].map((each) => each.padStart(12)).join('')}`,
  );
  for (const [kind, { requests, failures, slowestMs }] of Object.entries(tally)) {
    const figures = [requests, failures, Math.round(slowestMs)].map((each) => String(each).padStart(12));
    console.log(`${kind.padEnd(14)}${figures.join('')}`);
  }
  const failures = describeFailures(tally);
  for (const line of failures) console.log(line);
  if (failures.length > 0) process.exitCode = 1;
}
