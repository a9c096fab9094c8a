// Who calls, where the address does not tell for which service: asked of a real HAProxy, and joined with real sockets.
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectionsOf } from '../../packages/synapse/src/topology/connections.ts';
import { readSockets } from '../../packages/synapse/src/topology/socketReader.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, startGenerator, topLevel } from './bed.ts';

const patience = { timeoutMs: 20_000, intervalMs: 20 };
const never = new AbortController().signal;

describe('callers', () => {
  let dir: string;
  let haproxy: Haproxy;
  let upstream: Upstream;
  let bed: GeneratorBed;
  let ports: { hall: number; web: number; batch: number };
  let socket: string;

  beforeEach(async () => {
    dir = makeTempDir('callers');
    ports = { hall: await freePort(), web: await freePort(), batch: await freePort() };
    socket = join(dir, 'shop.sock');
    upstream = await startHttpUpstream({ identity: 'u', host: '127.0.7.1' });
    const { global, defaults } = testBase(dir);
    const idle = `listen idle\nbind 127.0.0.1:${await freePort()}\n`;
    haproxy = await startHaproxy({
      dir,
      config: ['global', ...global, 'defaults', ...defaults, idle].join('\n'),
    });
    bed = startGenerator(topLevel(dir, { shared_frontend: [`bind 127.0.0.1:${ports.hall}`] }));
    const behind = (name: string) => ({
      instances: [instanceOf(upstream)],
      haproxy: { shared_frontend: [`use_backend ${name} if { path_beg /${name} }`] },
    });
    const callers = [
      { name: 'batch', port: ports.batch },
      { name: 'shop', socket },
    ];
    const web = { instances: [instanceOf(upstream)], haproxy: { port: ports.web, callers } };
    await bed.settle({ orders: behind('orders'), users: behind('users'), web });
    expect(bed.status().issues).toEqual([]);
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await upstream.stop();
    removeTempDir(dir);
  });

  /** HAProxy has noticed that callers hung up, and has nothing more to tell of them. */
  const hungUp = () =>
    eventually(async () => (await look('web')).own.length === 0, { what: 'callers hung up', ...patience });
  const look = (...active: readonly string[]) => bed.generator.clients!(new Set(active), never);

  it('of services that share a frontend are joined with their requests, and are none before and after', async () => {
    const entrances = bed.generator.entrances!();
    const seen = async () => {
      const { shared } = await look('orders', 'users');
      const { sockets } = await readSockets(new Set(entrances.map(({ port }) => port)), never);
      return connectionsOf(sockets, entrances, shared).map(({ service, uid }) => `${service} ${uid}`);
    };
    const me = process.getuid!();
    const agents = ['orders', 'orders', 'users'].map((name) => ({
      name,
      agent: new Agent({ keepAlive: true, maxSockets: 1 }),
    }));
    expect((await get({ port: ports.hall, path: '/orders' })).body).toBe('u');
    upstream.delay(60_000);
    const before = upstream.received;
    for (const { name, agent } of agents) {
      const asked = request({ host: '127.0.0.1', port: ports.hall, path: `/${name}`, agent });
      asked.on('error', () => undefined);
      asked.end();
    }
    await eventually(() => upstream.received === before + 3, { what: 'three are under way', ...patience });
    expect((await seen()).toSorted()).toEqual([`orders ${me}`, `orders ${me}`, `users ${me}`]);
    for (const { agent } of agents) agent.destroy();
    await eventually(async () => (await seen()).length === 0, { what: 'they have gone', ...patience });
  });

  it('with addresses of their own are known by them, sockets included, however short they call', async () => {
    expect((await look('web')).own).toEqual([]);
    await get({ port: ports.web });
    expect((await look('web')).own).toEqual([]);
    await get({ port: ports.batch });
    expect((await look('web')).own).toEqual([{ caller: 'batch', service: 'web' }]);
    await hungUp();
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request({ socketPath: socket, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
    expect((await look('web')).own).toEqual([{ caller: 'shop', service: 'web' }]);
    await hungUp();
    // Its own ports are nobody else's entrance.
    expect(
      bed.generator.entrances!()
        .map(({ port }) => port)
        .toSorted(),
    ).toEqual([ports.hall, ports.web].toSorted());
  });
});
