// What HAProxy has no room for: it goes on at full speed, and what is missing is told.
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMetrics, serveAdmin, systemClock } from '@smartstack/agent';
import { ApiClient } from '@smartstack/agent/apiClient';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tapRoutes } from '../../packages/synapse/src/tap/routes.ts';
import type { TapEvent } from '../../packages/synapse/src/tap/shapes.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, startGenerator, topLevel } from './bed.ts';
import { Listener } from './tapBed.ts';
import { read } from './traffic.ts';

const patience = { timeoutMs: 20_000, intervalMs: 20 };
const traffic = { latencies: true, stickCounter: 2, tap: true };
/** HAProxy forgets who wants to be told after four seconds, of which one may be over. */
const leaseMs = 2_500;

let dir: string;
let haproxy: Haproxy;
let bed: GeneratorBed;
let port: number;
let cleanUps: (() => unknown)[];

beforeEach(async () => {
  dir = makeTempDir('over');
  port = await freePort();
  cleanUps = [];
  const { global, defaults } = testBase(dir);
  const idle = `listen idle\nbind 127.0.0.1:${await freePort()}\n`;
  haproxy = await startHaproxy({
    dir,
    config: ['global', ...global, 'defaults', ...defaults, idle].join('\n'),
  });
});
afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
  await bed.stop();
  await haproxy.stop();
  removeTempDir(dir);
});

/** Requests that a frontend has had, and those that were answered well. wrk begins with a connection on which it sends none. */
async function served(frontend: string): Promise<{ readonly requests: number; readonly well: number }> {
  const [head = '', ...rows] = (await haproxy.ask(`show stat ${frontend} 1 -1`)).split('\n');
  const columns = head.replace('# ', '').split(',');
  const row = rows.find((each) => each.startsWith(`${frontend},`))?.split(',') ?? [];
  const value = (name: string): number => Number(row[columns.indexOf(name)]);
  return { requests: value('req_tot') - value('ereq'), well: value('hrsp_2xx') };
}

const wrk = 'wrk';

/** Runs wrk for a second, and has this process do nothing meanwhile: whoever reads HAProxy stands still. */
function loadWhileNobodyReads(path: string): { readonly text: string; readonly ms: number } {
  const since = performance.now();
  const url = `http://127.0.0.1:${port}${path}`;
  const text = execFileSync(wrk, ['-t1', '-c8', '-d1s', url], { encoding: 'utf8' });
  return { text, ms: performance.now() - since };
}

/** Everything that `/v1/tap` says, over HTTP. */
async function follow(query: string): Promise<readonly TapEvent[]> {
  const socket = join(dir, 'api.sock');
  const stop = new AbortController();
  const routes = tapRoutes({ tap: () => bed.generator.tap, clock: systemClock, needsToken: false });
  const serving = serveAdmin(
    {
      ...{ name: 'synapse', version: 'test', listen: [{ socket }], clock: systemClock },
      ...{ logger: new RecordingLogger(), metrics: createMetrics() },
      ...{ health: () => ({ ok: true }), ready: () => ({ ok: true }), status: () => ({}) },
      routes: () => Promise.resolve(routes),
    },
    stop.signal,
  );
  const client = new ApiClient({ addresses: [{ socket }], clock: systemClock, timeoutMs: 20_000 });
  await eventually(() => client.call('GET', '/v1/tap/services').then(() => true), {
    ...{ what: 'the API answers', ...patience },
  });
  const events: TapEvent[] = [];
  const following = (async () => {
    for await (const line of client.follow(`/v1/tap?${query}`, stop.signal))
      if (line !== '') events.push(JSON.parse(line) as TapEvent);
  })();
  cleanUps.push(async () => {
    stop.abort();
    await Promise.all([following, serving]);
  });
  return events;
}

describe('a tap of everything at full load whose reader stands still', () => {
  it('costs no request, and says how many it could not tell of: told and dropped are all there were', async () => {
    const { global, ...rest } = topLevel(dir);
    // Of one thread the numbers of lines are exact.
    bed = startGenerator(
      { ...rest, global: [...(global as string[]), 'nbthread 1'] },
      {},
      undefined,
      traffic,
    );
    // HAProxy answers by itself, as fast as it can.
    const frontend = ['http-request return status 200 content-type text/plain string ok'];
    const nobody = [{ host: '127.0.0.1', port: 1, name: 'nobody' }];
    await bed.settle({ web: { instances: nobody, haproxy: { port, frontend } } });
    const heard = new Listener();
    const tap = bed.generator.tap!.open(['web'], 1000, heard);
    cleanUps.push(() => tap.close());
    const events = await follow('service=web&max_rps=5000');
    const status = () => events.findLast((event) => event.type === 'status');
    await eventually(() => heard.states.at(-1) === true && status()?.attached, {
      ...{ what: 'both are attached', ...patience },
    });
    const hears = (path: string) =>
      eventually(() => heard.paths.includes(path), { what: `${path} is told of`, ...patience });

    // Long lines: the ring is full also where the machine is slow.
    const path = `/${'x'.repeat(500)}`;
    const all = async (round: number): Promise<boolean> => {
      await get({ port, path: `/first-${round}` });
      await hears(`/first-${round}`);
      const [before, told, lost] = [await served('web'), heard.requests.length, heard.losses];
      const { text, ms } = loadWhileNobodyReads(path);
      expect(text).not.toMatch(/Socket errors|Non-2xx/);
      await get({ port, path: `/last-${round}` });
      await hears(`/last-${round}`);
      const after = await served('web');
      const requests = after.requests - before.requests;
      // On a machine that stood still itself, HAProxy has forgotten that somebody looks.
      if (ms > leaseMs) return false;
      const counted = (): number => heard.requests.length - told + (heard.losses - lost);
      await eventually(() => counted() >= requests, { what: 'the losses are told', ...patience });
      expect(counted()).toBe(requests);
      expect(after.well - before.well).toBe(requests);
      expect(heard.losses - lost).toBeGreaterThan(0);
      return true;
    };
    let round = 0;
    while (!(await all((round += 1)))) expect(round).toBeLessThan(5);
    await eventually(() => status()?.dropped.haproxy === heard.losses, {
      ...{ what: 'the stream has told of all losses', ...patience },
    });
    expect(read(await bed.metrics(), 'smartstack_tap_dropped_total', 'by="haproxy"')).toBe(heard.losses);
  });
});

describe('a stick table with fewer entries than there are servers', () => {
  let upstreams: Upstream[];
  beforeEach(async () => {
    upstreams = await Promise.all(
      ['a', 'b', 'c'].map((identity) => startHttpUpstream({ identity, host: '127.0.7.1' })),
    );
    cleanUps.push(() => Promise.all(upstreams.map((upstream) => upstream.stop())));
  });

  it('fails no request, counts none twice, and what is in no histogram is told', async () => {
    const instances = upstreams.map((upstream) => instanceOf(upstream));
    const services = { web: { instances, haproxy: { port } } };
    bed = startGenerator(topLevel(dir), {}, undefined, traffic);
    await bed.settle(services);
    await bed.stop();
    const whole = await readFile(haproxy.configFile, 'utf8');
    const small = whole.replace(/(table type string len 128 size) 1m/, '$1 1');
    expect(small).not.toBe(whole);
    await writeFile(haproxy.configFile, small);
    const observer = { do_writes: false, do_reloads: false };
    // Before its worker: all that one counts is then counted.
    bed = startGenerator(topLevel(dir, observer), { countMs: 20, latencyMs: 20 }, undefined, traffic);
    await haproxy.reload();
    await bed.reconcile(services);
    const minute = { fromMs: 60_000, toMs: 0, withPoints: false };
    const summary = () => bed.generator.traffic!.service('web', minute)?.service.summary;
    const measured = (): number => (summary()?.latencies ?? []).reduce((sum, count) => sum + count, 0);

    const clients = Array.from({ length: 6 }, async () => {
      for (let n = 0; n < 50; n += 1) expect((await get({ port })).status).toBe(200);
    });
    await Promise.all(clients);
    await eventually(() => summary()?.requests === 300, { what: 'all are counted', ...patience });
    const { success, failure, unmeasured } = summary()!;
    expect([success, failure]).toEqual([300, 0]);
    expect(measured()).toBeLessThan(success);
    expect(unmeasured).toBe(success - measured());
    expect(await haproxy.ask('show table synapse-latencies')).toMatch(/size:1, used:[01]$/m);
    const metrics = await bed.metrics();
    expect(read(metrics, 'smartstack_response_total', '"web"')).toBe(success);
    expect(read(metrics, 'smartstack_response_latency_seconds_count', '"web"')).toBe(measured());
  });
});
