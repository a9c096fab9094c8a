// Several instances die at once: how many requests fail until HAProxy's checks notice, by its settings?
// Usage: npm run bench:deaths [-- --servers 10 --dying 5]
import { parseArgs } from 'node:util';
import { startHaproxy, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir } from '../harness/tempDir.ts';
import { addressesOf, startFleet } from '../load/fleet.ts';
import { describeFailures, startTraffic } from '../load/traffic.ts';
import { pause } from '../harness/pause.ts';

const { values } = parseArgs({
  options: { servers: { type: 'string', default: '10' }, dying: { type: 'string', default: '5' } },
});
const retryOn = 'retry-on conn-failure empty-response';
/** Lines of a backend, each tried beside the others on the same servers. */
const settings = [
  ['balance roundrobin', 'option redispatch', 'retries 3'],
  ['balance roundrobin', 'option redispatch', 'retries 3', retryOn],
  ['balance roundrobin', 'option redispatch', 'retries 10', retryOn],
  ['balance roundrobin', 'option redispatch 1', 'retries 10', retryOn],
  ['balance roundrobin', 'option redispatch 1', 'retries 20', retryOn],
  ['balance roundrobin', 'option redispatch 1', 'retries 40', retryOn],
  [
    'balance roundrobin',
    'option redispatch 1',
    'retries 10',
    retryOn,
    'default-server observe layer4 error-limit 10 on-error mark-down',
  ],
  [
    'balance roundrobin',
    'option redispatch 1',
    'retries 10',
    retryOn,
    'default-server observe layer4 error-limit 5 on-error fail-check',
  ],
  ['balance leastconn', 'option redispatch', 'retries 10', retryOn],
  ['balance leastconn', 'option redispatch 1', 'retries 40', retryOn],
  [
    'balance leastconn',
    'option redispatch 1',
    'retries 10',
    retryOn,
    'default-server observe layer4 error-limit 10 on-error mark-down',
  ],
  ['balance random(2)', 'option redispatch 1', 'retries 40', retryOn],
] as const;

const fleet = await startFleet(addressesOf(21, Number(values.servers)));
const dir = makeTempDir('deaths');
const { global, defaults } = testBase(dir);
const ports = await Promise.all(settings.map(() => freePort()));
const sections = settings.flatMap((lines, i) => [
  `listen l${i}`,
  `bind 127.0.0.1:${ports[i]}`,
  'timeout connect 2s',
  ...lines,
  ...fleet.addresses.map((host, j) => `server s${j} ${host}:${fleet.httpPort} check inter 2s`),
]);
const haproxy = await startHaproxy({
  dir,
  config: ['global', ...global, 'defaults', ...defaults, ...sections, ''].join('\n'),
});
try {
  const loads = await Promise.all(
    ports.map((port) =>
      startTraffic({ clients: [{ kind: 'fresh', port, count: 4, paceMs: 20 }], timeoutMs: 30_000 }),
    ),
  );
  const before = await Promise.all(loads.map((load) => load.tally()));
  await fleet.kill(fleet.addresses.slice(0, Number(values.dying)));
  // Three checks must fail, two seconds apart.
  await pause(8_000);
  const tallies = await Promise.all(loads.map((load) => load.stop()));
  console.log(
    `${values.dying} of ${values.servers} servers die at once; requests from then until they are known to be dead`,
  );
  for (const [i, { fresh }] of tallies.entries()) {
    const requests = (fresh?.requests ?? 0) - (before[i]?.fresh?.requests ?? 0);
    const { failures = 0, slowestMs = 0 } = fresh ?? {};
    console.log(
      `${settings[i]!.join(', ').replace(`, ${retryOn}`, ', +empty').padEnd(110)} ${String(requests).padStart(6)} requests, ${String(failures).padStart(4)} failed, slowest ${Math.round(slowestMs)} ms`,
      process.env.DEBUG === undefined ? '' : describeFailures(tallies[i]!).join(),
    );
  }
} finally {
  await haproxy.stop();
  await fleet.stop();
}
