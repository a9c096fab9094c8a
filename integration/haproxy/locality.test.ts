import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  inRotation,
  instanceOf,
  reloads,
  type Services,
  startGenerator,
  tested,
  topLevel,
} from './bed.ts';

const location = new Map([
  ['zone', 'a'],
  ['region', '1'],
]);
const zone = { zone: 'a', region: '1' };
const places = { n1: zone, n2: zone, r1: { zone: 'b', region: '1' }, f1: { zone: 'a', region: '2' } };
type Name = keyof typeof places;

let dir: string;
let port: number;
let haproxy: Haproxy;
let upstreams: ReadonlyMap<Name, Upstream>;
let bed: GeneratorBed;

beforeEach(async () => {
  dir = makeTempDir('near');
  port = await freePort();
  const names = Object.keys(places) as Name[];
  const started = names.map((identity, n) => startHttpUpstream({ identity, host: `127.0.16.${n + 1}` }));
  upstreams = new Map((await Promise.all(started)).map((each, n) => [names[n]!, each]));
  const { global, defaults } = testBase(dir);
  const listen = ['listen idle', `bind 127.0.0.1:${await freePort()}`];
  haproxy = await startHaproxy({
    dir,
    config: ['global', ...global, 'defaults', ...defaults, ...listen, ''].join('\n'),
  });
  bed = startGenerator(topLevel(dir), {}, location);
});
afterEach(async () => {
  await bed.stop();
  await haproxy.stop();
  await Promise.all([...upstreams.values()].map((each) => each.stop()));
  removeTempDir(dir);
});

const all = Object.keys(places) as Name[];
const instancesOf = (names: readonly Name[]) =>
  names.map((name) => instanceOf(upstreams.get(name)!, { labels: places[name] }));
const service = (more: Readonly<Record<string, unknown>> = {}, names: readonly Name[] = all): Services => ({
  web: {
    instances: instancesOf(names),
    haproxy: { port, locality: { levels: ['zone', 'region'] }, ...more },
  },
});
/** Who answers, one request after the other. */
async function served(): Promise<readonly string[]> {
  const seen = new Set<string>();
  for (let n = 0; n < 12; n += 1) seen.add((await get({ port })).body);
  return [...seen].sort();
}

describe('saturation', () => {
  const delayMs = 400;
  beforeEach(() => upstreams.forEach((each) => each.delay(delayMs)));
  const ask = (count: number): readonly Promise<string>[] =>
    Array.from({ length: count }, async () => (await get({ port })).body);
  /** Requests that are in the backend now. */
  const open = async (backend: string): Promise<number> => {
    const rows = (await haproxy.ask('show stat')).split('\n').map((row) => row.split(','));
    return Number(rows.find(([proxy, name]) => proxy === backend && name === 'BACKEND')?.[4]);
  };
  const isOpen = (backend: string, count: number) =>
    eventually(async () => (await open(backend)) === count, {
      what: `${count} in ${backend}`,
      intervalMs: 5,
    });

  it('of the near servers lets requests go to wider levels, before any waits', async () => {
    await bed.settle(service({ server_options: 'maxconn 1' }));
    const near = ask(2);
    await isOpen('web.zone', 2);
    const wider = ask(3);
    await isOpen('web.region', 3);
    // All but those that are full nearby: everybody is the last resort, and the only place to wait.
    const rest = ask(4);
    await isOpen('web', 4);
    expect([...(await Promise.all(near))].sort()).toEqual(['n1', 'n2']);
    expect([...(await Promise.all(wider))].sort()).toEqual(['n1', 'n2', 'r1']);
    expect([...(await Promise.all(rest))].sort()).toEqual(['f1', 'n1', 'n2', 'r1']);
    const after = ask(2);
    await isOpen('web.zone', 2);
    await Promise.all(after);
  });

  it('is none where a server takes as many as come', async () => {
    await bed.settle(service());
    const near = ask(20);
    await isOpen('web.zone', 20);
    expect(new Set(await Promise.all(near))).toEqual(new Set(['n1', 'n2']));
  });
});

it('all near servers die at once: requests that are under way may fail, and none after that', async () => {
  const clients = 3;
  const backend = ['retries 10', 'retry-on conn-failure empty-response'];
  // Checks alone would notice long after the test.
  await bed.settle(service({ server_options: 'check inter 1m', backend }));
  const start = (maxRequests: number) =>
    startLoad({ port, clients, connections: 'fresh', maxRequests, paceMs: 5 });
  const load = start(50_000);
  await eventually(() => load.requests > 50, { what: 'requests' });
  await Promise.all([upstreams.get('n1')!.stop(), upstreams.get('n2')!.stop()]);
  const left = async (tier: string) => (await inRotation(haproxy.adminSocket, tier)).length;
  await eventually(async () => (await left('web.zone')) === 0 && (await left('web.region')) === 1, {
    what: 'both tiers know that the near servers are dead',
  });
  expect((await load.stop()).failures.length).toBeLessThanOrEqual(2 * clients);
  const after = start(100);
  await eventually(() => after.requests >= 100, { what: 'more requests' });
  const { failures, byIdentity } = await after.stop();
  expect(failures).toEqual([]);
  expect([...byIdentity.keys()].sort()).toEqual(['f1', 'r1']);
});

describe('without a reload', () => {
  it.runIf(tested.dynamicServers)('servers of all tiers come, go and change', async () => {
    await bed.settle(service());
    const worker = await haproxy.workerPid();
    const load = startLoad({ port, clients: 3, connections: 'fresh', maxRequests: 50_000 });
    const options = { server_options: 'check inter 1s' };
    const rounds: readonly (readonly [Services, readonly string[]])[] = [
      [service({}, ['n1', 'r1', 'f1']), ['n1', 'r1']],
      // The only one that is near is replaced.
      [service(options, ['n1', 'r1', 'f1']), ['n1', 'r1']],
      [service(options, ['n1', 'f1']), ['f1', 'n1']],
      [service(options, ['f1']), ['f1']],
      [service(options), ['n1', 'n2']],
    ];
    for (const [services, identities] of rounds) {
      expect(reloads(await bed.settle(services))).toBe(0);
      await eventually(async () => (await served()).join() === identities.join(), {
        what: `${identities.join()} serve`,
      });
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(await haproxy.workerPid()).toBe(worker);
  });

  it.runIf(tested.dynamicServers)('synapse starts again, on a host that moved', async () => {
    await bed.settle(service());
    const worker = await haproxy.workerPid();
    await bed.stop();
    bed = startGenerator(topLevel(dir), {}, new Map([...location, ['zone', 'b']]));
    expect(reloads(await bed.settle(service({}, ['n1', 'r1', 'f1'])))).toBe(0);
    const { identity, host, port: at } = upstreams.get('r1')!;
    expect(await inRotation(haproxy.adminSocket, 'web.zone')).toEqual([`${identity}_${host}:${at}`]);
    expect(await inRotation(haproxy.adminSocket, 'web.region')).toHaveLength(2);
    expect(await haproxy.workerPid()).toBe(worker);
  });
});

describe('what HAProxy or the operator does not want', () => {
  it('bad lines that come with the key leave the service as it was; one reload brings both right', async () => {
    const before = { ...service({ locality: undefined }) };
    await bed.settle(before);
    const bad = { backend: ['timeout server bogus'] };
    await bed.settle(service(bad));
    expect(bed.status().quarantined.length).toBeGreaterThan(0);
    expect(await served()).toEqual(['f1', 'n1', 'n2', 'r1']);
    expect(reloads(await bed.settle(service()))).toBe(1);
    expect(bed.status().quarantined).toEqual([]);
    expect(await served()).toEqual(['n1', 'n2']);
    // The same when the key goes: the last good frontend led to tiers that are no longer there.
    await bed.settle(service({ ...bad, locality: undefined }));
    expect(await served()).toEqual(['f1', 'n1', 'n2', 'r1']);
    expect(await readFile(haproxy.configFile, 'utf8')).not.toContain('use_backend');
    await bed.settle(before);
    expect(bed.status().quarantined).toEqual([]);
  });

  it('a line that only a tier cannot have costs the tier alone', async () => {
    await bed.settle(service({ backend: ['id 77'] }));
    expect(bed.status().quarantined.map(({ culprit }) => culprit)).toEqual([
      { kind: 'service', service: 'web@zone' },
      { kind: 'service', service: 'web@region' },
    ]);
    expect(await served()).toEqual(['f1', 'n1', 'n2', 'r1']);
  });

  it('a service of the name of a tier keeps it', async () => {
    const other = { instances: instancesOf(['f1']), haproxy: { port: await freePort() } };
    await bed.settle({ ...service(), 'web.zone': other });
    expect(await get({ port: other.haproxy.port })).toMatchObject({ body: 'f1' });
    expect(await served()).toEqual(['n1', 'n2', 'r1']);
  });
});
