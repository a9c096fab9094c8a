import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSession, type ZkPath, type ZkSession } from '@smartstack/registry';
import { afterEach } from 'vitest';
import { startAgent } from '../harness/agents.ts';
import type { Child } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket, haproxyBinary, haproxyPaths, killTree, workersOf } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';

const cleanups: (() => Promise<void> | void)[] = [];

/** Undoes, after each test of the file, whatever it did here; the latest first. */
export function cleanUpAfterEach(): void {
  afterEach(cleanUp);
}

/** Undoes everything now; for benches, which have no hooks. */
export async function cleanUp(): Promise<void> {
  for (const clean of cleanups.splice(0).reverse()) await clean();
}

/** Runs `clean` after the test. */
export function onCleanUp(clean: () => Promise<void> | void): void {
  cleanups.push(clean);
}

/** A session of the test's own, which plays the registrars. */
export async function registrar(address: string): Promise<ZkSession> {
  const session = openSession({ hosts: [address], sessionTimeoutMs: 10_000 });
  onCleanUp(() => session.close({ deadlineMs: 500 }));
  await eventually(() => session.state.kind === 'connected', { what: 'the registrar is connected' });
  return session;
}

/** A real HTTP server. */
export async function upstream(identity: string): Promise<Upstream> {
  const server = await startHttpUpstream({ identity });
  onCleanUp(() => server.stop());
  return server;
}

/** Registers an upstream as nerve does; returns its path. */
export async function register(session: ZkSession, service: string, server: Upstream): Promise<ZkPath> {
  const { host, port, identity: name } = server;
  await session.mkdirp(`/s/${service}`);
  const data = Buffer.from(JSON.stringify({ host, port, name }));
  return session.create(`/s/${service}/${name}_`, data, 'ephemeral_sequential');
}

/** A VM that uses services: synapse as a process of its own, and the HAProxy that it manages. */
export interface Vm {
  /** The port on which a service is reachable here. */
  readonly ports: Readonly<Record<string, number>>;
  readonly folder: string;
  readonly configFile: string;
  readonly adminSocket: string;
  /** Where synapse's own HTTP server listens. */
  readonly adminPort: number;
  readonly synapse: Child;
  /** Starts synapse (again) and waits until it says that it is in step. */
  start(): Promise<void>;
  /** Starts it without waiting for anything. */
  launch(): void;
  /** Rewrites the file of a service; undefined removes it. */
  service(name: string, text: string | undefined): void;
  /** Pid of HAProxy's newest worker: another one means a reload. */
  worker(): Promise<number>;
  master(): Promise<number>;
  admin(path: string): Promise<{ readonly status: number; readonly body: string }>;
  /** Who answers a request to the service; undefined for anything but 200. */
  ask(service: string): Promise<string | undefined>;
  /** Waits until exactly these upstreams serve, each in turn. */
  serves(service: string, identities: readonly string[]): Promise<void>;
}

/** The master's pid in an answer of `show proc`. */
function masterOf(showProc: string): number {
  const line = showProc.split('\n').find((each) => /^\d+\s+master/.test(each));
  return Number(line?.split(/\s+/)[0]);
}

/** The file of an HTTP service on `port`. */
export function serviceFile(zookeeper: string, name: string, port: number, more = ''): string {
  return [
    `discovery: {method: zookeeper, hosts: ['${zookeeper}'], path: /s/${name}}`,
    `haproxy: {port: ${port}, server_options: check inter 1s, listen: [mode http]}`,
    more,
    '',
  ].join('\n');
}

/** What makes a VM differ from the usual one. */
export interface VmOptions {
  /** False: HAProxy is somebody else's, who starts it in the VM's folder and stops it. */
  readonly managed?: boolean;
  /** Lines of synapse's `haproxy` section, without their indentation. */
  readonly haproxy?: readonly string[];
  /** Keys of the `haproxy` section that stand in place of the usual ones; undefined leaves one out. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** agent.yaml, besides where the admin server listens. */
  readonly agent?: readonly string[];
  /** Where haproxy.cfg and the state file go; the VM's folder unless told. */
  readonly data?: string;
  /** What comes before the command that starts synapse: another network, whose admin server the test cannot reach. */
  readonly within?: readonly string[];
  /** What synapse's environment has besides the test's. */
  readonly env?: NodeJS.ProcessEnv;
}

// Tests await that servers are those of the registry: what it lost is held for a moment only.
const quickAgent = [
  'reconcile: {startup_deadline: 1}',
  'zookeeper: {session_timeout: 3}',
  'mass_loss: {hold: 3}',
];

/** Prepares a VM with these services; nothing runs before `start`. */
export async function prepareVm(
  zookeeper: string,
  services: readonly string[],
  {
    managed = true,
    haproxy = [],
    settings = {},
    agent = quickAgent,
    data,
    within = [],
    env = {},
  }: VmOptions = {},
): Promise<Vm> {
  const folder = makeTempDir('vm');
  const conf = join(folder, 'services');
  mkdirSync(conf);
  const { adminSocket, masterSocket: master } = haproxyPaths(folder);
  const configFile = join(data ?? folder, 'haproxy.cfg');
  const adminPort = await freePort();
  const ports = Object.fromEntries(
    await Promise.all(services.map(async (name): Promise<[string, number]> => [name, await freePort()])),
  );
  const service = (name: string, text: string | undefined): void => {
    if (text === undefined) rmSync(join(conf, `${name}.yaml`));
    else writeFileSync(join(conf, `${name}.yaml`), text);
  };
  for (const [name, port] of Object.entries(ports)) service(name, serviceFile(zookeeper, name, port));
  const section: Readonly<Record<string, unknown>> = {
    managed,
    stats: false,
    haproxy_binary: haproxyBinary,
    bind_address: '127.0.0.1',
    restart_interval: 0,
    config_file_path: configFile,
    socket_file_path: adminSocket,
    master_socket_path: master,
    state_file_path: join(data ?? folder, 'state.json'),
    ...settings,
  };
  const written = Object.entries(section).filter(([, value]) => value !== undefined);
  writeFileSync(
    join(folder, 'synapse.yaml'),
    [
      `service_conf_dir: ${conf}`,
      'haproxy:',
      ...written.map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`),
      ...haproxy.map((line) => `  ${line}`),
      '',
    ].join('\n'),
  );
  writeFileSync(
    join(folder, 'agent.yaml'),
    [`admin: {listen: "127.0.0.1:${adminPort}"}`, ...agent, ''].join('\n'),
  );
  // A master that was just started listens a moment after its worker.
  const showProc = () =>
    eventually(() => askSocket(master, 'show proc'), { what: 'the master answers', timeoutMs: 10_000 });
  let synapse: Child | undefined;
  const running = (): Child => {
    if (synapse === undefined) throw new Error('synapse was not started');
    return synapse;
  };
  onCleanUp(async () => {
    await synapse?.stop();
    // It may be in the middle of a reload, and must not be left behind.
    if (managed && existsSync(master)) await killTree(masterOf(await showProc()));
    removeTempDir(folder);
  });
  const vm: Vm = {
    ports,
    folder,
    configFile,
    adminSocket,
    adminPort,
    get synapse() {
      return running();
    },
    launch: () => {
      const options = { within, env: { ...process.env, ...env } };
      synapse = startAgent('synapse', ['-c', join(folder, 'synapse.yaml')], options);
    },
    start: async () => {
      vm.launch();
      const ready = async (): Promise<boolean> => {
        if (!running().running) throw new Error(running().output);
        return (await vm.admin('/readyz')).status === 200;
      };
      await eventually(ready, { what: 'synapse is in step', timeoutMs: 60_000 }).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${running().output}`);
      });
    },
    service,
    worker: async () => workersOf(await showProc())[0] ?? -1,
    master: async () => masterOf(await showProc()),
    admin: (path) => get({ port: adminPort, path }),
    ask: async (name) => {
      const { status, body } = await get({ port: ports[name] ?? 0 });
      return status === 200 ? body : undefined;
    },
    serves: async (name, identities) => {
      let seen: (string | undefined)[] = [];
      const all = async (): Promise<boolean> => {
        seen = [];
        // Other clients take turns too: enough requests that nobody is missed by chance.
        const count = Math.max(12, 3 * identities.length);
        for (let i = 0; i < count; i += 1) seen.push(await vm.ask(name));
        return [...new Set(seen)].sort().join() === [...identities].sort().join();
      };
      await eventually(all, {
        what: `${name} is served by ${identities.join(', ')}`,
        timeoutMs: 20_000,
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}; seen ${seen.join()}\n${running().output}`, { cause: error });
      });
    },
  };
  return vm;
}

/** Prepares a VM and starts it. */
export async function startVm(
  zookeeper: string,
  services: readonly string[],
  options?: VmOptions,
): Promise<Vm> {
  const vm = await prepareVm(zookeeper, services, options);
  await vm.start();
  return vm;
}
