import { createConnection, createServer } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { ChildrenSnapshot, ZkPath, ZkSession } from '@smartstack/registry';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { listenAnywhere } from '../harness/ports.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, instance, testSession } from './bed.ts';

/** Types of requests. Of the one for many reads ZooKeeper 3.5 knows as little as ours of the last. */
const [getData, multiRead, unknown] = [4, 22, 222];

let server: ZooKeeperServer;
let writer: ZkSession;
let path: ZkPath;
let round = 0;
const names = Array.from({ length: 100 }, (_, index) => `i-${index}`);

beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
closeSessionsAfterEach();
beforeEach(async () => {
  writer = testSession(server.address).session;
  round += 1;
  path = `/bulk/${round}`;
  await writer.mkdirp(path);
  await Promise.all(names.map((name) => writer.create(`${path}/${name}`, instance(name, 80), 'persistent')));
});

/** Follows the children of `path`; the text of each child that has data. */
function follow(session: ZkSession): () => ReadonlyMap<string, string> {
  let last: ChildrenSnapshot | undefined;
  session.watchChildren(path, { onSnapshot: (snapshot) => (last = snapshot) });
  return () =>
    new Map(
      [...(last?.children ?? [])].map(([name, child]) => [
        name,
        child.kind === 'data' ? child.data.toString() : child.kind,
      ]),
    );
}

const everyone = (): ReadonlyMap<string, string> =>
  new Map(names.map((name) => [name, instance(name, 80).toString()]));

/** Changes, removes and adds some, one of them twice, and tells what there is then. */
async function change(now: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> {
  const wanted = new Map(now);
  for (const name of names.slice(0, 40)) {
    await writer.setData(`${path}/${name}`, Buffer.from(`changed ${name}`), -1);
    wanted.set(name, `changed ${name}`);
  }
  await writer.setData(`${path}/i-7`, Buffer.from('again'), -1);
  wanted.set('i-7', 'again');
  for (const name of names.slice(40, 60)) {
    await writer.delete(`${path}/${name}`, -1);
    wanted.delete(name);
  }
  await writer.create(`${path}/late`, Buffer.from('late'), 'persistent');
  return wanted.set('late', 'late');
}

it('reads many children with a few requests, and hears of every change of each', async () => {
  const counting = await startDialect(server.port);
  const client = testSession(counting.address);
  const seen = follow(client.session);
  await eventually(() => isDeepStrictEqual(seen(), everyone()), { what: 'all were read' });
  // 100 children, 32 at a time, and their parent.
  expect([counting.requests(multiRead), counting.requests(getData)]).toEqual([4, 1]);
  let wanted = await change(everyone());
  await eventually(() => isDeepStrictEqual(seen(), wanted), { what: 'each change was told' });
  // The watches that those reads have set tell of the next.
  for (const name of wanted.keys()) await writer.setData(`${path}/${name}`, Buffer.from('3'), -1);
  wanted = new Map([...wanted.keys()].map((name) => [name, '3']));
  await eventually(() => isDeepStrictEqual(seen(), wanted), { what: 'each further change was told' });
  expect(client.warnings()).toEqual([]);
});

it('misses nothing that changes while it reads', async () => {
  const readers = Array.from({ length: 20 }, () => testSession(server.address));
  const views = readers.map(({ session }) => follow(session));
  const write = (text: string) =>
    Promise.all(names.map((name) => writer.setData(`${path}/${name}`, Buffer.from(text), -1)));
  // Until each has read all of it at least once.
  for (let turn = 0; turn < 3 || views.some((view) => view().size < names.length); turn += 1)
    await write(`${turn}`);
  await write('last');
  const wanted = new Map(names.map((name) => [name, 'last']));
  for (const view of views)
    await eventually(() => isDeepStrictEqual(view(), wanted), { what: 'the last values' });
});

it('has a child that may not be read as its own trouble', async () => {
  const digest = [{ permissions: 'cdrwa', scheme: 'digest', id: 'a:TrDjLGS2DYJMx5wC1YVMhmiuKKE=' }];
  await writer.create(`${path}/secret`, Buffer.from('x'), 'persistent', { acl: digest });
  const seen = follow(testSession(server.address).session);
  await eventually(() => isDeepStrictEqual(seen(), new Map([...everyone(), ['secret', 'error']])), {
    what: 'all others were read',
  });
});

it('reads one by one where the server knows no better, and says so once', async () => {
  const old = await startDialect(server.port, (type) => (type === multiRead ? unknown : type));
  const client = testSession(old.address);
  const seen = follow(client.session);
  await eventually(() => isDeepStrictEqual(seen(), everyone()), { what: 'all were read' });
  const wanted = await change(everyone());
  await eventually(() => isDeepStrictEqual(seen(), wanted), { what: 'each change was told' });
  expect(old.connections()).toBe(2);
  const told = JSON.stringify(client.log.records);
  expect(told.split('cannot read many nodes at once').length - 1).toBe(1);
});

interface Dialect {
  readonly address: string;
  connections(): number;
  /** How many of this type were made. */
  requests(type: number): number;
}

/** The same server, with its requests counted, for somebody who speaks a dialect: each type is what `translate` says. */
async function startDialect(port: number, translate = (type: number): number => type): Promise<Dialect> {
  let connections = 0;
  const made: number[] = [];
  const proxy = createServer((client) => {
    connections += 1;
    let isOpen = false;
    const upstream = createConnection({ host: '127.0.0.1', port });
    let pending: Buffer = Buffer.alloc(0);
    client.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      // Length, number and type of each request, after the one that opens the session.
      while (pending.length >= 12 && pending.length >= 4 + pending.readInt32BE(0)) {
        const frame = pending.subarray(0, 4 + pending.readInt32BE(0));
        pending = pending.subarray(frame.length);
        if (isOpen) {
          made.push(frame.readInt32BE(8));
          frame.writeInt32BE(translate(frame.readInt32BE(8)), 8);
        }
        isOpen = true;
        upstream.write(frame);
      }
    });
    upstream.pipe(client);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      socket.on('error', () => undefined).on('close', () => other.destroy());
  });
  const taken = await listenAnywhere(proxy);
  onTestFinished(() => void proxy.close());
  return {
    address: `127.0.0.1:${taken}`,
    connections: () => connections,
    requests: (type) => made.filter((one) => one === type).length,
  };
}
