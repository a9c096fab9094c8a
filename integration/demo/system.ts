import { build, stop as endCompiler } from 'esbuild';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { eventually } from '../harness/eventually.ts';
import { isAlive } from '../harness/haproxy.ts';
import { prepareZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import type { DemoConfiguration, DemoInstance } from './configuration.ts';
import { processesOf } from './folder.ts';
import { pause } from './pause.ts';
import { Supervised } from './supervised.ts';

const packages = resolve(import.meta.dirname, '../../packages');

/** How the demo treats what somebody kills. */
export interface SystemOptions {
  readonly folder: string;
  readonly configuration: DemoConfiguration;
  /** Start again whatever is killed, as systemd does on a VM. */
  readonly restart: boolean;
  readonly onEvent: (text: string) => void;
}

/** Pid of the HAProxy master that this demo's synapse started, if it runs. */
export function haproxyMaster(folder: string): number | undefined {
  const status = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/status`, 'utf8');
    } catch {
      return '';
    }
  };
  const own = processesOf(folder).filter((pid) => /^Name:\s*haproxy$/m.test(status(pid)));
  return own.find((pid) => !own.includes(Number(/^PPid:\s*(\d+)$/m.exec(status(pid))?.[1])));
}

/** Everything that the demo runs: ZooKeeper, nerve, synapse with its HAProxy, and the services' instances. */
export class DemoSystem {
  readonly agents: ReadonlyMap<'nerve' | 'synapse', Supervised>;
  readonly instances = new Map<string, Supervised>();

  private constructor(
    private readonly options: SystemOptions,
    readonly zookeeper: ZooKeeperServer,
  ) {
    const { configuration } = options;
    this.agents = new Map([
      ['nerve', this.supervise('nerve', this.agent('nerve', configuration.nerveFile), 3_000)],
      ['synapse', this.supervise('synapse', this.agent('synapse', configuration.synapseFile), 3_000)],
    ]);
  }

  /** Starts all of it; returns when ZooKeeper serves and the rest is on its way. */
  static async start(options: SystemOptions): Promise<DemoSystem> {
    const { folder, configuration } = options;
    mkdirSync(join(folder, 'logs'), { recursive: true });
    const services = resolve(import.meta.dirname, 'services');
    await build({
      entryPoints: ['web', 'users', 'echo'].map((name) => join(services, `${name}.ts`)),
      outdir: join(folder, 'services'),
      outExtension: { '.js': '.mjs' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
    await endCompiler();
    const zookeeper = await prepareZooKeeper({ port: configuration.zookeeperPort });
    const system = new DemoSystem(options, zookeeper);
    for (const instance of configuration.instances) system.startInstance(instance);
    await zookeeper.start();
    for (const agent of system.agents.values()) agent.start();
    return system;
  }

  /** Starts the process behind an instance. Nobody but its file in services/ tells nerve. */
  startInstance({ name, service, port, healthPort = port }: DemoInstance): void {
    const { folder, configuration } = this.options;
    const upstream = `http://127.0.0.1:${configuration.frontends.get('users') ?? 0}/`;
    const program = join(folder, 'services', `${service}.mjs`);
    const own = ['--port', String(port), '--health-port', String(healthPort), '--name', name];
    const args = [...own, '--upstream', upstream];
    const instance = this.supervise(name, [process.execPath, program, ...args], 8_000);
    this.instances.set(name, instance);
    instance.start();
  }

  /** Undefined while ZooKeeper does not run. */
  get zookeeperPid(): number | undefined {
    try {
      return this.zookeeper.pid;
    } catch {
      return undefined;
    }
  }

  /** Starts ZooKeeper again, some time after somebody killed it, until the signal aborts. */
  async keepZooKeeper(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.zookeeperPid === undefined) {
        this.options.onEvent('ZooKeeper is gone; it starts again in 10 s');
        if (await pause(10_000, signal)) await this.zookeeper.start();
      }
      await pause(500, signal);
    }
  }

  /** Ends everything, users first: nobody sees a failure that is only the demo's end. */
  async stop(): Promise<void> {
    await this.agents.get('synapse')?.stop();
    const master = haproxyMaster(this.options.folder);
    if (master !== undefined) {
      process.kill(master, 'SIGTERM');
      await eventually(async () => !(await isAlive(master)), { what: 'HAProxy ended' });
    }
    await this.agents.get('nerve')?.stop();
    // Nobody is left to whom they could do harm: no farewell.
    await Promise.all([...this.instances.values()].map((instance) => instance.stop('SIGKILL')));
    await this.zookeeper.dispose();
  }

  private agent(name: 'nerve' | 'synapse', file: string): string[] {
    return [process.execPath, join(packages, name, 'bin', `${name}.js`), '--config', file];
  }

  private supervise(name: string, command: readonly string[], restartAfterMs: number): Supervised {
    const { folder, restart, onEvent } = this.options;
    const logFile = join(folder, 'logs', `${name}.log`);
    return new Supervised({ name, command, logFile, onEvent, ...(restart && { restartAfterMs }) });
  }
}
