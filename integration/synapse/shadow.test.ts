import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cleanUpAfterEach, onCleanUp, prepareVm, register, registrar, upstream } from '../discovery/bed.ts';
import { startAgent } from '../harness/agents.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { prepareZooKeeper } from '../harness/zookeeper.ts';

cleanUpAfterEach();

interface Difference {
  readonly where: string;
  readonly subject: string;
  readonly detail: string;
}

/** Everything in a folder but what is being written all the time: names, contents, and when they were written. */
function photograph(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => `${file} ${statSync(file).mtimeMs} ${readFileSync(file, 'utf8')}`);
}

it('--shadow writes nothing and changes nothing, and tells what the other synapse has otherwise', async () => {
  const zookeeper = await prepareZooKeeper();
  onCleanUp(() => zookeeper.dispose());
  await zookeeper.start();
  const session = await registrar(zookeeper.address);
  const [a, b] = await Promise.all([upstream('a'), upstream('b')]);
  const vm = await prepareVm(zookeeper.address, ['web']);
  const pathOfA = await register(session, 'web', a);
  await vm.start();
  await vm.serves('web', ['a']);
  // From here on the other one follows nothing, and writes nothing.
  vm.synapse.signal('SIGSTOP');
  onCleanUp(() => vm.synapse.signal('SIGCONT'));
  const port = await freePort();
  const own = join(vm.folder, 'shadow.yaml');
  writeFileSync(own, `admin: {listen: "127.0.0.1:${port}"}\nreconcile: {resync_interval: 1}\n`);
  const before = photograph(vm.folder);
  const worker = await vm.worker();
  const shadow = startAgent('synapse', [
    ...['-c', join(vm.folder, 'synapse.yaml'), '--agent-config', own, '--shadow'],
  ]);
  onCleanUp(() => shadow.stop());
  const differences = async (): Promise<readonly Difference[] | undefined> => {
    const { status, body } = await get({ port, path: '/status' });
    if (status !== 200) return undefined;
    const page = JSON.parse(body) as {
      generators: { passes: number; details: { shadow: boolean; differences: Difference[] } }[];
    };
    const [haproxy] = page.generators;
    expect(haproxy?.details.shadow).toBe(true);
    return haproxy && haproxy.passes > 0 ? haproxy.details.differences : undefined;
  };
  const settled = { timeoutMs: 20_000 };
  await eventually(async () => (await differences())?.length === 0, { what: 'nothing differs', ...settled });

  await register(session, 'web', b);
  await session.delete(pathOfA, -1);
  const found = await eventually(
    async () => {
      const all = await differences();
      return all?.some(({ subject }) => subject.includes(`a_`)) ? all : undefined;
    },
    { what: 'the shadow sees what the other one missed', ...settled },
  );
  const running = found.filter(({ where }) => where === 'running');
  expect(running).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        subject: `web/b_127.0.0.1:${b.port}`,
        detail: 'would serve, and is not there',
      }),
      expect.objectContaining({ subject: `web/a_127.0.0.1:${a.port}`, detail: 'would not serve, and does' }),
    ]),
  );
  expect(found.find(({ where }) => where === 'file')?.subject).toBe('backend web');
  expect((await get({ port, path: '/metrics' })).body).toContain(
    'smartstack_shadow_differences{generator="haproxy",where="file"}',
  );

  await shadow.stop('SIGTERM');
  expect(photograph(vm.folder)).toEqual(before);
  expect(await vm.worker()).toBe(worker);
  const state = await askSocket(vm.adminSocket, 'show servers state web');
  expect(state).toContain(`a_127.0.0.1:${a.port} `);
  expect(state).not.toContain('b_127.0.0.1');
});
