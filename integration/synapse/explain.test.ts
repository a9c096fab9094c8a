import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import type { ZkPath } from '@smartstack/registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../packages/synapse/src/cli/ask.ts';
import type { Question } from '../../packages/synapse/src/cli/invocation.ts';
import type { Stat } from '../../packages/synapse/src/cli/stat.ts';
import type { Explanation } from '../../packages/synapse/src/explain/shapes.ts';
import {
  cleanUp,
  onCleanUp,
  prepareVm,
  registrar,
  register,
  serviceFile,
  upstream,
  type Vm,
} from '../discovery/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import type { Upstream } from '../harness/upstream.ts';
import { prepareZooKeeper } from '../harness/zookeeper.ts';

let vm: Vm;
let address: string;
let a: Upstream;
let b: Upstream;
let session: Awaited<ReturnType<typeof registrar>>;
let pathOfB: ZkPath;
let zookeeper: Awaited<ReturnType<typeof prepareZooKeeper>>;

/** As the command does it, in this process. */
async function run(about: Question['about'], target?: string, output: 'table' | 'json' = 'table') {
  const out: string[] = [];
  const err: string[] = [];
  const question = { about, target, output, address, tokenFile: undefined };
  const code = await ask(question, {
    clock: systemClock,
    width: undefined,
    output: { out: (line) => void out.push(line), err: (line) => void err.push(line) },
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

async function why(target: string): Promise<Explanation> {
  const { out, err } = await run('why', target, 'json');
  if (out === '') throw new Error(err);
  return JSON.parse(out) as Explanation;
}

beforeAll(async () => {
  zookeeper = await prepareZooKeeper();
  onCleanUp(() => zookeeper.dispose());
  await zookeeper.start();
  session = await registrar(zookeeper.address);
  [a, b] = await Promise.all([upstream('a'), upstream('b')]);
  vm = await prepareVm(zookeeper.address, ['web']);
  const filters = ', label_filters: [{label: zone, value: x, condition: not-equals}]}\n';
  vm.service('web', serviceFile(zookeeper.address, 'web', vm.ports.web!).replace('}\n', filters));
  await register(session, 'web', a);
  pathOfB = await register(session, 'web', b);
  const far = { host: '10.9.9.9', port: 80, name: 'far', labels: { zone: 'x' } };
  await session.create('/s/web/far_', Buffer.from(JSON.stringify(far)), 'ephemeral_sequential');
  await session.create('/s/web/broken_', Buffer.from('{"host":'), 'ephemeral_sequential');
  await vm.start();
  await vm.serves('web', ['a', 'b']);
  const listen = /listen: "([^"]+)"/.exec(readFileSync(join(vm.folder, 'agent.yaml'), 'utf8'));
  address = listen?.[1] ?? '';
}, 60_000);
afterAll(cleanUp);

describe('synapse why', () => {
  it('follows a server from its znode to the running HAProxy, with the time of each step', async () => {
    // HAProxy's first check comes up to a second after its start.
    await eventually(async () => (await run('why', `web/127.0.0.1:${a.port}`)).out.includes('L4OK'), {
      what: 'HAProxy has checked it',
      timeoutMs: 10_000,
    });
    const { servers } = await why(`web/a_127.0.0.1:${a.port}`);
    expect(servers).toHaveLength(1);
    const [one] = servers;
    expect(one).toMatchObject({
      takesTraffic: true,
      state: expect.stringMatching(/^up/) as string,
      port: a.port,
    });
    expect(one?.steps.map(({ step, ok }) => [step, ok])).toEqual(
      ['source', 'decoded', 'filter', 'desired', 'loaded', 'running'].map((step) => [step, true]),
    );
    expect(one?.steps[0]?.detail).toMatch(/^\/s\/web\/a_\d{10}$/);
    for (const { step, at } of one?.steps ?? []) {
      if (step === 'filter') continue;
      expect(at, step).toBeGreaterThan(Date.now() - 120_000);
      expect(at, step).toBeLessThanOrEqual(Date.now());
    }
    const page = await run('why', `web/127.0.0.1:${a.port}`);
    expect(page.code).toBe(0);
    expect(page.out).toContain(`web/a_127.0.0.1:${a.port}: takes traffic`);
    expect(page.out).toMatch(/^running +ok +\d{4}-\d\d-\d\d .*weight 1, last check L4OK/m);
  });

  it('says why an instance is out: a filter, data that cannot be read, hands, checks', async () => {
    const far = await run('why', 'web/far_10.9.9.9:80');
    expect(far.code).toBe(1);
    expect(far.out).toContain('out, filter: label_filters: zone is "x" and must not be "x"');
    const { servers } = await why('web');
    const broken = servers.find(({ state }) => state === 'unreadable');
    expect(broken?.reason).toMatch(/^decoded: /);

    await askSocket(vm.adminSocket, `set server web/b_127.0.0.1:${b.port} weight 0`);
    const idle = await run('why', `web/b_127.0.0.1:${b.port}`);
    expect(idle.out).toMatch(/out, running: .*weight 0/);
    await askSocket(vm.adminSocket, `set server web/b_127.0.0.1:${b.port} weight 1`);

    await b.stop();
    const down = await eventually(
      async () => {
        const page = await run('why', `web/b_127.0.0.1:${b.port}`);
        return page.out.includes('down') ? page : undefined;
      },
      { what: 'HAProxy notices that b is down', timeoutMs: 15_000 },
    );
    expect(down.out).toMatch(/out, running: down.*last check L4CON: Connection refused/);
    expect(down.code).toBe(1);
  });

  it('tells of one that left, and knows no service or server that never was', async () => {
    await session.delete(pathOfB, -1);
    await eventually(async () => !(await why('web')).servers.some(({ port }) => port === b.port), {
      what: 'b is gone from the catalog',
    });
    const none = await run('why', 'web/nobody:1');
    expect(none).toMatchObject({ code: 1, out: '' });
    expect(none.err).toContain(`web has no server nobody:1; it has a_127.0.0.1:${a.port}`);
    const wrong = await run('why', 'wb');
    expect(wrong.code).toBe(1);
    expect(wrong.err).toMatch(/web/);
  });
});

describe('synapse services and synapse servers', () => {
  it('show every service and server, and exit with 1 while something is out', async () => {
    const services = await run('services');
    expect(services.out).toMatch(/^SERVICE +SOURCE +DISCOVERED +INSTANCES +SERVING +STATUS$/m);
    expect(services.out).toMatch(/^web +live +2 \(\+1 bad\) +1 +1\//m);
    const servers = await run('servers', 'web');
    expect(servers.code).toBe(1);
    expect(servers.out).toMatch(/^web +a_127\.0\.0\.1:\d+ +up +\d+s +1 +yes +yes +yes +takes traffic$/m);
    expect(servers.out).toMatch(/^web +far_10\.9\.9\.9:80 +absent .* filter: /m);
    const { out } = await run('servers', undefined, 'json');
    const { servers: all } = JSON.parse(out) as { servers: { service: string; running: boolean }[] };
    expect(all.filter(({ running }) => running).map(({ service }) => service)).toEqual(['web']);
    expect((await run('servers', 'nothing')).code).toBe(1);
  });
});

describe('synapse stat', () => {
  it('shows what the clients of a service saw, and of each server', async () => {
    for (let n = 0; n < 8; n += 1) expect((await get({ port: vm.ports.web! })).status).toBe(200);
    const counted = async (): Promise<Stat> => JSON.parse((await run('stat', 'web', 'json')).out) as Stat;
    await eventually(
      async () => {
        const [web, ...servers] = (await counted()).lines;
        expect(web?.summary).toMatchObject({ failure: 0, successRate: 1 });
        expect(web!.summary!.requests).toBeGreaterThanOrEqual(8);
        const latencies = web!.summary!.latencies!.reduce((sum, count) => sum + count, 0);
        expect(latencies).toBe(web!.summary!.requests);
        const requests = servers.map(({ summary }) => summary?.requests ?? 0);
        expect(requests.reduce((sum, count) => sum + count, 0)).toBe(latencies);
        return true;
      },
      { what: 'all is counted', timeoutMs: 20_000 },
    );
    const { code, out } = await run('stat');
    expect(code).toBe(0);
    expect(out).toMatch(/^NAME +UP\/TOTAL +SUCCESS .*\nweb +\d\/\d +100\.00% /);
    const unknown = await run('stat', 'wep');
    expect([unknown.code, unknown.out]).toEqual([1, '']);
    expect(unknown.err).toContain('did you mean "web"');
  });
});

describe('synapse plan', () => {
  it('has nothing to do while all is in step, and says what hands have undone', async () => {
    const idle = await eventually(
      async () => {
        const page = await run('plan');
        return page.code === 0 ? page : undefined;
      },
      { what: 'the file follows', timeoutMs: 10_000 },
    );
    expect(idle.out).toBe('haproxy: nothing to do');
    const before = readFileSync(vm.configFile, 'utf8');
    writeFileSync(vm.configFile, before.replace('server a_', 'server z_'));
    const file = await run('plan');
    expect(file.code).toBe(1);
    expect(file.out).toContain(`haproxy: write ${vm.configFile}`);
    expect(file.out).toMatch(/^ {2}- backend web: server z_/m);
    expect(file.out).toMatch(/^ {2}\+ backend web: server a_/m);
    writeFileSync(vm.configFile, before.replace('backend web from synapse-counted', 'backend web'));
    expect((await run('plan')).out).toMatch(/^ {2}\+ backend web: from synapse-counted$/m);
    rmSync(vm.configFile);
    expect((await run('plan')).out).toContain('it does not exist yet');
    writeFileSync(vm.configFile, before);

    await askSocket(vm.adminSocket, `set server web/a_127.0.0.1:${a.port} state maint`);
    const { out } = await run('plan');
    expect(out).toContain(`haproxy: set-state web/a_127.0.0.1:${a.port} ready`);
    // It was not done.
    expect((await why(`web/a_127.0.0.1:${a.port}`)).servers[0]?.state).toBe('maint');
  });
});

describe('asking an agent that is not there, or is none', () => {
  it('exits with 69, and 1', async () => {
    const server = createServer((_request, response) => response.end('hello'));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const good = address;
    try {
      address = `127.0.0.1:${port}`;
      const other = await run('services');
      expect(other).toMatchObject({ code: 1, out: '' });
      expect(other.err).toContain("is it the agent's API?");
      address = '127.0.0.1:1';
      const nobody = await run('services');
      expect(nobody).toMatchObject({ code: 69, out: '' });
      expect(nobody.err).toContain('is it running?');
      address = 'nonsense';
      expect((await run('services')).code).toBe(64);
    } finally {
      address = good;
      server.close();
    }
  });
});
