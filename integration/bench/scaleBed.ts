import type { ZkPath, ZkSession } from '@smartstack/registry';
import { onCleanUp, prepareVm, registrar, type Vm } from '../discovery/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket } from '../harness/haproxy.ts';
import { makeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';

/** How large a system is. */
export interface Size {
  readonly services: number;
  /** Instances of each. */
  readonly servers: number;
}

/** A synapse with its HAProxy, and the registry that it follows. */
export interface ScaleBed {
  readonly vm: Vm;
  readonly services: readonly string[];
  /** From the start of synapse until all was in step, in milliseconds. */
  readonly startedMs: number;
  /** Registers one more instance of a service, which answers as `joining`. */
  register(service: string, host: string): Promise<ZkPath>;
  deregister(path: ZkPath): Promise<void>;
  /** What the name of a server at this address is. */
  serverName(host: string): string;
  /** Pid of HAProxy's worker. */
  readonly worker: number;
}

/** A service by its number. */
const serviceName = (index: number): string => `s${index}`;

/** A request goes to the server that it names. */
const route = 'use-server %[req.hdr(x-server)] if { req.hdr(x-server) -m found }';

/** No health checks: each would need a file descriptor. */
function serviceText(zookeeper: string, name: string, port: number): string {
  return [
    `discovery: {method: zookeeper, hosts: ['${zookeeper}'], path: /s/${name}}`,
    `haproxy: {port: ${port}, server_options: '', listen: [mode http], backend: ['${route}']}`,
    '',
  ].join('\n');
}

/** Every service has its instances at the same addresses; one process answers at all of them. */
async function fill(session: ZkSession, { services, servers }: Size, port: number): Promise<void> {
  for (let service = 0; service < services; service += 1) await session.mkdirp(`/s/${serviceName(service)}`);
  for (let server = 0; server < servers; server += 1) {
    const host = `127.1.${server >> 7}.${(server & 127) + 1}`;
    await Promise.all(
      Array.from({ length: services }, (_, service) => registerAt(session, serviceName(service), host, port)),
    );
  }
}

function registerAt(session: ZkSession, service: string, host: string, port: number): Promise<ZkPath> {
  const name = `i${host.split('.').slice(1).join('-')}`;
  const data = Buffer.from(JSON.stringify({ host, port, name }));
  return session.create(`/s/${service}/${name}_`, data, 'ephemeral_sequential');
}

/** Registers the instances, starts synapse, and waits until HAProxy runs them all. */
export async function startScale(size: Size): Promise<ScaleBed> {
  const zookeeper = await startZooKeeper();
  onCleanUp(() => zookeeper.dispose());
  const session = await registrar(zookeeper.address);
  const upstreams = ['present', 'joining'].map((identity) =>
    startHttpUpstream({ identity, host: '0.0.0.0' }),
  );
  const [present, joining] = (await Promise.all(upstreams)) as [Upstream, Upstream];
  onCleanUp(() => Promise.all([present.stop(), joining.stop()]).then(() => undefined));
  await fill(session, size, present.port);
  const services = Array.from({ length: size.services }, (_, service) => serviceName(service));
  const vm = await prepareVm(zookeeper.address, services, {
    // Apart from the configuration, as on a VM: that folder is watched.
    data: makeTempDir('scale'),
    settings: { state_file_path: undefined },
    agent: ['reconcile: {startup_deadline: 60}', 'zookeeper: {session_timeout: 30}'],
  });
  for (const name of services) vm.service(name, serviceText(zookeeper.address, name, vm.ports[name]!));
  const started = performance.now();
  await vm.start();
  const startedMs = performance.now() - started;
  await eventually(async () => (await serversUp(vm)) === size.services * size.servers, {
    what: 'HAProxy runs all servers',
    timeoutMs: 60_000,
    intervalMs: 100,
  });
  return {
    ...{ vm, services, startedMs, worker: await vm.worker() },
    register: (service, host) => registerAt(session, service, host, joining.port),
    deregister: (path) => session.delete(path, -1),
    serverName: (host) => `i${host.split('.').slice(1).join('-')}_${host}:${joining.port}`,
  };
}

/** Servers that HAProxy has in rotation. */
export async function serversUp(vm: Vm): Promise<number> {
  const answer = await askSocket(vm.adminSocket, 'show servers state', 10_000);
  // be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state
  return answer.split('\n').filter((line) => /^\d+ \S+ \d+ \S+ \S+ 2 0 /.test(line)).length;
}
