import { rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CommandResult, commandOf } from '../harness/commandOf.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort, listenAnywhere } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startNerve } from './bed.ts';

const cli = (...args: readonly string[]): Promise<CommandResult> => commandOf('nerve', ...args);

describe('the commands for operators', () => {
  it('show, drain, weigh and undrain over the socket, and are refused over TCP', async () => {
    const folder = makeTempDir('operator');
    onTestFinished(() => removeTempDir(folder));
    const socket = join(folder, 'nerve.sock');
    const tcp = await freePort();
    const [token, wrong] = ['token', 'wrong'].map((name) => join(folder, name)) as [string, string];
    writeFileSync(token, 'a-token-of-this-test\n');
    writeFileSync(wrong, 'another-token-of-this-test\n');
    const web = {
      ...{ host: '127.0.0.1', port: 80, check_interval: 0.1, checks: [{ type: 'noop', name: 'always' }] },
      ...{ reporter_type: 'file', file_directory: join(folder, 'registry'), weight: 10 },
      drain: { min_time: 0.5 },
    };
    await startNerve({
      main: { admin: { listen: [socket, `127.0.0.1:${tcp}`], token_file: token }, services: { web } },
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
    expect((await cli('status', 'web', ...at)).stdout).toMatch(
      /\nalways +up +pass[^]*\nalways +20\S+Z +pass +[\d.]+ ms/,
    );
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

    const over = ['--address', `127.0.0.1:${tcp}`];
    for (const given of [[], ['--token-file', wrong]]) {
      const refused = await cli('drain', 'web', ...over, ...given);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--token-file') as string });
    }
    expect((await cli('weight', 'web', '7', ...over, '--token-file', token)).code).toBe(0);
    expect((await cli('drain', 'web', '--for', 'ever', ...at)).code).toBe(64);
    expect((await cli('drain', ...at)).code).toBe(64);
  });

  it('wait for callers over a restart of the agent, until they let go or somebody undrains', async () => {
    const folder = makeTempDir('operator');
    onTestFinished(() => removeTempDir(folder));
    const [socket, gone] = [join(folder, 'nerve.sock'), join(folder, 'gone')];
    const web = {
      ...{ host: '127.0.0.1', port: 80, check_interval: 0.1, checks: [{ type: 'noop', name: 'always' }] },
      ...{ reporter_type: 'file', file_directory: join(folder, 'registry') },
      drain: { min_time: 0.1, done_command: ['test', '-e', gone], done_interval: 0.1 },
    };
    const options = {
      main: { admin: { listen: socket }, services: { web } },
      ...{ folder, env: { STATE_DIRECTORY: folder } },
    };
    const at = ['--address', socket];
    const drained = (phase: string) => async () => {
      const { stdout } = await cli('status', 'web', ...at);
      return stdout.includes(`drain         ${phase}`) || undefined;
    };
    const first = await startNerve(options);
    await eventually(async () => (await cli('status', ...at)).code === 0 || undefined, {
      ...{ what: 'the agent answers', timeoutMs: 10_000 },
    });
    const waiting = cli('drain', '--all', '--until', '2100-01-01T00:00Z', '--wait', ...at);
    await eventually(drained('leaving (host)'), { what: 'web is leaving', timeoutMs: 10_000 });
    await first.stop('SIGKILL');
    await startNerve(options);
    await eventually(drained('leaving (host)'), { what: 'web is leaving still', timeoutMs: 10_000 });
    writeFileSync(gone, '');
    expect(await waiting).toEqual({ code: 0, stdout: 'drained: web\ncallers have let go\n', stderr: '' });
    expect((await cli('status', ...at)).stdout).toContain('until 2100-01-01T00:00:00Z');
    expect((await cli('undrain', '--all', ...at)).code).toBe(0);

    rmSync(gone);
    const again = cli('drain', 'web', '--wait', ...at);
    await eventually(drained('leaving'), { what: 'web is leaving again', timeoutMs: 10_000 });
    expect(await cli('drain', 'web', '--wait', '--timeout', '1', ...at)).toMatchObject({
      ...{ code: 1, stderr: 'nerve: callers have not let go in time: web\n' },
    });
    expect((await cli('undrain', 'web', ...at)).code).toBe(0);
    expect(await again).toMatchObject({ code: 1, stderr: 'nerve: undrained meanwhile: web\n' });
    const past = await cli('drain', 'web', '--until', '2001-01-01', ...at);
    expect(past).toMatchObject({ code: 64, stderr: 'nerve: until: is not in the future\n' });
  });

  it('say that the agent does not answer: 69', async () => {
    const folder = makeTempDir('operator');
    onTestFinished(() => removeTempDir(folder));
    const { code, stderr } = await cli('status', '--address', join(folder, 'none.sock'));
    expect(code).toBe(69);
    expect(stderr).toContain('systemctl status nerve');
    const silent = createServer((one) => one.destroy());
    onTestFinished(() => void silent.close());
    const port = await listenAnywhere(silent);
    expect((await cli('status', '--address', `127.0.0.1:${port}`)).code).toBe(69);
  });

  it('print all that there is to a pipe, however much it is', async () => {
    const service = {
      ...{ service: 'web', health: 'up', registration: { kind: 'absent' }, transitions: [], checks: [] },
      ...{ instance: { host: '10.0.0.1', port: 80 }, throttled: false, weight: {} },
    };
    const services = Array.from({ length: 10_000 }, (_, index) => ({ ...service, service: `web-${index}` }));
    const agent = createHttpServer((_, response) => {
      response.end(JSON.stringify({ drain: null, services }));
    });
    onTestFinished(() => void agent.close());
    const port = await listenAnywhere(agent);
    const { stdout } = await cli('status', '-o', 'json', '--address', `127.0.0.1:${port}`);
    expect(stdout.length).toBeGreaterThan(1_000_000);
    expect((JSON.parse(stdout) as { services: unknown[] }).services).toHaveLength(10_000);
  });

  it('wait for callers in vain when the agent is gone: 69', async () => {
    let asked = 0;
    const agent = createHttpServer((_, response) => {
      asked += 1;
      if (asked > 1) response.destroy();
      else response.end(JSON.stringify({ services: ['web'], stillDrained: ['web'], saved: true }));
    });
    onTestFinished(() => void agent.close());
    const port = await listenAnywhere(agent);
    const words = ['drain', 'web', '--wait', '--timeout', '1', '--address', `127.0.0.1:${port}`];
    const { code, stdout, stderr } = await cli(...words);
    expect(code).toBe(69);
    expect(stdout).toBe('drained: web\n');
    expect(stderr).not.toContain('callers');
  });

  it('probe all checks of a service without an agent', async () => {
    const folder = makeTempDir('operator');
    onTestFinished(() => removeTempDir(folder));
    const checks = [
      { type: 'tcp', name: 'closed' },
      { type: 'exec', name: 'fine', command: 'true' },
      { type: 'ttl', name: 'app', ttl: 5 },
    ];
    const web = { host: '127.0.0.1', port: 1, reporter_type: 'file', file_directory: folder, checks };
    const file = join(folder, 'nerve.json');
    writeFileSync(file, JSON.stringify({ instance_id: 'i', services: { web } }));
    const probed = await cli('probe', 'web', '-c', file);
    expect(probed.code).toBe(1);
    expect(probed.stdout).toMatch(/\nclosed +127\.0\.0\.1:1 +fail .*\nfine +true +pass .*\napp +- +skipped /);
    expect(probed.stdout).toMatch(
      /\n\nclosed\nSTEP .*\nconnect +failed .* 127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1\n\nfine\nSTEP .*\nstart +ok .*\nrun +ok .*exited with 0\n$/,
    );
    const read = JSON.parse((await cli('probe', 'web', '-c', file, '-o', 'json')).stdout) as {
      readonly ok: boolean;
      readonly checks: readonly { readonly steps: readonly object[] }[];
    };
    expect(read.ok).toBe(false);
    expect(read.checks.map(({ steps }) => steps)).toEqual([
      [expect.objectContaining({ step: 'connect', ok: false, reason: 'connect ECONNREFUSED 127.0.0.1:1' })],
      [
        expect.objectContaining({ step: 'start', ok: true }),
        expect.objectContaining({ step: 'run', ok: true }),
      ],
      [],
    ]);
    expect((await cli('probe', 'nope', '-c', file)).code).toBe(1);
    expect((await cli('probe', 'web', '-c', '/no/such/file')).code).toBe(78);
  });
});
