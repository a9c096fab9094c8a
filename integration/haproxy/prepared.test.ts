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
  instanceOf,
  reloads,
  serversOf,
  type Services,
  startGenerator,
  topLevel,
} from './bed.ts';

describe('services prepared ahead', () => {
  let dir: string;
  let port: number;
  let later: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;

  beforeEach(async () => {
    dir = makeTempDir('pre');
    [port, later] = [await freePort(), await freePort()];
    upstreams = await Promise.all(
      [1, 2].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.15.${n}` })),
    );
    const { global, defaults } = testBase(dir);
    const listen = ['listen idle', `bind 127.0.0.1:${await freePort()}`];
    const config = ['global', ...global, 'defaults', ...defaults, ...listen, ''].join('\n');
    haproxy = await startHaproxy({ dir, config });
    const prepared_services = { later: { port: later, server_options: 'check inter 1s' } };
    bed = startGenerator(topLevel(dir, { prepared_services, state_file_path: null }));
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const instance = (n: number) => instanceOf(upstreams[n - 1]!);
  const web = (): Services => ({ web: { instances: [instance(1)], haproxy: { port } } });
  /** With the service of the prepared name, as its own definition says it. */
  const both = (more: Readonly<Record<string, unknown>> = {}): Services => ({
    later: {
      instances: [instance(2)],
      haproxy: { port: later, server_options: 'check inter 1s', ...more },
    },
    ...web(),
  });

  it('come, go and come again under requests: no reload and no failed request', async () => {
    expect(reloads(await bed.settle(web()))).toBe(1);
    const worker = await haproxy.workerPid();
    expect(await get({ port: later })).toMatchObject({ status: 503 });
    const others = startLoad({ port, clients: 3, connections: 'keep-alive', maxRequests: 50_000 });
    for (let round = 0; round < 3; round += 1) {
      expect(reloads(await bed.settle(both()))).toBe(0);
      const own = startLoad({ port: later, clients: 2, connections: 'fresh', maxRequests: 5_000 });
      await eventually(() => own.requests > 20, { what: 'requests to the new service' });
      const { failures, byIdentity } = await own.stop();
      expect(failures).toEqual([]);
      expect([...byIdentity.keys()]).toEqual(['u2']);
      expect(reloads(await bed.settle(web()))).toBe(0);
      expect(await get({ port: later })).toMatchObject({ status: 503 });
      await eventually(
        async () => {
          await bed.settle(web());
          return (await serversOf(haproxy.adminSocket, 'later')).length === 0;
        },
        { what: 'its servers are gone' },
      );
    }
    expect((await others.stop()).failures).toEqual([]);
    expect(await haproxy.workerPid()).toBe(worker);
  });

  it('of which the real one says something else take an ordinary reload, with its reason', async () => {
    await bed.settle(web());
    expect(reloads(await bed.settle(both({ backend: ['timeout server 9s'] })))).toBe(1);
    expect(await get({ port: later })).toEqual({ status: 200, body: 'u2' });
    expect(await bed.metrics()).toContain('reason="lines-changed",result="success"} 1');
  });

  it('stand in for a service whose own definition says nothing of HAProxy', async () => {
    await bed.settle(web());
    const { later: own } = both();
    const services = { later: { ...own!, haproxy: undefined }, ...web() };
    expect(reloads(await bed.settle(services))).toBe(0);
    expect(await get({ port: later })).toEqual({ status: 200, body: 'u2' });
  });

  it('keep their address from another service that comes first by name', async () => {
    await bed.settle(web());
    const thief: Services = { a: { instances: [instance(1)], haproxy: { port: later } }, ...both() };
    await bed.settle(thief);
    expect(await get({ port: later })).toEqual({ status: 200, body: 'u2' });
    expect(bed.status().issues).toMatchObject([
      {
        service: 'a',
        reason: `127.0.0.1:${later} already belongs to service later: the service gets no frontend`,
      },
    ]);
    const text = await readFile(haproxy.configFile, 'utf8');
    expect(text.match(new RegExp(`bind 127.0.0.1:${later}`, 'g'))).toHaveLength(1);
  });
});

describe('two services on one address', () => {
  it('the one that has it keeps it until it gives it up, also over a restart of synapse', async () => {
    const dir = makeTempDir('two');
    const port = await freePort();
    const upstreams = await Promise.all(
      [1, 2].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.15.${n}` })),
    );
    const { global, defaults } = testBase(dir);
    const listen = ['listen idle', `bind 127.0.0.1:${await freePort()}`];
    const haproxy = await startHaproxy({
      dir,
      config: ['global', ...global, 'defaults', ...defaults, ...listen, ''].join('\n'),
    });
    let bed = startGenerator(topLevel(dir));
    const service = (n: number) => ({ instances: [instanceOf(upstreams[n - 1]!)], haproxy: { port } });
    try {
      await bed.settle({ b: service(1) });
      await bed.settle({ a: service(2), b: service(1) });
      expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
      expect(bed.status().issues).toMatchObject([
        {
          service: 'a',
          reason: `127.0.0.1:${port} already belongs to service b: the service gets no frontend`,
        },
      ]);
      await bed.stop();
      bed = startGenerator(topLevel(dir));
      expect(reloads(await bed.settle({ a: service(2), b: service(1) }))).toBe(0);
      expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
      await bed.settle({ a: service(2) });
      expect(await get({ port })).toEqual({ status: 200, body: 'u2' });
      expect(bed.status().issues).toEqual([]);
    } finally {
      await bed.stop();
      await haproxy.stop();
      await Promise.all(upstreams.map((upstream) => upstream.stop()));
      removeTempDir(dir);
    }
  });
});
