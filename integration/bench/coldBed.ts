import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, createClient, CreateMode } from 'node-zookeeper-client';
import { type FaultProxy, startFaultProxy } from '../harness/faultProxy.ts';
import { haproxyPaths, type HaproxyPaths, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';

/** A registry full of services, and a folder to start synapse in, time and again. */
export interface ColdBed {
  readonly ports: readonly number[];
  readonly configFile: string;
  readonly paths: HaproxyPaths;
  /** What the one who starts HAProxy gives it before synapse has written anything. */
  readonly emptyConfig: string;
  /** What each service answers. */
  readonly identity: string;
  /** Milliseconds of one question to ZooKeeper and its answer, through the proxy if there is one. */
  roundTrip(): Promise<number>;
  /** Forgets what the last run left on disk, and says how HAProxy is run in the next, and reloaded where not by us. */
  lay(managed: boolean, reloadCommand?: string): Promise<void>;
  dispose(): Promise<void>;
}

/** A few thousand requests at once are enough for ZooKeeper to be busy all the time. */
async function fill(client: Client, services: number, servers: number, port: number): Promise<void> {
  const make = (path: string, data: Buffer, mode: number): Promise<void> =>
    new Promise((resolve, reject) => {
      client.create(path, data, mode, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  await make('/s', Buffer.alloc(0), CreateMode.PERSISTENT);
  for (let service = 0; service < services; service += 1) {
    await make(`/s/${service}`, Buffer.alloc(0), CreateMode.PERSISTENT);
    const each = Array.from({ length: servers }, (_, server) => {
      const host = `127.${(service >> 8) + 1}.${service & 255}.${server + 1}`;
      const name = `i-${service}-${server}`;
      const data = Buffer.from(JSON.stringify({ host, port, name, weight: 1 }));
      return make(`/s/${service}/${name}_`, data, CreateMode.EPHEMERAL_SEQUENTIAL);
    });
    await Promise.all(each);
  }
}

/** Each server that is checked costs HAProxy a descriptor, and those of an ordinary machine end at 20,000. */
const mostChecked = 10_000;

function configurationOf(
  zookeeper: string,
  ports: readonly number[],
  servers: number,
  dir: string,
  managed: boolean,
  more: object,
): string {
  const base = testBase(dir);
  const paths = haproxyPaths(dir);
  const options = ports.length * servers > mostChecked ? '' : 'check inter 2s rise 3 fall 2';
  const services = ports.map((port, index) => [
    `service-${index}`,
    {
      discovery: { method: 'zookeeper', path: `/s/${index}`, hosts: [zookeeper] },
      haproxy: { port, server_options: options, listen: ['mode http'] },
    },
  ]);
  return JSON.stringify({
    services: Object.fromEntries(services) as object,
    haproxy: {
      ...(managed
        ? { presets: { log: null }, stats: false }
        : { global: base.global, defaults: base.defaults }),
      ...{ config_file_path: paths.configFile, socket_file_path: paths.adminSocket },
      ...{ master_socket_path: paths.masterSocket, managed, ...more },
    },
  });
}

/** Starts ZooKeeper with `services` times `servers` registrations, which are all one HTTP server. */
export async function coldBed(services: number, servers: number, latencyMs: number): Promise<ColdBed> {
  const zookeeper = await startZooKeeper();
  const upstream: Upstream = await startHttpUpstream({ identity: 'served', host: '0.0.0.0' });
  const client = createClient(zookeeper.address, { sessionTimeout: 60_000 });
  client.connect();
  await once(client, 'connected');
  await fill(client, services, servers, upstream.port);
  let proxy: FaultProxy | undefined;
  if (latencyMs > 0) {
    proxy = await startFaultProxy(zookeeper.port);
    proxy.delay(latencyMs / 2);
  }
  const dir = makeTempDir('cold');
  const work = join(dir, 'w');
  const ports: number[] = [];
  for (let service = 0; service < services; service += 1) ports.push(await freePort());
  const base = testBase(work);
  return {
    ports,
    configFile: join(dir, 'synapse.json'),
    paths: haproxyPaths(work),
    emptyConfig: ['global', ...base.global, 'defaults', ...base.defaults, ''].join('\n'),
    identity: upstream.identity,
    roundTrip: async () => {
      const asking = createClient(proxy?.address ?? zookeeper.address);
      asking.connect();
      await once(asking, 'connected');
      const started = performance.now();
      for (let turn = 0; turn < 20; turn += 1)
        await new Promise<void>((resolve) => asking.exists('/s', () => resolve()));
      const took = (performance.now() - started) / 20;
      asking.close();
      return took;
    },
    lay: async (managed, reloadCommand) => {
      await rm(work, { recursive: true, force: true });
      await mkdir(work);
      const address = proxy?.address ?? zookeeper.address;
      const more = reloadCommand === undefined ? {} : { reload_command: reloadCommand };
      const text = configurationOf(address, ports, servers, work, managed, more);
      await writeFile(join(dir, 'synapse.json'), text);
      await writeFile(join(dir, 'agent.yaml'), `admin: { listen: '127.0.0.1:${await freePort()}' }\n`);
    },
    dispose: async () => {
      client.close();
      await proxy?.close();
      await upstream.stop();
      await zookeeper.dispose();
      removeTempDir(dir);
    },
  };
}
