import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { cleanUpAfterEach, onCleanUp, prepareVm, register, registrar, upstream } from '../discovery/bed.ts';
import { startAgent } from '../harness/agents.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { prepareZooKeeper } from '../harness/zookeeper.ts';

cleanUpAfterEach();

const root = resolve(import.meta.dirname, '../..');
const documentOf = (name: string): string => readFileSync(join(root, 'docs', name), 'utf8');

/** The commands of a runbook in their order, without what is said about them. */
function commandsIn(text: string): readonly string[] {
  return [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, block = '']) =>
    block.split('\n').flatMap((line) => {
      const command = line.replace(/\s+#.*$/, '').trim();
      return command === '' ? [] : [command];
    }),
  );
}

it('each command of docs/migration.md can be run as it stands there, and changes nothing', async () => {
  // Only where files and sockets are is another matter than on a host of its own.
  const zookeeper = await prepareZooKeeper();
  onCleanUp(() => zookeeper.dispose());
  await zookeeper.start();
  const session = await registrar(zookeeper.address);
  const a = await upstream('a');
  const vm = await prepareVm(zookeeper.address, ['web']);
  await register(session, 'web', a);
  await vm.start();
  await vm.serves('web', ['a']);
  const nerve = join(vm.folder, 'nerve');
  mkdirSync(nerve);
  const admin = join(nerve, 'nerve.sock');
  const service = { host: '127.0.0.1', port: a.port, zk_hosts: [zookeeper.address], zk_path: '/s/web' };
  const checks = [{ type: 'http', uri: '/health' }];
  const file = { instance_id: 'i', admin: { listen: [admin] }, services: { web: { ...service, checks } } };
  writeFileSync(join(nerve, 'nerve.yaml'), JSON.stringify(file));
  const port = await freePort();
  const own = join(vm.folder, 'shadow.yaml');
  writeFileSync(own, `admin: {listen: "127.0.0.1:${port}"}\n`);
  const before = readFileSync(vm.configFile, 'utf8');

  const commands = commandsIn(documentOf('migration.md'));
  expect(commands.map((command) => command.split(' ').slice(0, 2).join(' '))).toEqual([
    ...['synapse lint', 'synapse diff', 'nerve lint', 'synapse run', 'nerve run', 'nerve status'],
  ]);
  for (const command of commands) {
    const [agent, ...words] = command.split(' ') as ['nerve' | 'synapse', ...string[]];
    const args = words.map((word) =>
      word === '/etc/synapse.yaml'
        ? join(vm.folder, 'synapse.yaml')
        : word === '/etc/nerve.yaml'
          ? join(nerve, 'nerve.yaml')
          : word,
    );
    if (args.includes('--shadow')) {
      const more = agent === 'synapse' ? ['--agent-config', own] : [];
      const shadow = startAgent(agent, [...args, ...more]);
      onCleanUp(() => shadow.stop());
      await eventually(() => shadow.output.includes('admin API is listening'), {
        ...{ what: `${command} runs`, timeoutMs: 15_000 },
      });
      if (agent === 'synapse') await shadow.stop('SIGTERM');
      continue;
    }
    const address = command === 'nerve status' ? ['--address', admin] : [];
    const binary = join(root, 'packages', agent, 'bin', `${agent}.js`);
    const ask = () =>
      spawnSync(process.execPath, [binary, ...args, ...address], { encoding: 'utf8', timeout: 20_000 });
    await eventually(() => [0, 1].includes(ask().status ?? 64), {
      what: `${command} is understood`,
      timeoutMs: 15_000,
      intervalMs: 200,
    }).catch((error: unknown) => {
      const { status, stdout, stderr } = ask();
      throw new Error(`${command}: ${status}\n${stdout}${stderr}`, { cause: error });
    });
  }
  expect(readFileSync(vm.configFile, 'utf8')).toBe(before);
  expect(await session.getChildren('/s/web')).toMatchObject({ children: [expect.stringMatching(/^a_/)] });

  // What it tells to look at afterwards.
  const { body } = await vm.admin('/v1/services');
  expect(JSON.parse(body)).toMatchObject({ services: [{ service: 'web', takesTraffic: 1 }] });
});
