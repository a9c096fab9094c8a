import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { alive, pidIn } from '../testing/processes.js';
import { configDir } from '../testing/configDir.js';
import { checkOf, probe } from '../testing/probe.js';
import { checkSchema } from './index.js';

const systemd = { type: 'systemd', unit: 'web.service', timeout: 10 };

/** Puts a systemctl into the PATH that runs these lines of shell. Returns its folder. */
async function systemctl(lines: string): Promise<string> {
  const dir = await configDir({ systemctl: `#!/bin/sh\n${lines}\n` });
  await chmod(join(dir, 'systemctl'), 0o755);
  vi.stubEnv('PATH', `${dir}:${process.env.PATH ?? ''}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  return dir;
}

function states(active: string, sub: string, load: string): string {
  return `echo LoadState=${load}; echo ActiveState=${active}; echo SubState=${sub}`;
}

describe('systemd check', () => {
  it.each(['active', 'reloading'])('passes a unit that is %s', async (state) => {
    await systemctl(states(state, 'running', 'loaded'));
    expect(await probe(systemd)).toEqual({ ok: true });
  });

  it.each([
    ['inactive', 'dead', 'loaded'],
    ['failed', 'failed', 'loaded'],
    ['activating', 'auto-restart', 'loaded'],
    ['deactivating', 'stop-sigterm', 'loaded'],
    ['inactive', 'dead', 'not-found'],
  ])('fails one that is %s (%s, %s), and says so', async (active, sub, load) => {
    await systemctl(states(active, sub, load));
    expect(await probe(systemd)).toEqual({
      ok: false,
      reason: `ActiveState=${active} SubState=${sub} LoadState=${load}`,
    });
  });

  it('asks for one unit, without a shell', async () => {
    const dir = await systemctl('printf "%s\\n" "$@" >"$(dirname "$0")/args"; echo ActiveState=active');
    expect(await probe({ ...systemd, unit: 'dev-disk\\x2d1:a_b@x-1.mount' })).toEqual({ ok: true });
    expect((await readFile(join(dir, 'args'), 'utf8')).trimEnd().split('\n')).toEqual([
      'show',
      '--no-pager',
      '--property=ActiveState,SubState,LoadState',
      '--',
      'dev-disk\\x2d1:a_b@x-1.mount',
    ]);
  });

  it('fails when systemctl does, with what it said', async () => {
    await systemctl('echo "Failed to connect to bus" >&2; exit 1');
    expect(await probe(systemd)).toEqual({
      ok: false,
      reason: 'systemctl exited with 1: Failed to connect to bus',
    });
  });

  it('fails when there is no systemctl', async () => {
    vi.stubEnv('PATH', await configDir({}));
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await probe(systemd)).toEqual({
      ok: false,
      reason: expect.stringMatching(/systemctl.*ENOENT/) as string,
    });
  });

  it('fails on an answer that says nothing, and reads a bounded part of one without end', async () => {
    await systemctl('exit 0');
    expect(await probe(systemd)).toEqual({ ok: false, reason: 'ActiveState=? SubState=? LoadState=?' });
    await systemctl('echo ActiveState=failed; head -c 100000000 /dev/zero; echo ActiveState=active');
    const before = process.memoryUsage().rss;
    expect(await probe(systemd)).toMatchObject({ ok: false });
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  it('kills a systemctl that hangs, at the timeout', async () => {
    const dir = await systemctl('echo $$ >"$(dirname "$0")/pid"; echo ActiveState=active; sleep 1000');
    expect(await probe({ ...systemd, timeout: 0.5 })).toEqual({
      ok: false,
      reason: 'no result within 0.5 s',
    });
    const pid = await pidIn(join(dir, 'pid'));
    await vi.waitFor(() => expect(alive(pid)).toBe(false));
  });

  it.each([
    '',
    '-.mount',
    '--all',
    'web service',
    'web*',
    'web?',
    '[a]',
    'a/b',
    'a\nb',
    'web@.service',
    'web@',
    'x'.repeat(256),
  ])('refuses the unit %j', (unit) => {
    expect(checkSchema.safeParse({ ...systemd, unit }).success).toBe(false);
  });

  it('is named after its unit', () => {
    expect(checkOf(systemd).name).toBe('web systemd-web.service');
  });
});
