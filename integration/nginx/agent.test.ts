import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Explanation, PlanAnswer } from '../../packages/synapse/src/explain/shapes.ts';
import { cleanUpAfterEach, onCleanUp, register, registrar, upstream } from '../discovery/bed.ts';
import { startAgent } from '../harness/agents.ts';
import { eventually } from '../harness/eventually.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startTcpUpstream } from '../harness/upstream.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';
import { endNginx, mainLines } from './bed.ts';
import { greeting } from './greeting.ts';

cleanUpAfterEach();
let dir = '';
afterEach(async () => {
  await endNginx(dir);
  removeTempDir(dir);
});

it('an agent without HAProxy has nginx serve what is in ZooKeeper, and a znode that nobody can use holds up nobody', async () => {
  dir = makeTempDir('nginx');
  const zookeeper = await startZooKeeper();
  onCleanUp(() => zookeeper.dispose());
  const session = await registrar(zookeeper.address);
  const [a, b] = [await upstream('a'), await upstream('b')];
  const echo = await startTcpUpstream({ identity: 'echo' });
  onCleanUp(() => echo.stop());
  await register(session, 'web', a);
  await register(session, 'tcp', echo);
  const [web, tcp, admin] = [await freePort(), await freePort(), await freePort()];
  const discovery = (name: string): object => ({
    discovery: { method: 'zookeeper', hosts: [zookeeper.address], path: `/s/${name}` },
    use_previous_backends: false,
  });
  const file = join(dir, 'synapse.json');
  const main = {
    nginx: {
      contexts: { main: mainLines(dir), events: [], http: ['access_log off'] },
      ...{
        config_file_path: join(dir, 'etc/nginx.conf'),
        restart_interval: 0.2,
        listen_address: '127.0.0.1',
      },
    },
    services: {
      web: { ...discovery('web'), nginx: { port: web, upstream: ['least_conn'] } },
      tcp: { ...discovery('tcp'), nginx: { port: tcp, mode: 'tcp' } },
    },
  };
  mkdirSync(join(dir, 'etc'));
  writeFileSync(file, JSON.stringify(main));
  writeFileSync(join(dir, 'agent.yaml'), `admin: {listen: '127.0.0.1:${admin}'}\n`);
  const agent = startAgent('synapse', ['-c', file]);
  onCleanUp(() => agent.stop());
  const served = (port: number, body: string): Promise<unknown> =>
    eventually(async () => (await get({ port })).body === body, {
      what: `${body} is served`,
      timeoutMs: 15_000,
    }).catch((error: unknown) => {
      throw new Error(agent.output, { cause: error });
    });
  await served(web, 'a');
  expect(await greeting(tcp)).toBe('echo\n');

  const bad = [
    'garbage',
    JSON.stringify({ host: '127.0.0.1;} server { listen 1;', port: 80, name: 'evil' }),
    JSON.stringify({ host: '127.0.0.1', port: 80, name: 'x;\n}' }),
  ];
  for (const data of bad) await session.create('/s/web/bad_', Buffer.from(data), 'ephemeral_sequential');
  await register(session, 'web', b);
  await served(web, 'b');
  const text = readFileSync(join(dir, 'etc/nginx.conf'), 'utf8');
  expect(text.match(/^\t\tserver \S+;$/gm)).toHaveLength(3);
  const status = await get({ port: admin, path: '/status' });
  const { generators } = JSON.parse(status.body) as { generators: { details: { issues: unknown } }[] };
  expect(generators).toMatchObject([
    { generator: 'nginx', details: { process: { oldWorkers: expect.any(Number) as number } } },
  ]);
  expect(generators[0]?.details.issues).toMatchObject([
    { service: 'web', reason: expect.stringContaining('neither an IP address') as string },
    { service: 'web', reason: expect.stringContaining('other characters') as string },
  ]);
  const metrics = (await get({ port: admin, path: '/metrics' })).body;
  expect(metrics).toContain('smartstack_nginx_up 1');

  const page = async <T>(path: string): Promise<T> =>
    JSON.parse((await get({ port: admin, path })).body) as T;
  const why = () => page<Explanation>('/v1/services/web/why');
  // Its worker answers a moment before its master says that it has loaded the file.
  await eventually(
    async () => (await why()).servers.some((each) => each.port === b.port && each.takesTraffic),
    {
      what: 'synapse knows that it serves',
    },
  );
  const { servers } = await why();
  const one = servers.find(({ port }) => port === b.port);
  expect(one).toMatchObject({ state: 'listed', takesTraffic: true, address: `127.0.0.1:${b.port}` });
  const steps = one!.steps.filter(({ generator }) => generator === 'nginx');
  expect(steps.map(({ step, ok }) => [step, ok])).toEqual([
    ['desired', true],
    ['loaded', true],
    ['running', true],
  ]);
  for (const { at, step } of steps) expect(at, step).toBeGreaterThan(Date.now() - 120_000);
  const evil = servers.find(({ state }) => state === 'unusable');
  expect(evil?.reason).toMatch(/left out/);
  expect((await page<PlanAnswer>('/v1/plan')).generators).toMatchObject([{ reload: [], files: [] }]);
  const config = join(dir, 'etc/nginx.conf');
  writeFileSync(config, readFileSync(config, 'utf8').replace(`${b.port};`, '9;'));
  expect((await page<PlanAnswer>('/v1/plan')).generators).toMatchObject([
    {
      files: [
        {
          path: config,
          changes: [
            '- http upstream web server 127.0.0.1:9;',
            `+ http upstream web server 127.0.0.1:${b.port};`,
          ],
        },
      ],
    },
  ]);
});
