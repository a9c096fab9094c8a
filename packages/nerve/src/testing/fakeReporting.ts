import type { Clock } from '@smartstack/agent';
import type { NerveMetrics } from '../metrics.js';
import type { ReporterChoice } from '../reporters/index.js';
import type { ZooKeeperSettings } from '../reporters/zookeeper.js';
import { ReporterSet } from '../reporterSet.js';
import type { Reporting } from '../slots.js';
import { FakeReporter } from './fakeReporter.js';

/**
 * The sets of reporters that the agent has, over registries in memory: one for each path and credentials, of which
 * those with the same path cannot be published at once. `made`: every one there was, in order.
 */
export function fakeReporting(
  { clock, metrics }: { readonly clock: Clock; readonly metrics: NerveMetrics },
  nameOf = (service: string, path: string): string => `${service}@${path}`,
) {
  const log: string[] = [];
  const made: FakeReporter[] = [];
  const state = { reachable: true, broken: false };
  const at = ({ settings }: ReporterChoice) => settings as ZooKeeperSettings;
  const create = (service: string, choice: ReporterChoice): FakeReporter => {
    if (state.broken) throw new Error('no key file');
    const fake = new FakeReporter(nameOf(service, at(choice).zkPath), log);
    fake.reachable = state.reachable;
    made.push(fake);
    return fake;
  };
  const reporting: Reporting = {
    update: () => undefined,
    create: ({ name: service, reporters }) =>
      new ReporterSet(reporters, {
        service,
        clock,
        registered: metrics.reporterRegistered,
        onReported: () => undefined,
        factory: {
          place: (choice) => at(choice).zkPath + (at(choice).zkAuth ?? ''),
          clash: (before, after) => at(before).zkPath === at(after).zkPath,
          create: (choice) => create(service, choice),
        },
      }),
  };
  return { reporting, log, made, state };
}
