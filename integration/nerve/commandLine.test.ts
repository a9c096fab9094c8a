import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';

const program = resolve(import.meta.dirname, '../../packages/nerve/bin/nerve.js');

function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    const options = { env: { ...process.env, ...env }, timeout: 20_000 };
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function file(text: string): string {
  const folder = makeTempDir('nerve');
  onTestFinished(() => removeTempDir(folder));
  const path = join(folder, 'nerve.yaml');
  writeFileSync(path, text);
  return path;
}

describe('the command line of nerve', () => {
  it('checks a valid configuration: 0', async () => {
    const path = file('instance_id: i\n');
    const { code, stdout, stderr } = await run(['-k', '-c', path]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`${path}: the configuration is valid, with 0 services\nexiting nerve\n`);
    expect((await run([], { NERVE_CONFIG: path, NERVE_CHECK_CONFIG: '0' })).code).toBe(0);
  });

  it('checks an invalid one: 1, with places', async () => {
    const path = file('services:\n  web: {port: 70000}\n');
    const { code, stderr } = await run(['-k', '-c', path]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${path}:2:15 services.web.port: Too big`);
    expect(stderr).toContain(`${path}:1:1 instance_id: Required`);
  });

  it('waits for no pipe that it names, and for no module that goes on for ever', async () => {
    const path = file('');
    const folder = dirname(path);
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    writeFileSync(
      join(folder, 'busy.mjs'),
      'setInterval(() => undefined, 1000);\nexport const schema = { safeParse: (data) => ({ success: true, data }) };\nexport const create = () => ({ probe: () => ({ ok: true }) });\nexport default { schema, create };\n',
    );
    const web = (keys: string): string =>
      `  {host: h, port: 1, zk_hosts: "a:1", zk_path: /a, ${keys}, check_mocked: true}\n`;
    const services = [
      `a: ${web(`checks: [{type: redis, password_file: ${pipe}}]`)}`,
      `b: ${web(`checks: [{type: grpc, tls: true, tls_ca_file: /dev/zero}]`)}`,
      `c: ${web(`zk_auth_file: ${pipe}`)}`,
      `d: ${web(`zk_tls: {ca_file: /dev/zero}`)}`,
      `e: ${web(`checks: [{type: own, module: ${pipe}}]`)}`,
      `f: ${web(`checks: [{type: own, module: ./busy.mjs}]`)}`,
    ];
    writeFileSync(path, `instance_id: i\nservices:\n  ${services.join('  ')}`);
    const { code, stderr } = await run(['-k', '-c', path]);
    expect(code).toBe(1);
    const lines = stderr.split('\n').filter((line) => line.includes('it is no plain file'));
    expect(lines.map((line) => /:(\d+:\d+) services\.(\w)/.exec(line)?.[2])).toEqual([
      'a',
      'b',
      'c',
      'd',
      'e',
    ]);
    writeFileSync(path, `instance_id: i\nservices:\n  ${services.slice(5).join('')}`);
    expect((await run(['-k', '-c', path])).code).toBe(0);
  });

  it('does not run with an invalid one: 78', async () => {
    const { code, stderr } = await run(['-c', file('instance_id: i\nservices: {web: {}}\n')]);
    expect(code).toBe(78);
    expect(stderr.split('services.web.host: Required')).toHaveLength(2);
    expect((await run(['-c', '/no/such/file'])).code).toBe(78);
  });

  it('exits as it should when nobody reads what it prints', async () => {
    const path = file('instance_id: i\n');
    for (const args of [['-k', '-c', path], ['-h']]) {
      const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout.destroy();
      child.stderr.destroy();
      expect(await once(child, 'exit')).toEqual([0, null]);
    }
  });

  it('refuses a wrong flag: 64', async () => {
    const { code, stderr } = await run(['--frob']);
    expect(code).toBe(64);
    expect(stderr).toContain('frob');
  });

  it('helps: 0', async () => {
    const { code, stdout } = await run(['-h']);
    expect(code).toBe(0);
    expect(stdout).toContain('--check-config');
  });
});
