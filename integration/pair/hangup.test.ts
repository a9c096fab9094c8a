import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Child, startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';

let folder: string;
let agent: Child | undefined;
beforeEach(() => {
  folder = makeTempDir('hangup');
});
afterEach(async () => {
  await agent?.stop('SIGKILL');
  removeTempDir(folder);
});

const caught = (): string => join(folder, 'caught.json');

/** Writes down what Node had loaded when the program first listened to SIGHUP. */
const preload = `
const { writeFileSync, renameSync } = require('node:fs');
const { on } = process;
process.on = function (event, listener) {
  const result = on.call(this, event, listener);
  if (event === 'SIGHUP') {
    process.on = on;
    writeFileSync(process.env.CAUGHT + '.new', JSON.stringify(process.moduleLoadList));
    renameSync(process.env.CAUGHT + '.new', process.env.CAUGHT);
    if (process.env.HANG_UP_AT_ONCE) process.kill(process.pid, 'SIGHUP');
  }
  return result;
};
`;

async function start(name: 'nerve' | 'synapse', env: NodeJS.ProcessEnv = {}): Promise<number> {
  const port = await freePort();
  const write = (file: string, content: object): void =>
    writeFileSync(join(folder, file), JSON.stringify(content));
  write('agent.yaml', { admin: { listen: `127.0.0.1:${port}` }, log: { format: 'json' } });
  write('synapse.yaml', {
    haproxy: { do_socket: false, do_reloads: false, config_file_path: join(folder, 'haproxy.cfg') },
    services: { web: { discovery: { method: 'base' }, haproxy: { port: 3213 } } },
  });
  write('nerve.yaml', { instance_id: 'i', admin: { listen: `127.0.0.1:${port}` } });
  writeFileSync(join(folder, 'preload.cjs'), preload);
  const program = resolve(import.meta.dirname, `../../packages/${name}/bin/${name}.js`);
  const args = ['--require', join(folder, 'preload.cjs'), program, '-c', join(folder, `${name}.yaml`)];
  agent = startProcess(process.execPath, args, { env: { ...process.env, ...env, CAUGHT: caught() } });
  return port;
}

/** How often the agent has read its configuration since it started. */
async function readings(port: number): Promise<number> {
  const { body } = await get({ port, path: '/metrics' });
  const counts = [...body.matchAll(/^smartstack_config_reload_total\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

async function acted(port: number): Promise<void> {
  await eventually(
    async () => {
      if (!agent!.running) throw new Error(`it ended: ${agent!.output}`);
      return (await get({ port, path: '/readyz' })).status === 200 && (await readings(port)) > 0;
    },
    { what: 'it is ready, and has read its configuration again', timeoutMs: 40_000 },
  );
}

describe.each(['nerve', 'synapse'] as const)('a SIGHUP while %s starts', (name) => {
  it('is caught before the program is loaded, and acted on once it runs', async () => {
    const port = await start(name, { HANG_UP_AT_ONCE: '1' });
    await acted(port);
    const loaded = JSON.parse(readFileSync(caught(), 'utf8')) as string[];
    // Whatever talks to ZooKeeper and serves /status needs these.
    expect(loaded).not.toContain('NativeModule tls');
    expect(loaded).not.toContain('NativeModule http');
  });

  it.each([0, 20, 50, 100, 200, 400])('ends nothing %i ms later', async (delayMs) => {
    const port = await start(name);
    await eventually(() => existsSync(caught()), {
      what: 'the program listens',
      timeoutMs: 20_000,
      intervalMs: 1,
    });
    await new Promise((done) => setTimeout(done, delayMs));
    agent!.signal('SIGHUP');
    await acted(port);
  });
});
