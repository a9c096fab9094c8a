// How long from a registration's znode to the first request that the new server answers, and from its
// removal until no request reaches it: synapse with HAProxy beside the floor (a bare watcher), in turn.
// Usage: npm run bench:propagation [-- --servers 20,200 --rounds 40]
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Client, createClient, CreateMode } from 'node-zookeeper-client';
import { startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket, haproxyPaths, killTree, startHaproxy, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';
import { Prober } from './prober.ts';
import { header, row, summarize } from './statistics.ts';

const { values } = parseArgs({
  options: { servers: { type: 'string', default: '20,200' }, rounds: { type: 'string', default: '40' } },
});
const rounds = Number(values.rounds);
const quietMs = 300;
const route = 'use-server %[req.hdr(x-server)] if { req.hdr(x-server) -m found }';
const node = (host: string, port: number): { name: string; data: Buffer } => ({
  name: `i-${host.replaceAll('.', '-')}`,
  data: Buffer.from(JSON.stringify({ host, port, name: `i-${host.replaceAll('.', '-')}` })),
});

const create = (client: Client, path: string, data?: Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const mode = data ? CreateMode.EPHEMERAL_SEQUENTIAL : CreateMode.PERSISTENT;
    client.create(path, data ?? Buffer.alloc(0), mode, (error, created) => {
      if (error) reject(error);
      else resolve(created);
    });
  });
const remove = (client: Client, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    client.remove(path, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });

/** A managed HAProxy outlives its synapse by design; a bench must not leave it behind. */
async function endManagedHaproxy(masterSocket: string): Promise<void> {
  const answer = await askSocket(masterSocket, 'show proc').catch(() => '');
  const master = /^(\d+)\s+master/m.exec(answer)?.[1];
  if (master !== undefined) await killTree(Number(master));
}

interface Subject {
  readonly label: string;
  readonly path: string;
  readonly port: number;
  readonly added: number[];
  readonly removed: number[];
}

/** Each change is a single one: what the one before it has left to do (hold-off, the file) is over by then. */
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, quietMs));

/** One round: a new instance joins and leaves; both times are from just before the request to ZooKeeper. */
async function measure(client: Client, subject: Subject, joining: Upstream, host: string): Promise<void> {
  const { name, data } = node(host, joining.port);
  const server = `${name}_${host}:${joining.port}`;
  const prober = new Prober(subject.port);
  const isNew = (identity: string | undefined): boolean => identity === joining.identity;
  try {
    const start = performance.now();
    const [path, took] = await Promise.all([
      create(client, `${subject.path}/${name}_`, data),
      prober.until(server, start, isNew),
    ]);
    subject.added.push(took);
    await quiet();
    const leaving = performance.now();
    const [, gone] = await Promise.all([
      remove(client, path),
      prober.until(server, leaving, (identity) => identity !== undefined && !isNew(identity)),
    ]);
    subject.removed.push(gone);
    await quiet();
  } finally {
    prober.close();
  }
}

async function bench(servers: number): Promise<void> {
  const zookeeper = await startZooKeeper();
  const present = await startHttpUpstream({ identity: 'present', host: '0.0.0.0' });
  const joining = await startHttpUpstream({ identity: 'joining', host: '0.0.0.0' });
  const client = createClient(zookeeper.address);
  client.connect();
  await once(client, 'connected');
  const hosts = Array.from({ length: servers }, (_, i) => `127.1.${i >> 8}.${(i & 255) + 1}`);
  await create(client, '/bench');
  const subjects: Subject[] = [];
  for (const label of ['floor', 'synapse']) {
    const path = `/bench/${label}`;
    await create(client, path);
    for (const host of hosts) {
      const { name, data } = node(host, present.port);
      await create(client, `${path}/${name}_`, data);
    }
    subjects.push({ label, path, port: await freePort(), added: [], removed: [] });
  }
  const [floor, ours] = subjects as [Subject, Subject];

  const floorDir = makeTempDir('floor');
  const base = testBase(floorDir);
  const floorHaproxy = await startHaproxy({
    dir: floorDir,
    config: [
      'global',
      ...base.global,
      'defaults',
      ...base.defaults,
      'frontend floor',
      `bind 127.0.0.1:${floor.port}`,
      'default_backend floor',
      'backend floor',
      route,
      ...hosts.map(
        (host, i) =>
          `server ${node(host, 0).name}_${host}:${present.port} ${host}:${present.port} id ${i + 1}`,
      ),
      '',
    ].join('\n'),
  });
  // A process of its own, as the agent is.
  const bare = startProcess('node', [
    ...['--import', 'tsx', 'integration/bench/bareWatcherProcess.ts'],
    ...[zookeeper.address, floor.path, floorHaproxy.adminSocket, 'floor'],
  ]);

  const dir = makeTempDir('bench');
  // As the packages have it: events of the files that synapse writes are no events of its configuration.
  const configDir = makeTempDir('bench-config');
  const paths = haproxyPaths(dir);
  const ourBase = testBase(dir);
  await writeFile(
    join(configDir, 'synapse.json'),
    JSON.stringify({
      services: {
        bench: {
          discovery: { method: 'zookeeper', path: ours.path, hosts: [zookeeper.address] },
          haproxy: { port: ours.port, server_options: '', listen: ['mode http'], backend: [route] },
        },
      },
      haproxy: {
        global: ourBase.global,
        defaults: ourBase.defaults,
        config_file_path: paths.configFile,
        socket_file_path: paths.adminSocket,
        master_socket_path: paths.masterSocket,
        managed: true,
      },
    }),
  );
  await writeFile(join(configDir, 'agent.yaml'), 'admin: { listen: false }\n');
  const agent = startProcess('node', [
    'packages/synapse/bin/synapse.js',
    '-c',
    join(configDir, 'synapse.json'),
  ]);
  try {
    await eventually(() => bare.output.includes('watching'), {
      what: `the bare watcher watches (${bare.output})`,
      timeoutMs: 20_000,
    });
    const ready = new Prober(ours.port);
    await eventually(async () => (await ready.ask('-')) === present.identity, {
      what: `synapse serves (${agent.output})`,
      timeoutMs: 20_000,
    });
    ready.close();
    const workers = async (): Promise<string> =>
      (await askSocket(paths.masterSocket, 'show proc')).replace(/\d+d\S+/g, '');
    // The first worker serves a moment before its master answers.
    const before = await eventually(workers, { what: 'the master answers' });
    for (let round = 0; round < rounds; round += 1) {
      // In turn, so that a change of the machine's speed touches both alike.
      for (const subject of subjects) await measure(client, subject, joining, `127.2.0.${(round % 250) + 1}`);
    }
    const after = await workers();
    const reloads = before === after ? '0 reloads' : `RELOADED: ${before}${after}${agent.output}`;
    console.log(`\n${servers} servers present, ${reloads}`);
    console.log(header);
    for (const kind of ['added', 'removed'] as const) {
      const least = summarize(floor[kind]);
      const label = kind === 'added' ? 'registered -> first request served' : 'removed -> out of rotation';
      console.log(row(`${label}, floor`, least));
      const summary = summarize(ours[kind]);
      console.log(row(`${label}, synapse`, summary, summary.median / least.median));
    }
  } finally {
    await agent.stop('SIGTERM');
    await endManagedHaproxy(paths.masterSocket);
    await bare.stop('SIGTERM');
    client.close();
    await floorHaproxy.stop();
    await Promise.all([present.stop(), joining.stop()]);
    await zookeeper.dispose();
  }
}

for (const servers of values.servers.split(',').map(Number)) await bench(servers);
