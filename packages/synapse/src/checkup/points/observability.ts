import type { Facts } from '../facts.js';
import { readStatus, readTapServices, readTraffic } from '../answers.js';
import { failed, passed, type Point, type Result, unknown, warning } from '../types.js';

/** As many lines as people read. */
const shown = 20;
/** Counters are read every second or two. */
const lateMs = 15_000;

const latencies: Point<Facts> = {
  id: 'observability-latencies',
  group: 'observability',
  title: 'latencies are counted of each service in mode http',
  when: 'running',
  examine: async (facts) => {
    const { services } = await facts.ask('/v1/traffic?from=60&to=0', readTraffic);
    const lines = services.flatMap(({ service, mode, noLatencies }) =>
      noLatencies === undefined || mode === 'tcp' ? [] : [`${service}: ${noLatencies}`],
    );
    if (lines.length === 0) return passed();
    return warning(
      lines.slice(0, shown),
      'rates and success are there all the same; `traffic` in agent.yaml turns latencies on and picks the stick counter',
    );
  },
};

type Details = NonNullable<ReturnType<typeof readStatus>['generators'][number]['details']>;
type Counting = NonNullable<Details['counting']>;
type Tap = NonNullable<Details['tap']>;

/** What the generator says that counts traffic. */
function ofCounting(judge: (counting: Counting) => Result): Point<Facts>['examine'] {
  return async (facts) => {
    const { generators } = await facts.ask('/status', readStatus);
    const counting = generators.map(({ details }) => details?.counting).find((each) => each !== undefined);
    return counting === undefined ? unknown('no generator counts traffic') : judge(counting);
  };
}

const counters: Point<Facts> = {
  id: 'observability-counters',
  group: 'observability',
  title: "HAProxy's counters are read",
  when: 'running',
  examine: ofCounting(({ readMsAgo, failures }) => {
    const hint =
      'the admin socket must answer (haproxy-admin above); journalctl -u synapse has the reason of the last failure';
    if (readMsAgo < 0) return failed(['they were never read'], hint);
    if (readMsAgo > lateMs) return failed([`read last ${Math.round(readMsAgo / 1000)} s ago`], hint);
    return passed(failures > 0 ? `${failures} readings failed since the start` : undefined);
  }),
};

const losses: Point<Facts> = {
  id: 'observability-losses',
  group: 'observability',
  title: 'nothing of what HAProxy counted was lost',
  when: 'running',
  examine: ofCounting(({ losses: workers, lostSeconds }) =>
    workers === 0
      ? passed()
      : warning(
          [
            `${workers} ${workers === 1 ? 'worker' : 'workers'} ended before the last look: ${lostSeconds.toFixed(1)} s in all are not in the numbers`,
          ],
          'a worker was killed, or hard_stop_after ends workers while they are busy: raise it. Totals since are right',
        ),
  ),
};

/** Who looks, and of how many requests nobody could be told. */
function tapText({ readers, dropped: { haproxy, reader } }: Tap): readonly string[] {
  const lost = [
    ...(haproxy > 0 ? [`${haproxy} for which HAProxy had no room`] : []),
    ...(reader > 0 ? [`${reader} for a reader who was too slow`] : []),
  ];
  return [
    readers === 0 ? 'nobody looks now' : `${readers} ${readers === 1 ? 'looks' : 'look'} now`,
    ...(lost.length > 0 ? [`not shown since the start: ${lost.join(', ')}`] : []),
  ];
}

const tap: Point<Facts> = {
  id: 'observability-tap',
  group: 'observability',
  title: 'requests can be looked at while they pass, unless that is switched off',
  when: 'running',
  examine: async (facts) => {
    const { generators } = await facts.ask('/status', readStatus);
    const told = generators.map(({ details }) => details?.tap).find((each) => each !== undefined);
    if (told === undefined) return unknown('no generator can be tapped');
    const { services } = await facts.ask('/v1/tap/services', readTapServices);
    const lines = services.flatMap(({ service, reason, isMeant }) =>
      reason === undefined || isMeant === true ? [] : [`${service}: ${reason}`],
    );
    if (lines.length > 0)
      return warning(
        lines.slice(0, shown),
        '`tap: false` in the haproxy block of a service says that it is meant so; synapse tap SERVICE tells the same',
      );
    const open = services.filter(({ reason }) => reason === undefined).length;
    return passed([`${open} of ${services.length} services`, ...tapText(told)].join('; '));
  },
};

/** What is seen of the traffic. */
export const observabilityPoints: readonly Point<Facts>[] = [latencies, counters, losses, tap];
