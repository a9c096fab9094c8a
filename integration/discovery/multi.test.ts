import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { describe, expect, it } from 'vitest';
import { ask } from '../../packages/synapse/src/cli/ask.ts';
import type { Explanation, ServerLine } from '../../packages/synapse/src/explain/shapes.ts';
import { eventually } from '../harness/eventually.ts';
import { prepareZooKeeper } from '../harness/zookeeper.ts';
import { cleanUpAfterEach, onCleanUp, prepareVm, register, registrar, upstream, type Vm } from './bed.ts';

cleanUpAfterEach();

/** What `synapse` answers to a question, as the command does it. */
async function answer(vm: Vm, about: 'why' | 'services' | 'servers', target?: string): Promise<unknown> {
  const listen = /listen: "([^"]+)"/.exec(readFileSync(join(vm.folder, 'agent.yaml'), 'utf8'));
  const said: string[] = [];
  const note = (line: string): void => void said.push(line);
  const question = {
    about,
    target,
    output: 'json',
    address: listen?.[1] ?? '',
    tokenFile: undefined,
  } as const;
  await ask(question, { clock: systemClock, width: undefined, output: { out: note, err: note } });
  return JSON.parse(said.join('\n'));
}

const watchersOf = async (vm: Vm): Promise<readonly string[]> =>
  ((await answer(vm, 'why', 'web')) as Explanation).steps
    .filter(({ step }) => step === 'watcher')
    .map(({ detail }) => detail.replace(/zookeeper \S+?(?=\/s)/, 'zookeeper '));

/** Each server of `synapse servers` with the watcher that it comes from; those that are on their way out have none. */
const originsOf = async (vm: Vm): Promise<readonly string[]> => {
  const { servers } = (await answer(vm, 'servers', 'web')) as { servers: readonly ServerLine[] };
  return servers.flatMap(({ server, watcher }) =>
    watcher === undefined ? [] : [`${server.split('_')[0]} ${watcher}`],
  );
};

describe('a service with two watchers and a file_toggle', () => {
  it('goes over from one to the other without a lost request, and stays where it is while the file is bad', async () => {
    const zookeeper = await prepareZooKeeper();
    onCleanUp(() => zookeeper.dispose());
    await zookeeper.start();
    const session = await registrar(zookeeper.address);
    const [a, b] = await Promise.all([upstream('a'), upstream('b')]);
    await register(session, 'old', a);
    await register(session, 'new', b);
    const vm = await prepareVm(zookeeper.address, ['web']);
    const weights = join(vm.folder, 'weights.yaml');
    const weigh = (text: string): void => {
      writeFileSync(`${weights}.tmp`, text);
      renameSync(`${weights}.tmp`, weights);
    };
    const at = (name: string) => `{method: zookeeper, hosts: ['${zookeeper.address}'], path: /s/${name}}`;
    vm.service(
      'web',
      [
        `discovery: ${at('old')}`,
        `discovery_multi: {watchers: {new: ${at('new')}}, resolver: {method: file_toggle, file: ${weights}}}`,
        `haproxy: {port: ${vm.ports.web}, server_options: check inter 1s, listen: [mode http]}`,
      ].join('\n'),
    );
    weigh('primary: 1\nnew: 0\n');
    await vm.start();
    await vm.serves('web', ['a']);
    expect(await watchersOf(vm)).toEqual([
      'new: zookeeper /s/new: live, 1 registration; not used',
      'primary: zookeeper /s/old: live, 1 registration',
    ]);
    expect(await originsOf(vm)).toEqual(['a primary']);

    weigh('primary: 0\nnew: 1\n');
    const answers: (string | undefined)[] = [];
    await eventually(
      async () => {
        answers.push(await vm.ask('web'));
        return answers.slice(-3).every((one) => one === 'b');
      },
      { what: 'the other one serves', timeoutMs: 10_000 },
    );
    expect(new Set(answers)).toEqual(new Set(['a', 'b']));

    weigh('primary: [');
    await eventually(async () => (await vm.admin('/status')).body.includes('weights.yaml'), {
      what: 'the status tells of the file',
      timeoutMs: 10_000,
    });
    expect(await vm.ask('web')).toBe('b');
    expect(await watchersOf(vm)).toEqual([
      'new: zookeeper /s/new: live, 1 registration',
      'primary: zookeeper /s/old: live, 1 registration; not used',
    ]);
    expect(await originsOf(vm)).toEqual(['b new']);
    expect(await answer(vm, 'services')).toMatchObject({
      services: [{ service: 'web', source: 'live', discovered: 1, takesTraffic: 1, problems: 1 }],
    });
  }, 60_000);
});
