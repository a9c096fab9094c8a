import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { freePort, listenAnywhere } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startNerve } from './bed.ts';

const program = resolve(import.meta.dirname, '../../packages/nerve/bin/nerve.js');

function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [program, ...args], { timeout: 20_000 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('the commands for operators', () => {
  it('show, drain, weigh and undrain over the socket, and are refused over TCP', async () => {
    const folder = makeTempDir('operator');
    onTestFinished(() => removeTempDir(folder));
    const socket = join(folder, 'nerve.sock');
    const tcp = await freePort();
    const web = {
      ...{ host: '127.0.0.1', port: 80, check_interval: 0.1, checks: [{ type: 'noop', name: 'always' }] },
      ...{ reporter_type: 'file', file_directory: join(folder, 'registry'), weight: 10 },
      drain: { min_time: 0.5 },
    };
    await startNerve({
      main: { admin: { listen: [socket, `127.0.0.1:${tcp}`] }, services: { web } },
      env: { STATE_DIRECTORY: folder },
    });
    const at = ['--address', socket];
    const status = await eventually(
      async () => {
        const result = await cli('status', ...at);
        return result.code === 0 && result.stdout.includes('present') ? result : undefined;
      },
      { what: 'web is registered', timeoutMs: 10_000 },
    );
    expect(status.stdout).toMatch(/^SERVICE +HEALTH +SINCE +REGISTRATION[^\n]*\nweb +up +\d+s +present/);
    expect((await cli('status', 'web', ...at)).stdout).toMatch(/\nalways +up +pass/);
    const unknown = await cli('status', 'wbe', ...at);
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('did you mean "web"') as string,
    });

    const drained = await cli('drain', 'web', '--reason', 'new disk', '--for', '10m', '--wait', ...at);
    expect(drained).toMatchObject({ code: 0, stdout: 'drained: web\ncallers have let go\n' });
    const after = await cli('status', '-o', 'json', ...at);
    expect(after.code).toBe(1);
    expect(JSON.parse(after.stdout)).toMatchObject({
      services: [{ drain: { phase: 'left', reason: 'new disk' } }],
    });
    expect((await cli('undrain', 'web', ...at)).code).toBe(0);
    expect((await cli('weight', 'web', '20', ...at)).stdout).toContain('configured 10, ordered 20');
    expect((await cli('weight', 'web', '--clear', ...at)).stdout).toContain('configured 10, ordered -');

    const refused = await cli('drain', 'web', '--address', `127.0.0.1:${tcp}`);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--token-file') as string });
    expect((await cli('drain', 'web', '--for', 'ever', ...at)).code).toBe(64);
    expect((await cli('drain', ...at)).code).toBe(64);
  });

  it('say that the agent does not answer: 69', async () => {
    const { code, stderr } = await cli('status', '--address', join(makeTempDir('operator'), 'none.sock'));
    expect(code).toBe(69);
    expect(stderr).toContain('systemctl status nerve');
    const silent = createServer((one) => one.destroy());
    onTestFinished(() => void silent.close());
    const port = await listenAnywhere(silent);
    expect((await cli('status', '--address', `127.0.0.1:${port}`)).code).toBe(69);
  });

  it('probe all checks of a service without an agent', async () => {
    const { folder } = await startNerve({
      main: {
        services: {
          web: {
            ...{ host: '127.0.0.1', port: 1, reporter_type: 'file', file_directory: '/tmp' },
            check_mocked: false,
            checks: [
              { type: 'tcp', name: 'closed' },
              { type: 'exec', name: 'fine', command: 'true' },
              { type: 'ttl', name: 'app', ttl: 5 },
            ],
          },
        },
      },
    });
    const file = join(folder, 'nerve.yaml');
    const probed = await cli('probe', 'web', '-c', file);
    expect(probed.code).toBe(1);
    expect(probed.stdout).toMatch(/\nclosed +127\.0\.0\.1:1 +fail .*\nfine +true +pass .*\napp +- +skipped /);
    expect((await cli('probe', 'nope', '-c', file)).code).toBe(1);
    expect((await cli('probe', 'web', '-c', '/no/such/file')).code).toBe(78);
  });
});
