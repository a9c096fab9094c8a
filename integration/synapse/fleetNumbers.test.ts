import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ZkPath, ZkSession } from '@smartstack/registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TopologyAnswer, TopologyEdge } from '../../packages/synapse/src/topology/shapes.ts';
import { cleanUp, onCleanUp, prepareVm, register, registrar, upstream, type Vm } from '../discovery/bed.ts';
import { startProcess } from '../harness/childProcess.ts';
import { commandOf } from '../harness/commandOf.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { prepareZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';

/** Sockets are looked at for 1 % of the time: on a busy machine once a minute. */
const patienceMs = 90_000;
const mesh: ZkPath = '/smartstack/mesh/v1/hosts';

/** Calls `port` again and again, on one connection. */
const program = `
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const port = Number(process.argv[1]);
setInterval(() => http.get({ host: '127.0.0.1', port, agent }, (response) => response.resume()).on('error', () => {}), 50);
setTimeout(() => process.exit(), 120_000);
`;

function startCaller(port: number): void {
  const child = startProcess(process.execPath, ['-e', program, String(port)]);
  onCleanUp(() => child.stop('SIGKILL'));
}

/** A server that is no synapse; what it was asked stands in `asked`. */
async function stranger(listener: RequestListener): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`);
    listener(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanUp(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

async function topology(vm: Vm, isFleet = true): Promise<TopologyAnswer> {
  const { status, body } = await vm.admin(`/v1/topology?fleet=${isFleet}`);
  expect(status).toBe(200);
  return JSON.parse(body) as TopologyAnswer;
}

const toOrders = ({ edges }: TopologyAnswer): TopologyEdge | undefined =>
  edges.find(({ destination }) => destination === 'orders');

/** Waits until what a host answers is as it should be. */
async function answers(
  vm: Vm,
  what: string,
  isFine: (answer: TopologyAnswer) => unknown,
): Promise<TopologyAnswer> {
  let last: TopologyAnswer | undefined;
  await eventually(
    async () => {
      last = await topology(vm);
      return isFine(last);
    },
    { what, timeoutMs: patienceMs, intervalMs: 100 },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(last)}\n${vm.synapse.output}`, {
      cause: error,
    });
  });
  return last!;
}

const problemOf = ({ hosts }: TopologyAnswer, name: string): string | undefined =>
  hosts.find(({ instanceId }) => instanceId === name)?.problem;

let zookeeper: ZooKeeperServer;
let session: ZkSession;
let [keyFile, keyOfB] = ['', ''];
const key = 'a-key-that-only-this-fleet-knows-of';

/** A host; without `numbers` it neither asks nor is asked. */
async function vmOf(name: string, services: readonly string[], numbers?: string): Promise<Vm> {
  const more = numbers === undefined ? '' : `, numbers: {networks: [127.0.0.0/8], ${numbers}}`;
  return prepareVm(zookeeper.address, services, {
    agent: [
      'reconcile: {startup_deadline: 1}',
      `topology: {interval: 1, instance_id: ${name}, zk_hosts: ["${zookeeper.address}"], nerve_api: false${more}}`,
    ],
  });
}

const nodeAt = async (name: string): Promise<{ readonly api?: string }> =>
  JSON.parse((await session.getData(`${mesh}/${name}`)).data.toString()) as { readonly api?: string };

describe('the live numbers of a fleet', { timeout: 200_000 }, () => {
  let [a, b, asker, plain]: Vm[] = [];
  let listens: string;

  beforeAll(async () => {
    zookeeper = await prepareZooKeeper();
    onCleanUp(() => zookeeper.dispose());
    await zookeeper.start();
    session = await registrar(zookeeper.address);
    const folder = makeTempDir('key');
    onCleanUp(() => removeTempDir(folder));
    [keyFile, keyOfB] = [join(folder, 'fleet.key'), join(folder, 'b.key')];
    for (const file of [keyFile, keyOfB]) writeFileSync(file, `${key}\n`, { mode: 0o600 });
    await register(session, 'orders', await upstream('o'));
    listens = `127.0.0.1:${await freePort()}`;
    a = await vmOf('host-a', ['orders'], `key_file: ${keyFile}, listen: "${listens}"`);
    b = await vmOf('host-b', ['orders'], `key_file: ${keyOfB}, listen: "127.0.0.1:${await freePort()}"`);
    asker = await vmOf('host-c', [], `key_file: ${keyFile}`);
    plain = await vmOf('host-d', []);
    await Promise.all([a, b, asker, plain].map((vm) => vm.start()));
    for (const vm of [a, b]) startCaller(vm.ports.orders!);
  }, 120_000);
  afterAll(cleanUp);

  it('are added up on any host that has the key, and on no other', async () => {
    const noneOfD = 'no numbers of host-d: it offers none';
    const seen = await answers(asker!, 'both hosts told their numbers', (answer) => {
      const edge = toOrders(answer);
      const hasBoth = edge?.hosts === 2 && edge.numbersOf === 2 && edge.p95 !== null;
      return hasBoth && answer.fleet?.isStale === false && answer.notes.join() === noneOfD;
    });
    expect(seen.fleet).toMatchObject({ isStale: false, hasNumbers: true });
    expect(
      seen.hosts.filter(({ numbersAt }) => numbersAt !== undefined).map(({ instanceId }) => instanceId),
    ).toEqual(['host-a', 'host-b']);
    expect(problemOf(seen, 'host-d')).toBe('it offers none');
    expect(seen.notes).toEqual([noneOfD]);
    // What one host says of itself, and the sum, are of moments that are some seconds apart.
    await eventually(
      async () => {
        const [ofA, ofB, both] = await Promise.all([
          topology(a!, false),
          topology(b!, false),
          topology(asker!),
        ]);
        const [one, two, all] = [ofA, ofB, both].map(toOrders);
        const sum = one!.rps! + two!.rps!;
        expect(one!.rps).toBeGreaterThan(1);
        expect(two!.rps).toBeGreaterThan(1);
        expect(Math.abs(all!.rps! - sum)).toBeLessThan(0.25 * sum);
        expect(all!.successRate).toBe(1);
        expect(all!.p95).toBeGreaterThanOrEqual(Math.min(one!.p95!, two!.p95!) * 0.8);
        expect(all!.p95).toBeLessThanOrEqual(Math.max(one!.p95!, two!.p95!) * 1.2);
        return true;
      },
      { what: 'the sum is that of the hosts', timeoutMs: patienceMs, intervalMs: 200 },
    );
    // Who serves asks as well, and itself counts in.
    await answers(a!, 'host a has both', (answer) => toOrders(answer)?.numbersOf === 2);
    const other = await answers(plain!, 'host d draws both', (answer) => toOrders(answer)?.hosts === 2);
    expect([toOrders(other)?.numbersOf, toOrders(other)?.rps, other.fleet?.hasNumbers]).toEqual([
      0,
      null,
      false,
    ]);
    const counted = async (vm: Vm): Promise<string> =>
      (await fetch(`http://127.0.0.1:${vm.adminPort}/metrics`)).text();
    expect(await counted(asker!)).toMatch(/^smartstack_numbers_asked_total\{result="answered"\} [1-9]/m);
    expect(await counted(b!)).toMatch(/^smartstack_numbers_answered_total\{result="answered"\} [1-9]/m);
    const place = ['--address', `127.0.0.1:${asker!.adminPort}`];
    const table = await commandOf('synapse', 'edges', '-o', 'wide', ...place);
    expect(table.stdout).toMatch(/ orders +2 +\d+\.\d .* 2\/2 +host-a,host-b\n/);
    const graph = await commandOf('synapse', 'graph', '--dot', ...place);
    expect(graph.stdout).toMatch(/-> "orders" \[label="\d+\.\d\/s, 2 hosts"\]/);
    const stat = await commandOf('synapse', 'stat', '--all-hosts', ...place);
    expect(stat.stdout).toMatch(/^NAME +HOSTS +SUCCESS +RPS +P50 +P95 +P99\norders +2 +100\.00% +\d+\.\d /);
  });

  it('are served at the address that was said, and nothing else is', async () => {
    expect((await nodeAt('host-a')).api).toBe(listens);
    expect([(await nodeAt('host-c')).api, (await nodeAt('host-d')).api]).toEqual([undefined, undefined]);
    const statuses = await Promise.all(
      ['/v1/numbers', '/v1/topology', '/metrics', '/status', '/v1/tap', '/'].map(async (path) => {
        const headers = { authorization: `Bearer ${key}` };
        return (await fetch(`http://${listens}${path}`, { headers })).status;
      }),
    );
    expect(statuses).toEqual([401, 404, 404, 404, 404, 404]);
  });

  it('do not come from who hangs, lies, or is somewhere else; and the key goes to nobody', async () => {
    const hanging = await stranger(() => undefined);
    const liars = {
      garbage: await stranger((_, response) => response.end('\0{"v":1}')),
      huge: await stranger((_, response) => {
        const more = (): void => {
          while (response.write(Buffer.alloc(65_536, 32)));
          response.once('drain', more);
        };
        more();
      }),
      elsewhere: await stranger((_, response) =>
        response.writeHead(307, { location: `http://${listens}/` }).end(),
      ),
      unproven: await stranger((_, response) => {
        const edges = [['evil', 'orders', 'unit']];
        response.setHeader('x-smartstack-proof', 'a'.repeat(64));
        response.end(JSON.stringify({ v: 1, instance_id: 'unproven', bounds: [], edges, services: [] }));
      }),
    };
    const places: Readonly<Record<string, string>> = {
      ...Object.fromEntries(Object.entries(liars).map(([name, { address }]) => [name, address])),
      hanging: hanging.address,
      alias: listens,
      metadata: '169.254.169.254:80',
      named: `localhost:${hanging.address.split(':')[1]}`,
      nobody: `127.0.0.1:${await freePort()}`,
    };
    // Nobody has asked host c for a while: it asks nobody either.
    for (const [name, api] of Object.entries(places)) {
      const node = { v: 1, instance_id: name, api, edges: [['x', name]] };
      await session.create(`${mesh}/${name}`, Buffer.from(JSON.stringify(node)), 'ephemeral');
    }
    await topology(plain!);
    expect(hanging.asked).toEqual([]);
    const names = Object.keys(places);
    const since = performance.now();
    const expected: Readonly<Record<string, string>> = {
      garbage: 'its answer is not proven: it has another key, or is no synapse',
      huge: 'it answers too much',
      elsewhere: 'it answers 307',
      unproven: 'its answer is not proven: it has another key, or is no synapse',
      hanging: 'no answer within 2 s',
      alias: 'there answers host-a',
      metadata: '169.254.169.254 is in no network of ours',
      named: 'its node has no address',
      nobody: 'nobody listens there',
    };
    const answer = await answers(asker!, 'each says why it tells none', (now) =>
      names.every((name) => problemOf(now, name) === expected[name]),
    );
    expect(toOrders(answer)).toMatchObject({ hosts: 2, numbersOf: 2 });
    expect(answer.edges.some(({ source }) => source === 'evil')).toBe(false);
    // Ten who look at once, for a while, make host c ask no more often.
    const before = liars.garbage.asked.length;
    await Promise.all(Array.from({ length: 10 }, () => topology(asker!)));
    const seconds = (performance.now() - since) / 1000;
    expect(liars.garbage.asked.length).toBeLessThanOrEqual(before + 1);
    expect(liars.garbage.asked.length).toBeLessThanOrEqual(1 + seconds / 15);
    for (const { asked } of [hanging, ...Object.values(liars)])
      for (const line of asked) {
        expect(line).toMatch(/^GET \/v1\/numbers SmartStack-HMAC /);
        expect(line).not.toContain(key);
      }
    for (const name of names) await session.delete(`${mesh}/${name}`, -1);
  });

  it('are missing while keys differ or cannot be used, and a new key counts at once', async () => {
    const place = ['--address', `127.0.0.1:${asker!.adminPort}`];
    writeFileSync(keyFile, 'short');
    const problem = 'our key file cannot be used: a key has at least 32 characters';
    await answers(asker!, 'it has no key', (now) => problemOf(now, 'host-a') === problem);
    const { stdout } = await commandOf('synapse', 'edges', ...place);
    expect(stdout).toContain(`note: no numbers of host-a, host-b, host-d: ${problem}\n`);
    // Of host a, and of the one that asks.
    writeFileSync(keyFile, `${key}-and-another\n`);
    const refused = 'it refuses us: it has another key';
    const one = await answers(asker!, 'b has another key', (now) => problemOf(now, 'host-b') === refused);
    expect(problemOf(one, 'host-a')).toBeUndefined();
    expect(one.hosts.find(({ instanceId }) => instanceId === 'host-a')?.numbersAt).toBeGreaterThan(0);
  });

  it('are of a fleet that is as old as the answer says', async () => {
    await zookeeper.stop();
    const answer = await answers(asker!, 'it knows that the fleet is stale', (now) => now.fleet?.isStale);
    expect([typeof answer.fleet?.readAt, typeof answer.fleet?.problem]).toEqual(['number', 'string']);
    expect(answer.now - answer.fleet!.readAt!).toBeLessThan(60_000);
    // It asks those of whom it knows all the same.
    expect(toOrders(answer)).toMatchObject({ hosts: 2 });
    const { stdout } = await commandOf('synapse', 'edges', '--address', `127.0.0.1:${asker!.adminPort}`);
    expect(stdout).toMatch(
      /note: the fleet cannot be read now: .*\nnote: the fleet is as it was \d+ s ago\n/,
    );
  });
});
