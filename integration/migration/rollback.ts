// The way from Ruby's synapse to ours and back on one host, with one set of files and under load, as docs/migration.md
// tells it. Usage: npm run rollback -- --ruby FILE   an executable of Airbnb's synapse 0.18.9
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUp, onCleanUp, register, registrar, upstream } from '../discovery/bed.ts';
import { startAgent } from '../harness/agents.ts';
import { type Child, startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';

const { ruby } = parseArgs({ options: { ruby: { type: 'string' } } }).values;
if (ruby === undefined) throw new Error("name an executable of Ruby's synapse: --ruby FILE");
const executable = resolve(ruby);

try {
  await goThereAndBack();
} finally {
  await cleanUp();
}

async function goThereAndBack(): Promise<void> {
  const zookeeper = await startZooKeeper();
  onCleanUp(() => zookeeper.dispose());
  const session = await registrar(zookeeper.address);
  const offer = async (name: string) => register(session, 'web', await upstream(name));
  const [firstNode] = [await offer('a'), await offer('b'), await offer('c')];
  const [port, admin] = [await freePort(), await freePort()];
  const folder = makeTempDir('rollback');
  onCleanUp(() => removeTempDir(folder));
  const haproxy = await startHaproxy({ dir: folder, config: await emptyConfig(folder) });
  onCleanUp(() => haproxy.stop());
  writeFileSync(join(folder, 'pid'), String(haproxy.pid));
  writeFileSync(join(folder, 'synapse.json'), configuration(folder, zookeeper.address, port));
  writeFileSync(join(folder, 'agent.yaml'), `admin: {listen: '127.0.0.1:${admin}'}\n`);
  const file = join(folder, 'synapse.json');
  const servers = async (): Promise<string> => {
    const state = await haproxy.ask('show servers state web');
    const lines = state.split('\n').filter((line) => line.includes(' web '));
    return lines.map((line) => line.split(' ').slice(2, 6).join(' ')).join(', ');
  };
  const served = (names: readonly string[]) =>
    eventually(
      async () => {
        const seen = new Set<string>();
        for (let turn = 0; turn < 4 * names.length; turn += 1)
          seen.add(await get({ port }).then(({ body }) => body, String));
        return [...seen].sort().join() === names.join();
      },
      { what: `web is served by ${names.join(', ')}`, timeoutMs: 30_000 },
    );
  const workers: number[] = [];
  const tell = async (who: string): Promise<void> => {
    // A master that loads a file is away for a moment.
    workers.push(await eventually(() => haproxy.workerPid(), { what: 'the master answers' }));
    const reloads = workers.at(-1) === workers.at(-2) ? '' : ', a new worker';
    console.log(`${who}: ${await servers()}${reloads}`);
  };

  let agent: Child = startProcess(executable, ['-c', file]);
  await served(['a', 'b', 'c']);
  const load = startLoad({ port, clients: 4, connections: 'fresh', maxRequests: 1_000_000 });
  const kept = startLoad({ port, clients: 4, connections: 'keep-alive', maxRequests: 1_000_000 });
  await tell("Ruby's");
  await agent.stop();
  agent = startAgent('synapse', ['-c', file]);
  await eventually(async () => (await get({ port: admin, path: '/readyz' })).status === 200, {
    what: 'ours is in step',
    timeoutMs: 30_000,
  });
  await tell('ours, started');
  await offer('d');
  await served(['a', 'b', 'c', 'd']);
  await session.delete(firstNode, -1);
  await served(['b', 'c', 'd']);
  await tell('ours, d came and a went');
  await agent.stop();
  agent = startProcess(executable, ['-c', file]);
  await offer('e');
  await served(['b', 'c', 'd', 'e']);
  await tell("Ruby's again, e came");
  const [fresh, keepAlive] = [await load.stop(), await kept.stop()];
  await agent.stop();
  for (const [what, { requests, failures }] of Object.entries({ fresh, keepAlive }))
    console.log(
      `${what} connections: ${requests} requests, ${failures.length} failed ${[...new Set(failures)].join()}`,
    );
}

async function emptyConfig(folder: string): Promise<string> {
  const { global, defaults } = testBase(folder);
  const idle = ['listen idle', `bind 127.0.0.1:${await freePort()}`, ''];
  return ['global', ...global, 'defaults', ...defaults, ...idle].join('\n');
}

/** One that both read. Files of Ruby's lack the end of the last line, which HAProxy 2.3 and later refuse. */
function configuration(folder: string, zookeeper: string, port: number): string {
  const { global, defaults } = testBase(folder);
  const config = join(folder, 'haproxy.cfg');
  return JSON.stringify({
    services: {
      web: {
        discovery: { method: 'zookeeper', path: '/s/web', hosts: [zookeeper] },
        haproxy: {
          port,
          server_options: 'check inter 1s rise 1',
          listen: ['mode http'],
          cookie_value_method: 'hash',
        },
      },
    },
    haproxy: {
      ...{ global, defaults: defaults.filter((line) => !line.startsWith('.')) },
      ...{ bind_address: '127.0.0.1', restart_interval: 1, server_order_seed: 42 },
      ...{ do_writes: true, do_reloads: true, do_socket: true },
      ...{ config_file_path: config, socket_file_path: join(folder, 'admin.sock') },
      state_file_path: join(folder, 'state.json'),
      reload_command: `[ -z "$(tail -c1 ${config})" ] || echo >> ${config}; kill -USR2 $(cat ${folder}/pid)`,
    },
  });
}
