import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { inRotation, serverLines, serversOf } from '../haproxy/bed.ts';
import { startProcess } from '../harness/childProcess.ts';
import { eventually, holds } from '../harness/eventually.ts';
import { startTwoHosts, type TwoHosts, whyNoTwoHosts } from '../harness/twoHosts.ts';
import { cleanUpAfterEach, onCleanUp, prepareVm, serviceFile, type Vm } from './bed.ts';

cleanUpAfterEach();

/** ZooKeeper and the instances, far away; resolves with its address and with a way to tell it what to do. */
async function startRegistry({ far }: TwoHosts) {
  const [command = '', ...prefix] = far.within;
  const program = join(import.meta.dirname, 'registryProcess.ts');
  const node = [process.execPath, '--conditions=source', '--import', 'tsx', program, far.address];
  const said: string[] = [];
  const child = startProcess(command, [...prefix, ...node], { onMessage: (it) => said.push(String(it)) });
  onCleanUp(() => child.stop());
  const answer = (what: string) =>
    eventually(() => said.shift(), { what: `${what}: ${child.output}`, timeoutMs: 30_000 });
  return {
    address: await answer('the registry is there'),
    tell: async (message: string): Promise<void> => {
      child.send(message);
      expect(await answer(message)).toBe(message);
    },
  };
}

const names = (servers: readonly string[]): readonly string[] => servers.map((each) => each.split('_')[0]!);
const rotation = async (vm: Vm): Promise<string> => names(await inRotation(vm.adminSocket, 'web')).join();

/** Who answers a request from the near host itself. */
async function ask({ near }: TwoHosts, port: number): Promise<string> {
  const [command = '', ...prefix] = near.within;
  const script = `fetch('http://127.0.0.1:${port}').then((a) => a.text()).then(console.log)`;
  const { stdout } = await promisify(execFile)(command, [...prefix, process.execPath, '-e', script]);
  return stdout.trim();
}

it.skipIf(whyNoTwoHosts() !== undefined)(
  'packets to synapse and HAProxy vanish: the last known servers stay, and the registry is followed when they flow again',
  async () => {
    const hosts = startTwoHosts();
    onTestFinished(() => hosts.stop());
    const registry = await startRegistry(hosts);
    await registry.tell('a');
    await registry.tell('b');
    const vm = await prepareVm(registry.address, ['web'], { within: hosts.near.within });
    vm.service('web', serviceFile(registry.address, 'web', vm.ports.web!));
    vm.launch();
    await eventually(async () => (await rotation(vm)) === 'a,b', {
      what: 'both serve',
      timeoutMs: 20_000,
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${vm.synapse.output}`, { cause: error });
    });
    expect(await ask(hosts, vm.ports.web!)).toMatch(/^[ab]$/);
    const worker = await vm.worker();

    hosts.drop();
    await eventually(async () => (await rotation(vm)) === '', {
      what: "HAProxy's checks time out",
      timeoutMs: 20_000,
    });
    await registry.tell('-a');
    await registry.tell('c');
    const isKept = async (): Promise<boolean> => {
      const [running, written] = [
        await serversOf(vm.adminSocket, 'web'),
        await serverLines(vm.configFile, 'web'),
      ];
      return (
        running.length === 2 && running.every((each) => each.includes(' ready ')) && written.length === 2
      );
    };
    // Longer than its session lasts.
    await holds(isKept, { what: 'the last known servers stay', forMs: 4_000 });
    expect(vm.synapse.running).toBe(true);

    hosts.heal();
    await eventually(async () => (await rotation(vm)) === 'b,c', {
      what: 'the registry is followed again',
      timeoutMs: 30_000,
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${vm.synapse.output}`, { cause: error });
    });
    const written = async (): Promise<readonly string[]> =>
      (await serverLines(vm.configFile, 'web')).filter((line) => !line.endsWith(' disabled'));
    await eventually(async () => (await written()).map((line) => line.slice(7, 8)).join() === 'b,c', {
      what: 'the file follows',
      timeoutMs: 15_000,
    });
    expect(await ask(hosts, vm.ports.web!)).toMatch(/^[bc]$/);
    expect(await vm.worker()).toBe(worker);
  },
);
