import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startProcess } from '../harness/childProcess.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort, listenAnywhere } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, startTcpUpstream, type Upstream } from '../harness/upstream.ts';
import { endNginx, instanceOf, mainLines, type NginxBed, startBed } from './bed.ts';
import { greeting } from './greeting.ts';

let dir: string;
let bed: NginxBed | undefined;
let upstreams: Upstream[];
beforeEach(() => {
  dir = makeTempDir('nginx');
  upstreams = [];
});
afterEach(async () => {
  await bed?.stop();
  bed = undefined;
  await endNginx(dir);
  for (const upstream of upstreams) await upstream.stop();
  removeTempDir(dir);
});

async function http(identity: string): Promise<Upstream> {
  const upstream = await startHttpUpstream({ identity });
  upstreams.push(upstream);
  return upstream;
}
const start = (more: Readonly<Record<string, unknown>> = {}): NginxBed => (bed = startBed(dir, more));
const told = ({ log }: NginxBed, message: string): number =>
  log.records.filter((record) => record.message === message).length;

describe('nginx', () => {
  it('is started for http and stream, balances by weight, and follows', async () => {
    const [a, b] = [await http('a'), await http('b')];
    const echo = await startTcpUpstream({ identity: 'echo' });
    upstreams.push(echo);
    const [web, tcp, empty, refusing] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    const it = start();
    const services = {
      web: { instances: [instanceOf(a), instanceOf(b, { weight: 0 })], nginx: { port: web } },
      tcp: { instances: [instanceOf(echo)], nginx: { port: tcp, mode: 'tcp' } },
      empty: {
        instances: [],
        nginx: { port: empty, server: ['location /other { proxy_pass http://empty; }'] },
      },
      refusing: { instances: [], nginx: { port: refusing, mode: 'tcp' } },
    };
    it.services = services;
    expect((await it.pass()).outcome).toBe('start');
    const bodies = await Promise.all(Array.from({ length: 10 }, () => get({ port: web })));
    expect(new Set(bodies.map(({ body }) => body))).toEqual(new Set(['a']));
    expect(await greeting(tcp)).toBe('echo\n');
    expect((await get({ port: empty })).status).toBe(503);
    expect((await get({ port: empty, path: '/other' })).status).toBe(502);
    await expect(greeting(refusing)).rejects.toThrow('ECONNREFUSED');
    expect((await it.pass()).outcome).toBe('noop');

    it.services = { ...services, web: { ...services.web, instances: [instanceOf(b)] } };
    expect((await it.pass()).outcome).toBe('reload');
    expect((await get({ port: web })).body).toBe('b');
    expect(await it.metrics()).toContain('smartstack_nginx_reload_total{result="success"} 2');
  });

  it('is reloaded again and again under load, and no request is lost', async () => {
    const [a, b] = [await http('a'), await http('b')];
    for (const upstream of [a, b]) upstream.delay(30);
    const port = await freePort();
    const it = start({ restart_interval: 0.2 });
    const servers = [instanceOf(a), instanceOf(b)];
    it.services = { web: { instances: servers, nginx: { port } } };
    await it.settle();
    const load = startLoad({ port, clients: 12, connections: 'fresh', paceMs: 5, maxRequests: 50_000 });
    const reloads = (): number => told(it, 'nginx reloaded');
    const leastServed = (): number =>
      Math.min(...['a', 'b'].map((identity) => load.byIdentity.get(identity) ?? 0));
    for (let change = 1; reloads() < 4 || leastServed() <= 10; change += 1) {
      it.services = { web: { instances: [servers[change % 2]!], nginx: { port } } };
      await it.pass();
    }
    expect((await load.stop(100)).failures).toEqual([]);
  });

  it('has changes that come within the interval share a reload', async () => {
    const [a, b] = [await http('a'), await http('b')];
    const port = await freePort();
    const it = start({ restart_interval: 60 });
    it.services = { web: { instances: [instanceOf(a)], nginx: { port } } };
    expect((await it.pass()).outcome).toBe('start');
    for (const instances of [[instanceOf(a), instanceOf(b)], [instanceOf(b)]]) {
      it.services = { web: { instances, nginx: { port } } };
      const { outcome, againInMs } = await it.pass();
      expect(outcome).toBe('waiting');
      expect(againInMs).toBeGreaterThan(30_000);
    }
    expect(it.text()).toContain(`server 127.0.0.1:${b.port};`);
    expect((await get({ port })).body).toBe('a');
    expect(told(it, 'nginx reloaded')).toBe(0);
  });

  it('is started again when its master is killed, although the workers hold on to the addresses', async () => {
    const a = await http('a');
    const port = await freePort();
    const it = start();
    it.services = { web: { instances: [instanceOf(a)], nginx: { port } } };
    await it.settle();
    const first = it.pid;
    await eventually(() => typeof it.status.process === 'object', { what: 'it is seen' });
    process.kill(first, 'SIGKILL');
    await eventually(() => it.status.process === 'gone', { what: 'it is missed' });
    expect(told(it, 'nginx is gone')).toBe(1);
    expect(await it.metrics()).toContain('smartstack_nginx_up 0');
    expect((await it.pass()).outcome).toBe('start');
    expect(it.pid).not.toBe(first);
    expect((await get({ port })).body).toBe('a');
    expect(told(it, 'workers of nginx have outlived their master: telling them to end')).toBe(1);
    await eventually(async () => (await it.metrics()).includes('smartstack_nginx_up 1'), {
      what: 'it is up',
    });
  });

  it('a service whose lines it rejects keeps those from before, and follows; a new one is left out', async () => {
    const [a, b] = [await http('a'), await http('b')];
    const [web, other, fresh] = [await freePort(), await freePort(), await freePort()];
    const it = start();
    const good = { port: web, server_options: 'max_fails=2' };
    it.services = { web: { instances: [instanceOf(a)], nginx: good } };
    await it.settle();

    it.services = {
      web: { instances: [instanceOf(b)], nginx: { ...good, server_options: 'max_fails=many' } },
      other: { instances: [instanceOf(a)], nginx: { port: other } },
      fresh: { instances: [instanceOf(a)], nginx: { port: fresh, upstream: ['nonsense on'] } },
    };
    expect((await it.pass()).outcome).toBe('reload');
    expect((await get({ port: web })).body).toBe('b');
    expect((await get({ port: other })).body).toBe('a');
    await expect(get({ port: fresh })).rejects.toThrow('ECONNREFUSED');
    expect(it.status.quarantined).toEqual([
      { service: 'web', reason: expect.stringContaining('max_fails=many') as string, kept: 'last-good' },
      { service: 'fresh', reason: expect.stringContaining('nonsense') as string, kept: 'left-out' },
    ]);
    expect(it.text()).toContain('max_fails=2');
    expect((await it.pass()).outcome).toBe('noop');
    expect(told(it, 'something is left out of nginx.conf')).toBe(2);

    it.services = { ...it.services, fresh: { instances: [instanceOf(a)], nginx: { port: fresh } } };
    await it.settle();
    expect((await get({ port: fresh })).body).toBe('a');
    // Contexts of the operator's that it rejects hold nobody up.
    it.configure({ contexts: { main: mainLines(dir), events: ['worker_connections many'] } });
    it.services = { ...it.services, other: { instances: [instanceOf(b)], nginx: { port: other } } };
    await it.settle();
    expect((await get({ port: other })).body).toBe('b');
    expect(it.status.file.problem).toContain('invalid number "many"');
  });

  it('does not take an address that another process has, for one service; the others go on', async () => {
    const a = await http('a');
    const [web, late] = [await freePort(), await freePort()];
    const stranger = createServer((socket) => socket.end('stranger\n'));
    const taken = await listenAnywhere(stranger);
    const it = start();
    const services = { web: { instances: [instanceOf(a)], nginx: { port: web } } };
    it.services = services;
    await it.settle();
    await eventually(() => typeof it.status.process === 'object', { what: 'it is seen' });
    it.services = {
      ...services,
      taken: { instances: [instanceOf(a)], nginx: { port: taken } },
      late: { instances: [instanceOf(a)], nginx: { port: late } },
    };
    await it.settle();
    expect((await get({ port: late })).body).toBe('a');
    expect(await greeting(taken)).toBe('stranger\n');
    expect(it.status.quarantined).toMatchObject([{ service: 'taken' }]);
    await new Promise((resolve) => stranger.close(resolve));
  });

  it('sees a reload that failed although the command said nothing, and who is to blame', async () => {
    const a = await http('a');
    const [web, bad] = [await freePort(), await freePort()];
    const it = start({ check_command: 'true' });
    it.services = { web: { instances: [instanceOf(a)], nginx: { port: web } } };
    await it.settle();
    it.services = {
      web: { instances: [], nginx: { port: web } },
      bad: { instances: [instanceOf(a)], nginx: { port: bad, server: ['listen nowhere:x'] } },
    };
    await it.settle();
    expect((await get({ port: web })).status).toBe(503);
    expect(it.status.quarantined).toMatchObject([{ service: 'bad', kept: 'left-out' }]);
    expect(await it.metrics()).toContain('smartstack_nginx_reload_total{result="failure"} 1');
  });

  it('tells nobody else to hang up: the pid file may name a process of others by now', async () => {
    const a = await http('a');
    const stranger = startProcess('sleep', ['60']);
    try {
      writeFileSync(join(dir, 'nginx.pid'), `${stranger.pid}\n`);
      const port = await freePort();
      const it = start();
      it.services = { web: { instances: [instanceOf(a)], nginx: { port } } };
      expect((await it.pass()).outcome).toBe('start');
      expect((await get({ port })).body).toBe('a');
      expect(stranger.running).toBe(true);
    } finally {
      await stranger.stop('SIGKILL');
    }
  });

  it("carries out the operator's commands: started once, reloaded after each change, and not again by the next agent", async () => {
    const [a, b] = [await http('a'), await http('b')];
    const port = await freePort();
    const calls = join(dir, 'calls');
    const commands = {
      check_command: `echo check >> ${calls}; nginx -t -c ${dir}/nginx.conf`,
      start_command: `echo start >> ${calls}; nginx -c ${dir}/nginx.conf`,
      reload_command: `echo reload >> ${calls}; nginx -s reload -c ${dir}/nginx.conf`,
    };
    const it = start(commands);
    it.services = { web: { instances: [instanceOf(a)], nginx: { port } } };
    await it.settle();
    const both = { web: { instances: [instanceOf(a), instanceOf(b)], nginx: { port } } };
    it.services = both;
    await it.settle();
    expect(readFileSync(calls, 'utf8')).toBe('check\nstart\ncheck\nreload\n');
    expect((await get({ port })).status).toBe(200);

    // Nothing changed: nginx has loaded the file since it was written.
    await it.stopAgent();
    // The kernel tells a start to ten milliseconds: of a file that was written within those, nobody can tell who read it.
    const { atime, mtime } = statSync(`${dir}/nginx.conf`);
    utimesSync(`${dir}/nginx.conf`, atime, new Date(mtime.getTime() - 1_000));
    const next = start(commands);
    next.services = both;
    expect((await next.pass()).outcome).toBe('noop');
    expect(readFileSync(calls, 'utf8')).toBe('check\nstart\ncheck\nreload\ncheck\n');
  });
});
