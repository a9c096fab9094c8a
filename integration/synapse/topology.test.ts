import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import type { ZkPath, ZkSession } from '@smartstack/registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TopologyAnswer } from '../../packages/synapse/src/topology/shapes.ts';
import { cleanUp, onCleanUp, prepareVm, register, registrar, upstream, type Vm } from '../discovery/bed.ts';
import { startAgent } from '../harness/agents.ts';
import { startProcess } from '../harness/childProcess.ts';
import { commandOf } from '../harness/commandOf.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { prepareZooKeeper } from '../harness/zookeeper.ts';

const mesh: ZkPath = '/smartstack/mesh/v1/hosts';
const isRoot = process.getuid?.() === 0;

/** A program that calls `port` again and again on one connection, and listens on `listens`. */
const program = `
const http = require('node:http');
const [port, listens] = process.argv.slice(1).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const call = () => http.get({ host: '127.0.0.1', port, agent }, (response) => response.resume()).on('error', () => {});
setInterval(call, 100);
if (listens > 0) http.createServer((_, response) => response.end('shop')).listen(listens, '127.0.0.1');
setTimeout(() => process.exit(), 120_000);
`;

/** Starts it as another user, where the test may. */
function startCaller(uid: number, port: number, listens = 0): void {
  const command = [process.execPath, '-e', program, String(port), String(listens)];
  const user = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const [first = '', ...rest] = isRoot ? [...user, ...command] : command;
  const child = startProcess(first, rest);
  onCleanUp(() => child.stop('SIGKILL'));
}

async function topology(vm: Vm): Promise<TopologyAnswer> {
  const { status, body } = await vm.admin('/v1/topology?fleet=true');
  expect(status).toBe(200);
  return JSON.parse(body) as TopologyAnswer;
}

const edgesOf = ({ edges }: TopologyAnswer): readonly string[] =>
  edges.map(
    ({ source, destination, identity, onHosts }) => `${source}>${destination} ${identity} ${onHosts.join()}`,
  );

/** Waits until a host draws exactly these. */
async function draws(vm: Vm, expected: readonly string[]): Promise<TopologyAnswer> {
  let last: TopologyAnswer | undefined;
  await eventually(
    async () => {
      last = await topology(vm);
      return edgesOf(last).join('; ') === expected.join('; ');
    },
    // Sockets are looked at for 1 % of the time: on a busy machine once a minute.
    { what: `the topology is ${expected.join('; ')}`, timeoutMs: 90_000 },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(last)}\n${vm.synapse.output}`, {
      cause: error,
    });
  });
  return last!;
}

const agent = (address: string, name: string, more = '') => [
  'reconcile: {startup_deadline: 1}',
  'zookeeper: {session_timeout: 2}',
  `topology: {interval: 1, instance_id: ${name}, zk_hosts: ["${address}"]${more}}`,
];

let address: string;
let session: ZkSession;
let [a, b]: Vm[] = [];
/** The user of this test where it may not become another. */
const me = async () => (await commandName('id', '-un')).trim();
async function commandName(command: string, ...args: readonly string[]): Promise<string> {
  const child = startProcess(command, args);
  await child.exited;
  return child.output;
}

const owner = async (name: string): Promise<bigint | undefined> =>
  (await session.exists(`${mesh}/${name}`))?.ephemeralOwner;

describe('who calls whom', { timeout: 200_000 }, () => {
  let expected: readonly string[];
  beforeAll(async () => {
    const zookeeper = await prepareZooKeeper();
    onCleanUp(() => zookeeper.dispose());
    await zookeeper.start();
    ({ address } = zookeeper);
    session = await registrar(address);
    const [shopPort, nerveApi] = [await freePort(), await freePort()];
    const folder = makeTempDir('nerve');
    onCleanUp(() => removeTempDir(folder));
    const shop = {
      ...{ host: '127.0.0.1', port: shopPort, zk_hosts: [address], zk_path: '/s/shop' },
      checks: [{ type: 'tcp', rise: 1, fall: 1 }],
    };
    const nerve = { instance_id: 'a', admin: { listen: `127.0.0.1:${nerveApi}` }, services: { shop } };
    writeFileSync(join(folder, 'nerve.json'), JSON.stringify(nerve));
    const agentOfNerve = startAgent('nerve', ['-c', join(folder, 'nerve.json')]);
    onCleanUp(() => agentOfNerve.stop());
    await register(session, 'orders', await upstream('o'));
    await register(session, 'users', await upstream('u'));
    a = await prepareVm(address, ['orders'], {
      ...{ agent: agent(address, 'host-a', `, nerve_api: "127.0.0.1:${nerveApi}"`) },
    });
    b = await prepareVm(address, ['orders', 'users'], {
      ...{ agent: agent(address, 'host-b', ', nerve_api: false') },
    });
    const name = isRoot ? undefined : await me();
    // nobody serves shop on host a; daemon, on host b, nothing.
    startCaller(65_534, a.ports.orders!, shopPort);
    startCaller(1, b.ports.users!);
    const answers = async () => (await fetch(`http://127.0.0.1:${nerveApi}/v1/services`)).ok;
    await eventually(answers, { what: 'nerve answers', timeoutMs: 20_000 });
    await Promise.all([a.start(), b.start()]);
    expected = ['shop>orders listener host-a', `${name ?? 'daemon'}>users user host-b`];
  });
  afterAll(cleanUp);

  it('is drawn on either host, with the numbers of its own', async () => {
    const onA = await draws(a!, expected);
    const onB = await draws(b!, expected);
    expect(onA.notes).toEqual([]);
    expect(onA.hosts.map(({ instanceId, services }) => `${instanceId} ${services.join()}`).sort()).toEqual([
      'host-a shop',
      'host-b ',
    ]);
    const rps = (answer: TopologyAnswer) => answer.edges.map(({ rps: each }) => each !== null && each > 0);
    expect([rps(onA), rps(onB)]).toEqual([
      [true, false],
      [false, true],
    ]);
    const { data, stat } = await session.getData(`${mesh}/host-b`);
    expect(JSON.parse(data.toString())).toMatchObject({
      v: 1,
      edges: [[expect.any(String), 'users', 'user']],
    });
    expect(stat.ephemeralOwner).not.toBe(0n);
    // What changes all the time is not told.
    const before = (await session.exists(`${mesh}/host-a`))?.mzxid;
    const table = await commandOf('synapse', 'edges', '--address', `127.0.0.1:${b!.adminPort}`);
    expect(table.stdout).toMatch(
      /^SRC +DST +HOSTS +RPS +SUCCESS +P95 +IDENTITY\nshop +orders +1 +- +- +- +listener\n/,
    );
    const dot = await commandOf(
      'synapse',
      'graph',
      '--dot',
      '--local',
      '--address',
      `127.0.0.1:${a!.adminPort}`,
    );
    expect(dot.stdout).toContain('"shop" -> "orders" [label=');
    expect(dot.stdout).not.toContain('users');
    const nobody = await commandOf('synapse', 'edges', 'nothing', '--address', `127.0.0.1:${b!.adminPort}`);
    expect(nobody).toMatchObject({ code: 1, stdout: '' });
    expect((await session.exists(`${mesh}/host-a`))?.mzxid).toBe(before);
  });

  it('survives what others write there, and says what it left out', async () => {
    const junk: Readonly<Record<string, Buffer>> = {
      garbage: Buffer.from([0, 255, 123]),
      newer: Buffer.from('{"v":7,"edges":"other"}'),
      liar: Buffer.from('{"v":1,"instance_id":"host-a","edges":[["evil","orders"]]}'),
      huge: Buffer.alloc(900_000, '['),
      hostile: Buffer.from('{"v":1,"instance_id":"hostile","edges":[["<b>\\u001b[2J","orders","user"]]}'),
    };
    for (const [name, data] of Object.entries(junk))
      await session.create(`${mesh}/${name}`, data, 'ephemeral');
    const hostile = '<b>\u001b[2J>orders user hostile';
    const answer = await draws(b!, [hostile, ...expected]);
    expect(answer.skipped).toMatchObject({ version: 1, malformed: 2, tooLarge: 1 });
    const { stdout } = await commandOf('synapse', 'edges', '--address', `127.0.0.1:${b!.adminPort}`);
    expect(stdout).not.toContain('\u001b');
    for (const name of Object.keys(junk)) await session.delete(`${mesh}/${name}`, -1);
    await draws(b!, expected);
  });

  it('is told again when a session has expired', async () => {
    const before = await owner('host-b');
    b!.synapse.signal('SIGSTOP');
    await eventually(async () => (await owner('host-b')) === undefined, { what: 'the node went' });
    await draws(a!, expected.slice(0, 1));
    b!.synapse.signal('SIGCONT');
    await draws(a!, expected);
    expect(await owner('host-b')).not.toBe(before);
  });

  it('overwrites nobody of the same name, goes with its agent, and is not told at all by default', async () => {
    const taken = Buffer.from('{"v":1,"instance_id":"taken","edges":[]}');
    await session.create(`${mesh}/taken`, taken, 'ephemeral');
    const twin = await prepareVm(address, [], {
      agent: agent(address, 'taken', ', nerve_api: false'),
    });
    const plain = await prepareVm(address, [], {});
    await Promise.all([twin.start(), plain.start()]);
    await eventually(
      async () => (await topology(twin)).notes.some((note) => note.includes('someone else holds it')),
      {
        what: 'the clash is told',
      },
    );
    expect(twin.synapse.output).toContain('this host cannot tell who calls whom');
    expect((await session.getData(`${mesh}/taken`)).data).toEqual(taken);
    // Whoever is not asked to opens no session, and so reads and writes nothing.
    expect(await topology(plain)).toMatchObject({ scope: 'host', hasFleet: false, edges: [] });
    expect(JSON.parse((await plain.admin('/status')).body)).toMatchObject({ zookeeper: [] });
    await session.delete(`${mesh}/taken`, -1);
    await eventually(async () => (await owner('taken')) !== undefined, { what: 'its own node is there' });
    await twin.synapse.stop();
    expect(await owner('taken')).toBeUndefined();
    expect((await session.getChildren(mesh)).children.toSorted()).toEqual(['host-a', 'host-b']);
  });

  it('knows a caller at an address of its own by its name, whoever runs it', async () => {
    const port = await freePort();
    b!.service(
      'users',
      [
        `discovery: {method: zookeeper, hosts: ['${address}'], path: /s/users}`,
        `haproxy: {port: ${b!.ports.users!}, listen: [mode http], callers: [{name: 0-batch, port: ${port}}]}`,
        '',
      ].join('\n'),
    );
    startCaller(2, port);
    await draws(b!, [expected[0]!, '0-batch>users declared host-b', expected[1]!]);
  });
});
