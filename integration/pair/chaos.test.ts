import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cleanUpAfterEach } from '../discovery/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { children, observe } from '../nerve/bed.ts';
import { inStep, linkTo, newZooKeeper, pathOf, readyServers, startHost, startPair, userFile } from './bed.ts';
import { pause } from '../harness/pause.ts';

cleanUpAfterEach();
const web = pathOf('web');
// More of them find more: PAIR_CHAOS_ROUNDS=100 npx vitest run integration/pair/chaos.test.ts
const rounds = Number(process.env.PAIR_CHAOS_ROUNDS ?? 8);
const random = (limit: number): number => Math.floor(Math.random() * limit);

it('random faults: no request fails, and every round ends in step', { timeout: 600_000 }, async () => {
  const server = await newZooKeeper(2_000);
  await server.start();
  const links = { nerve: await linkTo(server), synapse: await linkTo(server) };
  const { host, vm, traffic } = await startPair({
    nerve: links.nerve.address,
    synapse: links.synapse.address,
  });
  // a and c never die, so that there is always somebody who could answer.
  const other = await startHost(server.address, 'host-2');
  for (const identity of ['c', 'd']) await other.offer('web', identity);
  await vm.serves('web', ['a', 'b', 'c', 'd']);

  const mortal = { b: { on: host, lives: true }, d: { on: other, lives: true } };
  const toggle = async (identity: 'b' | 'd'): Promise<void> => {
    const app = mortal[identity];
    await (app.lives ? app.on.killApp(identity) : app.on.startApp(identity));
    app.lives = !app.lives;
  };
  const restartServer = async (wipe: boolean): Promise<void> => {
    await server.kill();
    if (wipe) server.wipe();
    await pause(random(3_000));
    await server.start();
  };
  const refuse = async (link: (typeof links)['nerve']): Promise<void> => {
    link.refuse();
    link.cut();
    await pause(random(3_000));
    link.heal();
  };
  const faults: Readonly<Record<string, () => unknown>> = {
    'ZooKeeper is killed': () => restartServer(false),
    'ZooKeeper loses its data': () => restartServer(true),
    "nerve's link is cut": () => links.nerve.cut(),
    "synapse's link is cut": () => links.synapse.cut(),
    "nerve's link is down": () => refuse(links.nerve),
    "synapse's link is down": () => refuse(links.synapse),
    "synapse's link swallows": () => links.synapse.blackhole(),
    "nerve's link swallows": () => links.nerve.blackhole(),
    'nerve is killed': async () => {
      await host.killNerve();
      await pause(random(2_500));
      await host.startNerve();
    },
    'synapse is killed': async () => {
      await vm.synapse.stop('SIGKILL');
      await pause(random(1_000));
      vm.launch();
    },
    'synapse stands still': async () => {
      vm.synapse.signal('SIGSTOP');
      await pause(random(3_000));
      vm.synapse.signal('SIGCONT');
    },
    'b dies or comes back': () => toggle('b'),
    'd dies or comes back': () => toggle('d'),
    'a gets another weight': () => host.offer('web', 'a', { weight: 1 + random(10) }),
    'synapse’s file changes': () =>
      vm.service(
        'web',
        userFile(links.synapse.address, 'web', vm.ports.web!, `  bind_options: maxconn ${1_000 + random(9)}`),
      ),
    'synapse’s file is bad': () => writeFileSync(join(vm.folder, 'services/web.yaml'), 'discovery: ['),
  };
  const session = observe(server.address);
  const names = Object.keys(faults);
  for (let round = 0; round < rounds; round += 1) {
    // Each fault has its turn; who meets it is chance.
    const turns = [0, 1].map((i) => names[(round * 2 + i) % names.length]!);
    const chosen = [turns[0]!, names[random(names.length)]!, turns[1]!, names[random(names.length)]!];
    for (const name of chosen) {
      await faults[name]?.();
      await pause(random(400));
    }
    const what = `round ${round} (${chosen.join('; ')})`;
    links.nerve.heal();
    links.synapse.heal();
    vm.service('web', userFile(links.synapse.address, 'web', vm.ports.web!));
    const alive = ['a', 'c', ...(mortal.b.lives ? ['b'] : []), ...(mortal.d.lives ? ['d'] : [])];
    const converged = async (): Promise<boolean> => {
      const nodes = await children(session, web);
      const servers = await readyServers(vm, 'web');
      return nodes.length === alive.length && servers.length === alive.length;
    };
    await eventually(converged, { what: `${what} ends in step`, timeoutMs: 20_000 }).catch(
      async (error: unknown) => {
        const about = {
          alive,
          nodes: (await children(session, web)).map(({ path, data }) => `${path} ${data}`),
          servers: await readyServers(vm, 'web'),
          synapse: vm.synapse.output.slice(-6_000),
          nerve: host.nerve.output.slice(-4_000),
        };
        throw new Error(`${String(error)}\n${JSON.stringify(about, null, 1).replaceAll('\\n', '\n')}`);
      },
    );
    await vm.serves('web', alive);
    await inStep(host);
    expect(traffic.failures, what).toEqual([]);
  }
  await traffic.noneFailed();
});
