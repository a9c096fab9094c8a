import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseDocument, type Document } from 'yaml';
import { freePort } from '../harness/ports.ts';
import { isPortFree, portOwner } from './portOwner.ts';

/** The examples that the demo runs. */
const examples = resolve(import.meta.dirname, '../../config');

/** One instance that the demo starts, as its file in config/services/ has it. */
export interface DemoInstance {
  readonly name: string;
  readonly service: string;
  readonly port: number;
  /** Where nerve checks it, if its file says so. */
  readonly healthPort?: number;
}

/** The configuration of one run: a copy of config/, with ports and paths of its own. */
export interface DemoConfiguration {
  readonly nerveFile: string;
  readonly synapseFile: string;
  readonly servicesFolder: string;
  readonly zookeeperPort: number;
  readonly nerveAdminPort: number;
  readonly synapseAdminPort: number;
  readonly statsPort: number;
  /** Ports on localhost where synapse's HAProxy offers the services, by service. */
  readonly frontends: ReadonlyMap<string, number>;
  readonly instances: readonly DemoInstance[];
  /** What is not as in config/, and why; for people. */
  readonly notes: readonly string[];
}

const checkPort = ['checks', 0, 'port'];

function readYaml(file: string): Document {
  const document = parseDocument(readFileSync(file, 'utf8'));
  const [error] = document.errors;
  if (error !== undefined) throw error;
  return document;
}

/** Hands out ports: the wanted one, or another where that is taken or `any` is told. */
class Ports {
  readonly notes: string[] = [];
  constructor(private readonly any: boolean) {}

  async take(wanted: number, what: string): Promise<number> {
    if (this.any) return freePort();
    if (await isPortFree(wanted)) return wanted;
    const other = await freePort();
    this.notes.push(`port ${wanted} (${what}) is taken by ${portOwner(wanted)}: using ${other}`);
    return other;
  }
}

/** The service that an instance's file belongs to: the last part of its zk_path. */
function serviceOf(document: Document): string {
  return String(document.get('zk_path')).split('/').at(-1) ?? '';
}

/** Gives an instance's file its port, and one to its check where that has its own. */
async function setPorts(
  document: Document,
  take: (wanted: number, what: string) => Promise<number>,
): Promise<Pick<DemoInstance, 'port' | 'healthPort'>> {
  const port = await take(Number(document.get('port')), '');
  document.set('port', port);
  const wanted = document.getIn(checkPort);
  if (wanted === undefined) return { port };
  const healthPort = await take(Number(wanted), ', its check');
  document.setIn(checkPort, healthPort);
  return { port, healthPort };
}

/** Writes the file of one more instance, as a copy of `like` under another name and port. */
export async function addInstance(
  configuration: DemoConfiguration,
  name: string,
  like: string,
): Promise<DemoInstance> {
  const document = readYaml(join(configuration.servicesFolder, `${like}.yaml`));
  const ports = await setPorts(document, () => freePort());
  writeFileSync(join(configuration.servicesFolder, `${name}.yaml`), document.toString());
  return { name, service: serviceOf(document), ...ports };
}

/**
 * Copies config/ into `folder` and changes what must be the run's own: HAProxy's files and sockets (below `folder`),
 * and the ports that are taken (all of them with `anyPorts`). Everything else stays as it stands in config/.
 */
export async function writeConfiguration(folder: string, anyPorts: boolean): Promise<DemoConfiguration> {
  const target = join(folder, 'config');
  for (const part of ['nerve.yaml', 'synapse.yaml', 'services']) {
    cpSync(join(examples, part), join(target, part), { recursive: true });
  }
  const ports = new Ports(anyPorts);
  const zookeeperPort = await ports.take(2181, 'ZooKeeper');
  const zookeeper = [`127.0.0.1:${zookeeperPort}`];

  const servicesFolder = join(target, 'services');
  const instances: DemoInstance[] = [];
  for (const file of readdirSync(servicesFolder).sort()) {
    const name = file.replace(/\.yaml$/, '');
    const document = readYaml(join(servicesFolder, file));
    const own = await setPorts(document, (wanted, what) => ports.take(wanted, `${name}${what}`));
    document.set('zk_hosts', zookeeper);
    writeFileSync(join(servicesFolder, file), document.toString());
    instances.push({ name, service: serviceOf(document), ...own });
  }

  const nerve = readYaml(join(target, 'nerve.yaml'));
  const nerveAdminPort = await ports.take(3454, "nerve's status");
  nerve.setIn(['admin', 'listen'], `127.0.0.1:${nerveAdminPort}`);
  const nerveFile = join(target, 'nerve.yaml');
  writeFileSync(nerveFile, nerve.toString());

  const synapse = readYaml(join(target, 'synapse.yaml'));
  const frontends = new Map<string, number>();
  for (const service of Object.keys((synapse.toJS() as { services: object }).services)) {
    const path = ['services', service, 'haproxy', 'port'];
    const port = await ports.take(Number(synapse.getIn(path)), `${service}, for its users`);
    synapse.setIn(path, port);
    synapse.setIn(['services', service, 'discovery', 'hosts'], zookeeper);
    frontends.set(service, port);
  }
  const statsPort = await ports.take(3212, "HAProxy's stats page");
  const haproxy = {
    stats: `127.0.0.1:${statsPort}`,
    config_file_path: join(folder, 'haproxy.cfg'),
    socket_file_path: join(folder, 'admin.sock'),
    master_socket_path: join(folder, 'master.sock'),
  };
  for (const [key, value] of Object.entries(haproxy)) synapse.setIn(['haproxy', key], value);
  const synapseFile = join(target, 'synapse.yaml');
  writeFileSync(synapseFile, synapse.toString());
  // What the Ruby pair does not know stands in a file of its own, beside synapse.yaml.
  const synapseAdminPort = await ports.take(3455, "synapse's status");
  writeFileSync(join(target, 'agent.yaml'), `admin:\n  listen: 127.0.0.1:${synapseAdminPort}\n`);

  return {
    nerveFile,
    synapseFile,
    servicesFolder,
    zookeeperPort,
    nerveAdminPort,
    synapseAdminPort,
    statsPort,
    frontends,
    instances,
    notes: ports.notes,
  };
}
