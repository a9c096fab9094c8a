import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../harness/ports.ts';
import { startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';

const program = resolve(import.meta.dirname, '../../packages/nerve/bin/nerve.js');

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, ...args: string[]): Promise<Result> {
  return new Promise((done) => {
    execFile(command, args, { timeout: 20_000, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const nerve = (...args: string[]): Promise<Result> => run(process.execPath, program, ...args);

interface Written {
  readonly services: Readonly<
    Record<string, { readonly port: number; readonly checks: readonly { type: string }[] }>
  >;
}

/** The service that was written for a port, by name. */
function serviceAt(
  text: string,
  port: number,
): [string, { readonly checks: readonly { type: string }[] }] | undefined {
  return Object.entries((parse(text) as Written).services).find(([, one]) => one.port === port);
}

/** Listens on all addresses until the test ends. */
async function listen(): Promise<number> {
  const port = await freePort();
  const server = createServer((socket) => socket.destroy());
  onTestFinished(() => void server.close());
  await new Promise<void>((done) => server.listen(port, '0.0.0.0', done));
  return port;
}

function tempDir(): string {
  const folder = makeTempDir('init');
  onTestFinished(() => removeTempDir(folder));
  return folder;
}

describe('nerve init', () => {
  it('finds what listens, and writes a file that is valid and whose checks pass', async () => {
    const port = await listen();
    const loopback = await freePort();
    const local = createServer();
    onTestFinished(() => void local.close());
    await new Promise<void>((done) => local.listen(loopback, '127.0.0.1', done));
    const file = join(tempDir(), 'nerve.yaml');
    const made = await nerve('init', '--output', file);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(made.stdout).toContain(`${file}: written, with `);
    const text = readFileSync(file, 'utf8');
    const checked = await nerve('-k', '-c', file);
    expect(checked).toMatchObject({ code: 0, stderr: '' });
    const [name] = serviceAt(text, port) ?? [];
    expect(name).toBeDefined();
    const probed = await nerve('probe', name ?? '', '-c', file);
    expect(probed).toMatchObject({ code: 0, stdout: expect.stringMatching(/tcp-.* pass /) as string });
    expect(serviceAt(text, loopback)).toBeUndefined();
    expect(text).toContain(`# - 127.0.0.1:${loopback}, `);
    // Not a second time.
    const again = await nerve('init', '--output', file);
    expect(again).toMatchObject({ code: 73, stderr: expect.stringContaining('is left as it is') as string });
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('names a service after its program, and chooses its check', async () => {
    const port = await freePort();
    const folder = tempDir();
    const child = startProcess('redis-server', [
      ...[
        '--port',
        String(port),
        '--bind',
        '0.0.0.0',
        '--save',
        '',
        '--dir',
        folder,
        '--protected-mode',
        'no',
      ],
    ]);
    onTestFinished(() => child.stop('SIGKILL'));
    await eventually(() => child.output.includes('eady to accept connections') || undefined, {
      what: 'redis listens',
      timeoutMs: 10_000,
    });
    const { stdout } = await nerve('init');
    expect(serviceAt(stdout, port)).toMatchObject([
      expect.stringMatching(/^redis-server/),
      { checks: [{ type: 'redis' }] },
    ]);
    expect(stdout).toContain(`redis-server (process ${child.pid}`);
  });

  it.runIf(process.getuid?.() === 0)('works for whoever may not see the processes of others', async () => {
    const port = await listen();
    // Root, and yet without the right to look at processes that have more rights than it.
    const blind = await run('setpriv', '--bounding-set=-all', '--', process.execPath, program, 'init');
    expect(blind).toMatchObject({ code: 0, stderr: '' });
    expect(serviceAt(blind.stdout, port)?.[0]).toBe(`port-${port}`);
    expect(blind.stdout).toMatch(/# Who owns \d+ of the \d+ ports could not be seen/);
  });
});
