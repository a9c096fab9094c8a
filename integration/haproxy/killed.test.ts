import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { serversOf, type Services, startGenerator, topLevel, tested } from './bed.ts';

const churn = resolve(import.meta.dirname, 'churn.ts');

describe.runIf(tested.dynamicServers)('a synapse that is killed -9 in the middle of its work', () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];

  beforeEach(async () => {
    dir = makeTempDir('kil');
    port = await freePort();
    upstreams = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.10.${n + 1}` })),
    );
    const { global, defaults } = testBase(dir);
    const lines = [
      'global',
      ...global,
      'defaults',
      ...defaults,
      'listen idle',
      `bind 127.0.0.1:${await freePort()}`,
      '',
    ];
    haproxy = await startHaproxy({ dir, config: lines.join('\n') });
  });
  afterEach(async () => {
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  /** Runs the churning process until it says `word`, and for `lifeMs` more, then kills it. */
  async function runAndKill(word: 'running' | 'loaded', lifeMs: number): Promise<void> {
    const servers = upstreams.map((upstream) => `${upstream.host}:${upstream.port}`).join(',');
    const args = ['--import', 'tsx', '--conditions', 'source', churn, dir, String(port), servers];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = new Promise<NodeJS.Signals | null>((done) =>
      child.on('exit', (_, signal) => done(signal)),
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually(() => said.includes(word), { what: `it says ${word}`, timeoutMs: 30_000 });
    await new Promise((done) => setTimeout(done, lifeMs));
    child.kill('SIGKILL');
    expect(await exited).toBe('SIGKILL');
  }

  it('leaves nothing behind that its successor does not own, and costs no reload and no request', async () => {
    // The first life loads the first file.
    await runAndKill('loaded', 100);
    const worker = await haproxy.workerPid();
    const load = startLoad({ port, clients: 4, connections: 'keep-alive', maxRequests: 100_000 });
    for (const lifeMs of [60, 130, 180, 240, 310]) {
      await runAndKill('running', lifeMs);
      const bed = startGenerator(topLevel(dir, { state_file_path: null }));
      const [first, , third] = upstreams;
      const services: Services = {
        web: {
          instances: [
            { host: first!.host, port: first!.port, name: 'u0' },
            { host: third!.host, port: third!.port, name: 'u2' },
          ],
          haproxy: { port, server_options: 'check inter 5s' },
        },
      };
      await eventually(
        async () => {
          await bed.settle(services);
          expect(await serversOf(haproxy.adminSocket, 'web')).toEqual([
            `u0_${first!.host}:${first!.port} ready 1`,
            `u2_${third!.host}:${third!.port} ready 1`,
          ]);
          return true;
        },
        { what: 'exactly the wanted servers run' },
      );
      await bed.stop();
    }
    const { failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(await haproxy.workerPid()).toBe(worker);
  });
});
