import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Timer } from '@smartstack/agent';
import { eventually } from '../integration/harness/eventually.ts';
import { startRegistryStub } from './registryStub.ts';

/** Runs a bundle, and keeps what V8 compiled of it by the time it ends. */
const keepCompiled = `
const { writeFileSync } = require('node:fs');
const [node, start, bundle, cache, ...args] = process.argv;
process.argv = [node, bundle, ...args];
const script = require(start).startBundle(bundle);
process.on('exit', () => writeFileSync(cache, script.createCachedData()));
`;

const configurations: Readonly<Record<string, (registry: string, folder: string) => object>> = {
  synapse: (registry, folder) => ({
    services: Object.fromEntries(
      ['a', 'b', 'c'].map((name, index) => [
        name,
        {
          discovery: { method: 'zookeeper', path: `/s/${name}`, hosts: [registry] },
          haproxy: { port: 20_000 + index, server_options: 'check inter 2s', listen: ['mode http'] },
        },
      ]),
    ),
    haproxy: {
      ...{ do_reloads: false, config_file_path: join(folder, 'haproxy.cfg') },
      ...{ socket_file_path: join(folder, 'admin.sock'), state_file_path: join(folder, 'state.json') },
    },
  }),
  nerve: (registry) => ({
    instance_id: 'warm-up',
    admin: { listen: '127.0.0.1:0' },
    services: {
      a: {
        ...{ host: '127.0.0.1', port: 80, reporter_type: 'zookeeper' },
        ...{ zk_hosts: [registry], zk_path: '/n/a', check_interval: 1, checks: [{ type: 'noop' }] },
      },
    },
  }),
};

const limitMs = 60_000;

async function within<T>(ms: number, result: Promise<T>, what: string): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = systemClock.setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  return Promise.race([result, late]).finally(() => timer?.cancel());
}

async function written(file: string): Promise<void> {
  await eventually(() => readFile(file, 'utf8'), { what: `${file} is written`, timeoutMs: limitMs });
}

/** Has an agent start once, as it will time and again, so that the functions of a start are compiled in `cache`. */
export async function warmUp(name: string, start: string, bundle: string, cache: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'smartstack-build-'));
  const registry = await startRegistryStub();
  let agent: ChildProcess | undefined;
  try {
    const file = join(folder, `${name}.yaml`);
    await writeFile(file, JSON.stringify(configurations[name]?.(registry.address, folder)));
    await writeFile(join(folder, 'agent.yaml'), "admin: { listen: '127.0.0.1:0' }\n");
    const child = spawn(process.execPath, ['-e', keepCompiled, start, bundle, cache, '-c', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    agent = child;
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const ended = once(child, 'exit');
    const started = name === 'nerve' ? registry.created : written(join(folder, 'haproxy.cfg'));
    await within(limitMs, Promise.race([started, ended]), `${name} to start`);
    child.kill('SIGTERM');
    const [code] = (await within(limitMs, ended, `${name} to end`)) as [number | null];
    if (code !== 0) throw new Error(`${name} does not start:\n${log}`);
  } finally {
    agent?.kill('SIGKILL');
    registry.close();
    await rm(folder, { recursive: true, force: true });
  }
}
