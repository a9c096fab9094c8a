import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Explanation, PlanAnswer } from '../../packages/synapse/src/explain/shapes.ts';
import { cleanUpAfterEach, onCleanUp, registrar } from '../discovery/bed.ts';
import { startAgent } from '../harness/agents.ts';
import { eventually } from '../harness/eventually.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';

cleanUpAfterEach();

interface Shadowed {
  readonly shadow: boolean;
  readonly differences: readonly unknown[];
}

it('a template follows ZooKeeper beside file_output, and an agent that is killed still owes the command', async () => {
  const dir = makeTempDir('template');
  onCleanUp(() => removeTempDir(dir));
  const zookeeper = await startZooKeeper();
  onCleanUp(() => zookeeper.dispose());
  const session = await registrar(zookeeper.address);
  await session.mkdirp('/s/web');
  const add = (name: string, instance: object) =>
    session.create(`/s/web/${name}_`, Buffer.from(JSON.stringify(instance)), 'ephemeral_sequential');
  await add('a', { host: '10.0.0.1', port: 80, name: 'a', labels: { zone: 'z1' } });
  await add('evil', { host: '10.0.0.1', port: 80, name: 'evil\nbackend default = "9.9.9.9"' });
  const admin = await freePort();
  const file = join(dir, 'synapse.json');
  const [template, destination, calls] = [join(dir, 't'), join(dir, 'backends.vcl'), join(dir, 'calls')];
  const main = (command: readonly string[]): void =>
    writeFileSync(
      file,
      JSON.stringify({
        template: {
          templates: [
            { template_file: template, destination_file: destination, post_template_command: command },
          ],
          restart_interval: 0.1,
        },
        file_output: { output_directory: join(dir, 'out') },
        services: {
          web: { discovery: { method: 'zookeeper', hosts: [zookeeper.address], path: '/s/web' } },
        },
      }),
    );
  writeFileSync(
    template,
    '{% for i in services[0].instances %}backend {{ i.name }} { .host = {{ i.host | json }}; } # {{ i.zone }}\n{% endfor %}',
  );
  writeFileSync(join(dir, 'agent.yaml'), `admin: {listen: '127.0.0.1:${admin}'}\n`);
  const start = () => {
    const agent = startAgent('synapse', ['-c', file]);
    onCleanUp(() => agent.stop());
    return agent;
  };
  const holds = (text: string): Promise<unknown> =>
    eventually(() => readFileSync(destination, 'utf8') === text, { what: text, timeoutMs: 15_000 });
  const status = async (): Promise<string> => (await get({ port: admin, path: '/status' })).body;

  main(['/bin/sh', '-c', 'echo "$0" && exit 3', 'not yet']);
  let agent = start();
  const a = 'backend a { .host = "10.0.0.1"; } # z1\n';
  await holds(a);
  await eventually(async () => (await status()).includes('status 3: not yet'), { what: 'the failure' });
  await agent.stop('SIGKILL');
  main(['/bin/sh', '-c', `echo ran >> ${calls}`]);
  agent = start();
  await eventually(() => readFileSync(calls, 'utf8') === 'ran\n', { what: 'the command', timeoutMs: 15_000 });

  // While the template is broken the last good file stays, and the other generator goes on.
  const good = readFileSync(template, 'utf8');
  writeFileSync(template, '{% for %}');
  await add('b', { host: '10.0.0.2', port: 80, name: 'b' });
  await eventually(async () => (await status()).includes(`${template}:1:1: `), { what: 'the place' });
  const out = (): string => readFileSync(join(dir, 'out/web.json'), 'utf8');
  await eventually(() => out().includes('10.0.0.2'), { what: 'file_output goes on' });
  expect(readFileSync(destination, 'utf8')).toBe(a);
  writeFileSync(template, good);
  await holds(`${a}backend b { .host = "10.0.0.2"; } # \n`);
  await eventually(() => readFileSync(calls, 'utf8') === 'ran\nran\n', { what: 'the command' });

  const page = async <T>(path: string, at = admin): Promise<T> =>
    JSON.parse((await get({ port: at, path })).body) as T;
  const why = await page<Explanation>('/v1/services/web/why');
  const [one] = why.servers.filter(({ server }) => server === 'b_10.0.0.2:80');
  expect(one).toMatchObject({ state: 'listed', takesTraffic: true });
  const steps = one!.steps.filter(({ generator }) => generator !== undefined);
  expect(steps.map(({ generator, step, detail }) => `${generator} ${step}: ${detail}`)).toEqual([
    'file_output desired: to be in the file',
    `file_output loaded: in ${join(dir, 'out/web.json')}`,
    `template desired: given to ${template}`,
    `template loaded: 10.0.0.2 stands in ${destination}`,
    'template running: post_template_command was run',
  ]);
  for (const { at, detail } of steps)
    if (!detail.startsWith('to be')) expect(at, detail).toBeGreaterThan(Date.now() - 120_000);
  const idle = { commands: [], reload: [], files: [] };
  expect((await page<PlanAnswer>('/v1/plan')).generators).toMatchObject([
    { generator: 'file_output', ...idle },
    { generator: 'template', ...idle },
  ]);
  const any: unknown = expect.stringMatching(/^\+ /);
  writeFileSync(destination, a);
  writeFileSync(join(dir, 'out/web.json'), '[]');
  const { generators } = await page<PlanAnswer>('/v1/plan');
  expect(generators).toMatchObject([
    { files: [{ path: join(dir, 'out/web.json'), changes: [any, any, any] }] },
    {
      commands: [{ kind: 'command', target: destination }],
      files: [{ path: destination, changes: ['+ backend b { .host = "10.0.0.2"; } # '] }],
    },
  ]);

  // Beside one that follows nothing any more.
  agent.signal('SIGSTOP');
  onCleanUp(() => agent.signal('SIGCONT'));
  rmSync(calls);
  const port = await freePort();
  const own = join(dir, 'shadow.yaml');
  writeFileSync(own, `admin: {listen: '127.0.0.1:${port}'}\n`);
  const shadow = startAgent('synapse', ['-c', file, '--agent-config', own, '--shadow']);
  onCleanUp(() => shadow.stop());
  await eventually(
    async () => {
      const { generators: all } = await page<{ generators: { details: Shadowed }[] }>('/status', port);
      return all.every(({ details }) => details.shadow && details.differences.length === 1);
    },
    { what: 'the shadow sees what hands did', timeoutMs: 15_000 },
  );
  await shadow.stop();
  expect(readFileSync(destination, 'utf8')).toBe(a);
  expect(out()).toBe('[]');
  expect(existsSync(calls)).toBe(false);
});
