// `synapse check`, with a real ZooKeeper, HAProxy and agent.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { expect, it } from 'vitest';
import { parseArguments } from '../../packages/synapse/src/cli/arguments.ts';
import { checkup } from '../../packages/synapse/src/cli/checkup.ts';
import { generators } from '../../packages/synapse/src/generators/index.ts';
import {
  cleanUpAfterEach,
  onCleanUp,
  prepareVm,
  register,
  registrar,
  serviceFile,
  upstream,
  type Vm,
} from '../discovery/bed.ts';
import { signalTree } from '../harness/haproxy.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { newZooKeeper } from '../pair/bed.ts';

cleanUpAfterEach();

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In this process: a process of its own would take seconds to compile the sources each time. */
async function run(config: string, args: readonly string[], width?: number): Promise<Ran> {
  const text = { stdout: '', stderr: '' };
  const invocation = parseArguments(['check', '-c', config, ...args], {});
  if (invocation.kind === 'usage') return { status: invocation.code ?? -1, ...text };
  if (invocation.kind !== 'checkup') throw new Error(`understood as ${invocation.kind}`);
  const status = await checkup(invocation, {
    ...{ env: {}, generators, clock: systemClock, width },
    output: {
      out: (line) => (text.stdout += `${line}\n`),
      err: (line) => (text.stderr += `${line}\n`),
    },
  });
  return { status, ...text };
}

interface Point {
  readonly id: string;
  readonly outcome: string;
  readonly summary?: string;
  readonly details?: readonly string[];
}

/** Points by what came of them; the whole answer where it is no JSON. */
async function look(vm: Vm, ...args: readonly string[]) {
  const ran = await run(join(vm.folder, 'synapse.yaml'), ['-o', 'json', ...args]);
  expect(ran.stdout, ran.stderr).toMatch(/^\{/);
  const { ok, points } = JSON.parse(ran.stdout) as { ok: boolean; points: readonly Point[] };
  expect(ran.status).toBe(ok ? 0 : 1);
  const of = (outcome: string): readonly string[] =>
    points.filter((point) => point.outcome === outcome).map(({ id }) => id);
  const said = (id: string): string => points.find((point) => point.id === id)?.details?.join('\n') ?? '';
  return { ok, points, failed: of('failed'), warnings: of('warning'), unknown: of('unknown'), said };
}

it('passes where all is well, and says of each fault what it is', { timeout: 60_000 }, async () => {
  const server = await newZooKeeper();
  await server.start();
  const session = await registrar(server.address);
  const a = await upstream('a');
  await register(session, 'web', a);
  const agent = ['reconcile: {startup_deadline: 1}', 'zookeeper: {session_timeout: 3}'];
  const vm = await prepareVm(server.address, ['web'], { agent });

  // Before the start: nothing runs yet, and nothing of it is asked for.
  const before = await look(vm, '--pre');
  expect(before).toMatchObject({ ok: true, warnings: [], unknown: ['zookeeper-write', 'zookeeper-clock'] });
  expect(before.points.map(({ id }) => id)).toContain('haproxy-addresses');

  await vm.start();
  await vm.serves('web', ['a']);
  const well = await look(vm, '--write', '--wait', '20s');
  expect(well).toMatchObject({ ok: true, failed: [], warnings: [], unknown: [] });
  expect(well.points.length).toBeGreaterThan(22);
  // The znode that was written is gone, and was none of the service's.
  expect((await session.getChildren('/s')).children).toEqual(['web']);

  // What registrars do wrong.
  await session.create('/s/web/garbage_', Buffer.from('{"host"'), 'persistent');
  const text = { host: a.host, port: String(a.port), name: 'again' };
  await session.create('/s/web/text_', Buffer.from(JSON.stringify(text)), 'persistent');
  const wrong = await look(vm);
  const apart = ({ failed }: { readonly failed: readonly string[] }): readonly string[] =>
    // What was registered this moment may be on its way.
    failed.filter((id) => !id.startsWith('convergence'));
  expect(apart(wrong)).toEqual(['registrations-decode']);
  expect(wrong.said('registrations-decode')).toContain('web: /s/web/garbage_: Not JSON');
  expect(wrong.warnings.filter((id) => id.startsWith('registrations'))).toEqual([
    'registrations-ports',
    'registrations-duplicates',
    'registrations-orphans',
  ]);
  expect(wrong.said('registrations-ports')).toContain(`/s/web/text_: the port "${a.port}" is text`);
  expect(wrong.said('registrations-duplicates')).toContain(`${a.host}:${a.port} is registered as`);
  expect(wrong.said('registrations-orphans').split('\n')).toHaveLength(2);

  // --wait ends as soon as it is mended, and says what it waits for.
  const waiting = run(join(vm.folder, 'synapse.yaml'), ['--wait', '30s']);
  await session.delete('/s/web/text_', -1);
  await session.delete('/s/web/garbage_', -1);
  const waited = await waiting;
  expect(waited.status, waited.stdout).toBe(0);
  expect(waited.stdout).toContain('√ each znode can be understood: 1 znode');
  expect(waited.stdout).not.toMatch(/\x1b|×/);
  expect(waited.stderr).toMatch(/^(synapse: waiting for .*registrations-decode.*\n)?/);

  // The agent is gone, so is the registry, and HAProxy stands still: it says so in time, and what is not known.
  const master = await vm.master();
  await vm.synapse.stop();
  await server.stop();
  await signalTree(master, 'SIGSTOP');
  onCleanUp(() => signalTree(master, 'SIGCONT'));
  const alone = await run(join(vm.folder, 'synapse.yaml'), ['-o', 'short'], 80);
  expect(alone.status).toBe(1);
  expect(alone.stdout.split('\n').filter((line) => line.includes('×'))).toEqual([
    "\x1b[31m×\x1b[0m HAProxy's master answers, and its last reload succeeded",
    '\x1b[31m×\x1b[0m the admin socket of HAProxy answers, at level admin',
    '\x1b[31m×\x1b[0m each ensemble gives a session',
    '\x1b[31m×\x1b[0m the agent runs, and its last pass succeeded',
    expect.stringMatching(/^Status check results are ×: \d+ passed, 4 failed, 1\d not known$/),
  ]);
  expect(alone.stdout).toContain('ECONNREFUSED');
  expect(alone.stdout).toContain('see docs/operations.md#convergence-agent');
});

it('says before the start what would be in the way', { timeout: 30_000 }, async () => {
  const folder = makeTempDir('pre');
  onCleanUp(() => removeTempDir(folder));
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
  onCleanUp(() => void taken.close());
  const { port } = taken.address() as { port: number };
  const config = join(folder, 'synapse.yaml');
  mkdirSync(join(folder, 'services'));
  const haproxy = `haproxy: {managed: true, stats: false, config_file_path: ${folder}/haproxy.cfg, socket_file_path: ${folder}/admin.sock, master_socket_path: ${folder}/master.sock}`;
  writeFileSync(config, [`service_conf_dir: ${folder}/services`, haproxy, ''].join('\n'));
  writeFileSync(
    join(folder, 'services', 'web.yaml'),
    serviceFile('127.0.0.1:1', 'web', port, '').replace(
      "zookeeper, hosts: ['127.0.0.1:1'], path: /s/web",
      'base',
    ),
  );
  const { status, stdout } = await run(config, ['--pre']);
  expect(status).toBe(1);
  expect(stdout).toContain(`nobody can listen on 127.0.0.1:${port}: another process listens there`);
  expect(stdout).toContain('? each ensemble gives a session: no service is discovered in ZooKeeper');
  // Wrong usage, and a file that is none.
  expect((await run(config, ['--wait', 'soon'])).status).toBe(2);
  writeFileSync(config, 'haproxy: {');
  const broken = await run(config, ['--pre', '-o', 'short']);
  expect(broken.status).toBe(1);
  expect(broken.stdout).toContain('× the configuration can be read');
});
