import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ZkPath } from '@smartstack/registry';
import { expect } from 'vitest';
import { parseServersState } from '../../packages/synapse/src/generators/haproxy/plan/observed.ts';
import type { ObservedServer } from '../../packages/synapse/src/generators/haproxy/types.ts';
import { onCleanUp, prepareVm, type Vm, type VmOptions } from '../discovery/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { type FaultProxy, startFaultProxy } from '../harness/faultProxy.ts';
import { askSocket } from '../harness/haproxy.ts';
import { startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { prepareZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { type Nerve, startNerve } from '../nerve/bed.ts';

/** Where the instances of a service stand. */
export function pathOf(service: string): ZkPath {
  return `/s/${service}`;
}

/** nerve's definition of an instance at `port`. */
function definition(zookeeper: string, service: string, port: number, more: object): object {
  return {
    host: '127.0.0.1',
    port,
    zk_hosts: [zookeeper],
    zk_path: pathOf(service),
    check_interval: 0.2,
    checks: [{ type: 'http', uri: '/', timeout: 1, rise: 1, fall: 2 }],
    ...more,
  };
}

/** What a VM that uses `service` has in its folder: an instance that dies in the middle of a request costs none. */
export function userFile(zookeeper: string, service: string, port: number, more = ''): string {
  return [
    `discovery: {method: zookeeper, hosts: ['${zookeeper}'], path: ${pathOf(service)}}`,
    'haproxy:',
    `  port: ${port}`,
    '  server_options: check inter 1s',
    '  listen: [mode http]',
    '  backend: [retry-on conn-failure empty-response]',
    more,
    '',
  ].join('\n');
}

/** A VM that offers instances: nerve as a process of its own, and the apps that it checks. */
export interface Host {
  readonly nerve: Nerve;
  /** Adds an app of `service` and its definition, or changes the definition. Its identity is its name. */
  offer(service: string, identity: string, more?: object): Promise<void>;
  /** Takes the definition away; the app goes on. */
  withdraw(service: string, identity: string): void;
  /** The app dies, as by kill -9. */
  killApp(identity: string): Promise<void>;
  /** The app comes back on its port. */
  startApp(identity: string): Promise<void>;
  /** nerve and all apps die at once. */
  die(): Promise<void>;
  /** nerve is killed -9. */
  killNerve(): Promise<void>;
  /** Another nerve on the same files. */
  startNerve(): Promise<void>;
}

/** Starts a host that registers in this ZooKeeper, without any app. */
export async function startHost(zookeeper: string, id: string): Promise<Host> {
  const main = { instance_id: id, service_conf_dir: 'services' };
  const apps = new Map<string, { readonly port: number; app: Upstream | undefined }>();
  onCleanUp(async () => {
    for (const { app } of apps.values()) await app?.stop();
  });
  const first = await startNerve({ main, files: { 'services/.keep': '' } });
  let nerve = first;
  const at = (identity: string) => {
    const entry = apps.get(identity);
    if (entry === undefined) throw new Error(`there is no app ${identity}`);
    return entry;
  };
  const host: Host = {
    get nerve() {
      return nerve;
    },
    offer: async (service, identity, more = {}) => {
      if (!apps.has(identity)) {
        apps.set(identity, { port: await freePort(), app: undefined });
        await host.startApp(identity);
      }
      first.write(
        `services/${service}-${identity}.yaml`,
        definition(zookeeper, service, at(identity).port, more),
      );
    },
    withdraw: (service, identity) => rmSync(join(first.folder, `services/${service}-${identity}.yaml`)),
    killApp: async (identity) => {
      await at(identity).app?.stop();
      at(identity).app = undefined;
    },
    startApp: async (identity) => {
      const entry = at(identity);
      entry.app = await startHttpUpstream({ identity, port: entry.port });
    },
    die: async () => {
      await Promise.all([host.killNerve(), ...[...apps.keys()].map((each) => host.killApp(each))]);
    },
    killNerve: () => nerve.stop('SIGKILL'),
    startNerve: async () => {
      nerve = await startNerve({ main, folder: first.folder });
    },
  };
  return host;
}

/** Requests to a service, on fresh and on kept connections, that never end by themselves. */
export interface Traffic {
  readonly requests: number;
  readonly failures: readonly string[];
  stop(): Promise<void>;
  /** Ends it. Every request must have been answered with 200. */
  noneFailed(): Promise<void>;
}

/** Starts requests to `service` on this VM. */
export function startTraffic(vm: Vm, service: string): Traffic {
  const port = vm.ports[service]!;
  const common = { port, maxRequests: Infinity, paceMs: 10 };
  const loads = [
    startLoad({ ...common, clients: 2, connections: 'fresh' }),
    startLoad({ ...common, clients: 2, connections: 'keep-alive' }),
  ];
  const stop = async (): Promise<void> => {
    await Promise.all(loads.map((load) => load.stop()));
  };
  onCleanUp(stop);
  const traffic: Traffic = {
    get requests() {
      return loads.reduce((sum, { requests }) => sum + requests, 0);
    },
    get failures() {
      return loads.flatMap(({ failures }) => failures);
    },
    stop,
    noneFailed: async () => {
      await stop();
      expect(traffic.failures).toEqual([]);
      for (const { requests } of loads) expect(requests).toBeGreaterThan(20);
    },
  };
  return traffic;
}

/** The servers of a backend that are not in maintenance or drained; those that vanished stay so for a while. */
export async function readyServers(vm: Vm, backend: string): Promise<readonly ObservedServer[]> {
  const answer = await askSocket(vm.adminSocket, `show servers state ${backend}`);
  const servers = parseServersState(answer).get(backend)?.values() ?? [];
  return [...servers].filter(({ admin }) => admin === 'ready');
}

/** Lines of an agent's log, parsed. */
export function logOf(output: string): readonly Readonly<Record<string, unknown>>[] {
  return output.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Record<string, unknown>];
    } catch {
      return [];
    }
  });
}

/** Waits until nerve says that the registry holds what it should. */
export async function inStep(host: Host, timeoutMs = 15_000): Promise<void> {
  await eventually(
    async () => {
      const { status, body } = await host.nerve.get('/readyz');
      if (status !== 200) throw new Error(`${body}\n${host.nerve.output}`);
      return true;
    },
    { what: 'nerve is in step', timeoutMs, intervalMs: 20 },
  );
}

/** A ZooKeeper, not started yet. No session lasts longer than `longestSessionMs` without a sign of life. */
export async function newZooKeeper(longestSessionMs = 3_000): Promise<ZooKeeperServer> {
  const server = await prepareZooKeeper({ config: [`maxSessionTimeout=${longestSessionMs}`] });
  onCleanUp(() => server.dispose());
  return server;
}

/** A link to a ZooKeeper that can be cut. */
export async function linkTo(server: ZooKeeperServer): Promise<FaultProxy> {
  const proxy = await startFaultProxy(server.port);
  onCleanUp(() => proxy.close());
  return proxy;
}

/** A VM that uses `web`, not started yet. `more` goes into the service's file. */
export async function newUser(zookeeper: string, options?: VmOptions, more?: string): Promise<Vm> {
  const vm = await prepareVm(zookeeper, ['web'], options);
  vm.service('web', userFile(zookeeper, 'web', vm.ports.web!, more));
  return vm;
}

/** A host that offers `web` as a and b, and a VM that uses it, up and serving, with requests under way. */
export interface Pair {
  readonly host: Host;
  readonly vm: Vm;
  readonly traffic: Traffic;
  /** HAProxy's worker at the start: while it stays there was no reload. */
  readonly worker: number;
}

/** Starts the pair; each side sees ZooKeeper at an address of its own. */
export async function startPair(
  addresses: { readonly nerve: string; readonly synapse: string },
  options?: VmOptions,
): Promise<Pair> {
  const host = await startHost(addresses.nerve, 'host-1');
  await host.offer('web', 'a');
  await host.offer('web', 'b');
  const vm = await newUser(addresses.synapse, options);
  await vm.start();
  await vm.serves('web', ['a', 'b']);
  return { host, vm, traffic: startTraffic(vm, 'web'), worker: await vm.worker() };
}
