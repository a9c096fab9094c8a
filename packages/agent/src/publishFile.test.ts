import { execFileSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from './errors.js';
import { publishFile } from './publishFile.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'publish-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('publishFile', () => {
  it('creates and replaces, with permissions of its own', async () => {
    const file = join(dir, 'a.json');
    await writeFile(file, 'old', { mode: 0o600 });
    const { ino } = await stat(file);
    await publishFile(file, 'new');
    expect(await readFile(file, 'utf8')).toBe('new');
    const now = await stat(file);
    expect(now.ino).not.toBe(ino);
    expect(now.mode & 0o777).toBe(0o644);
    expect(await readdir(dir)).toEqual(['a.json']);
  });

  it('heeds the umask, as the shell does', () => {
    const module = new URL('./publishFile.ts', import.meta.url).href;
    const script = `process.umask(0o077); import(${JSON.stringify(module)}).then((m) => m.publishFile(${JSON.stringify(join(dir, 'u'))}, 'x'))`;
    execFileSync(process.execPath, ['--conditions=source', '--import', 'tsx', '-e', script]);
    expect(execFileSync('stat', ['-c', '%a', join(dir, 'u')], { encoding: 'utf8' }).trim()).toBe('600');
  });

  it('replaces a symbolic link, and follows none that waits where its own temporary file will be', async () => {
    const victim = join(dir, 'victim');
    await writeFile(victim, 'precious');
    await symlink(victim, join(dir, 'a.json'));
    await symlink(victim, join(dir, '.a.json.tmp'));
    await publishFile(join(dir, 'a.json'), 'new');
    expect((await lstat(join(dir, 'a.json'))).isFile()).toBe(true);
    expect(await readFile(victim, 'utf8')).toBe('precious');
    expect((await readdir(dir)).toSorted()).toEqual(['a.json', 'victim']);
  });

  it('leaves everything as it was when it cannot be done', async () => {
    await mkdir(join(dir, 'a.json'));
    await writeFile(join(dir, 'a.json', 'inside'), '');
    const failure = await publishFile(join(dir, 'a.json'), 'x').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AgentError);
    expect(failure).toMatchObject({ code: 'file_write', retriable: true });
    expect(await readdir(dir)).toEqual(['a.json']);
    await expect(publishFile(join(dir, 'none', 'b'), 'x')).rejects.toThrow(/Cannot write .*none\/b/);
  });
});
