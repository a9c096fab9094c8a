import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const folder = resolve(import.meta.dirname, '../../config/systemd');
const units = (await readdir(folder)).filter((file) => file.endsWith('.service'));

function analyze(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile('systemd-analyze', args, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('the systemd units, offline', () => {
  let temp: string;

  /** A copy whose agents exist: systemd-analyze looks for the executables. */
  async function copy(unit: string, change = (text: string) => text): Promise<string> {
    const text = await readFile(join(folder, unit), 'utf8');
    const file = join(temp, unit);
    await writeFile(file, change(text.replaceAll(/\/usr\/bin\/(nerve|synapse)/g, `${temp}/agent`)));
    return file;
  }

  beforeAll(async () => {
    temp = await mkdtemp(join(tmpdir(), 'units-'));
    await writeFile(join(temp, 'agent'), '#!/bin/sh\n');
    await chmod(join(temp, 'agent'), 0o755);
    // The units refer to each other.
    for (const unit of units) await copy(unit);
  });
  afterAll(() => rm(temp, { recursive: true }));

  it('are the three that the documentation names', () => {
    expect(units.toSorted()).toEqual(['nerve.service', 'synapse-haproxy.service', 'synapse.service']);
  });

  it.each(units)('%s verifies without a word', async (unit) => {
    const { code, stdout, stderr } = await analyze('verify', join(temp, unit));
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('would complain about an unknown key', async () => {
    const file = await copy('nerve.service', (text) => text.replace('WatchdogSec', 'WatchdogSeconds'));
    expect((await analyze('verify', file)).stderr).toContain("Unknown key 'WatchdogSeconds'");
    await copy('nerve.service');
  });

  it.each(units)('%s is sandboxed: exposure below 2.0 of 10', async (unit) => {
    const { code, stdout } = await analyze('security', '--offline=true', '--threshold=20', join(temp, unit));
    expect(code, stdout).toBe(0);
  });

  it('would notice a sandbox that was left open', async () => {
    const file = await copy('synapse.service', (text) =>
      text.replace('SystemCallFilter=@system-service\n', ''),
    );
    expect((await analyze('security', '--offline=true', '--threshold=20', file)).code).not.toBe(0);
    await copy('synapse.service');
  });
});
