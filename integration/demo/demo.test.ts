import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { isPortFree, portOwner } from './portOwner.ts';
import { processesOf } from './folder.ts';
import { changes, draw, plain, type View } from './picture.ts';

const root = resolve(import.meta.dirname, '../..');
const defaultPorts = [2181, 3212, 3213, 3214, 3215, 3454, 3455];

interface Run {
  readonly process: ChildProcess;
  output(): string;
  readonly ended: Promise<number | null>;
}

describe('npm run demo', () => {
  let temp: string;
  const runs: Run[] = [];
  beforeEach(() => {
    temp = mkdtempSync(join(tmpdir(), 'demo-test-'));
  });
  afterEach(async () => {
    for (const run of runs.splice(0)) {
      run.process.kill('SIGKILL');
      await run.ended;
    }
    rmSync(temp, { recursive: true, force: true });
  });

  /** Runs the demo itself, without npm's set-up, in a temporary folder of this test's. */
  function start(...args: readonly string[]): Run {
    const node = ['--conditions=source', '--import', 'tsx', join(root, 'integration/demo/main.ts'), ...args];
    const child = spawn(process.execPath, node, { cwd: root, env: { ...process.env, TMPDIR: temp } });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise<number | null>((done) => child.on('close', (code) => done(code)));
    const run = { process: child, output: () => output, ended };
    runs.push(run);
    return run;
  }

  const folders = (): string[] => readdirSync(temp).filter((name) => name.startsWith('smartstack-demo-'));
  const shown = (run: Run): Promise<unknown> =>
    eventually(() => run.output().includes('In another terminal:'), {
      what: 'the demo shows what happens',
      timeoutMs: 45_000,
      intervalMs: 50,
    });

  it('--check proves fail-over with no reload and no failed request, and leaves nothing', async () => {
    const run = start('--check');
    const code = await run.ended;
    expect(run.output()).toMatch(/web-2, ended with SIGKILL, leaves ZooKeeper and HAProxy/);
    expect(run.output()).toMatch(/web: \d{3,} requests, 0 failed/);
    expect(run.output()).toContain('HAProxy: 0 reloads since the services were up');
    expect(run.output().trimEnd().split('\n').at(-1)).toBe('The demo works.');
    expect(code).toBe(0);
    expect(folders()).toEqual([]);
  }, 120_000);

  it('says who holds a port that it wants, takes another, and ends cleanly at Ctrl-C', async () => {
    const holder: Server = createServer();
    await new Promise<void>((done, failed) => {
      holder.once('error', failed);
      holder.listen(9101, '127.0.0.1', done);
    });
    // What others hold on this machine is not the demo's.
    const free: number[] = [];
    for (const port of defaultPorts) if (await isPortFree(port)) free.push(port);
    const run = start();
    await shown(run);
    expect(run.output()).toMatch(
      new RegExp(`port 9101 \\(web-1\\) is taken by .* \\(pid ${process.pid}\\): using \\d+`),
    );
    const folder = join(temp, folders()[0] ?? '');
    expect(processesOf(folder).length).toBeGreaterThan(8);
    run.process.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(processesOf(folder)).toEqual([]);
    expect(folders()).toEqual([]);
    await new Promise((done) => holder.close(done));
    for (const port of free) {
      expect(await isPortFree(port), `port ${port}, held by ${portOwner(port)}`).toBe(true);
    }
  }, 120_000);

  it('cleans up after a demo that was killed -9', async () => {
    const killed = start();
    await shown(killed);
    killed.process.kill('SIGKILL');
    await killed.ended;
    const left = join(temp, folders()[0] ?? '');
    expect(existsSync(left)).toBe(true);

    const next = start('--check');
    expect(await next.ended, next.output()).toBe(0);
    expect(next.output()).toContain(`cleaned up after a demo that was killed (${left})`);
    expect(processesOf(left)).toEqual([]);
    expect(folders()).toEqual([]);
  }, 180_000);
});

describe('the picture', () => {
  const view: View = {
    seconds: 61,
    folder: '/tmp/x',
    events: Array.from({ length: 50 }, (_, index) => `event ${index}`),
    parts: [{ name: 'ZooKeeper', pid: 7, detail: '127.0.0.1:2181' }],
    services: [
      {
        name: 'web',
        tryIt: 'curl http://127.0.0.1:3213/',
        answered: 10,
        failed: 0,
        instances: [
          { name: 'web-1', port: 9101, pid: 11, server: 'UP', answered: 10, perSecond: 5 },
          { name: 'web-2', port: 9102, pid: undefined, server: undefined, answered: 0, perSecond: 0 },
        ],
      },
    ],
  };
  it('shows who serves, who does not, and what to kill, within the rows that there are', () => {
    const lines = draw(view, 30);
    expect(lines.length).toBeLessThanOrEqual(30);
    expect(plain(lines)).toMatch(/web-1 +:9101 +pid 11 +UP +█{10} +5\/s +10/);
    expect(plain(lines)).toMatch(/web-2 +:9102 +not running +not in HAProxy/);
    expect(plain(lines)).toMatch(/kill -9 11 /);
    expect(plain(lines)).toContain('1:01');
    expect(plain(lines)).toContain('event 49');
    expect(plain(lines)).not.toContain('event 10\n');
  });

  it('names what changed', () => {
    const gone = view.services.map((service) => ({
      ...service,
      instances: service.instances.map((each) => ({
        ...each,
        server: each.name === 'web-2' ? 'UP' : undefined,
      })),
    }));
    expect(changes(view, { ...view, services: gone })).toEqual([
      'web-1 left HAProxy',
      'web-2 entered HAProxy: UP',
    ]);
    expect(changes(undefined, view)).toEqual([]);
  });
});
