import { execFileSync } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryName, writeFileAtomic } from './atomicFile.js';
import { AgentError } from './errors.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atomic-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function mountSmall(path: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('writeFileAtomic', () => {
  it('creates and replaces, text and bytes', async () => {
    const file = join(dir, 'a');
    await writeFileAtomic(file, 'one');
    expect((await stat(file)).mode & 0o777).toBe(0o644);
    await writeFileAtomic(file, Buffer.from('two'));
    expect(await readFile(file, 'utf8')).toBe('two');
    await writeFileAtomic(file, '');
    expect(await readFile(file, 'utf8')).toBe('');
    expect(await readdir(dir)).toEqual(['a']);
  });

  it('keeps the mode of the file it replaces, and uses the given one for a new file', async () => {
    const file = join(dir, 'a');
    await writeFileAtomic(file, 'one', { mode: 0o600 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await chmod(file, 0o640);
    await writeFileAtomic(file, 'two', { mode: 0o600 });
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

  it.each(['x'.repeat(250) + '.json', '\u65e5'.repeat(83) + '.json'])(
    'writes a file called %s',
    async (name) => {
      await writeFileAtomic(join(dir, name), 'one');
      expect(await readdir(dir)).toEqual([name]);
    },
  );

  it('keeps a symbolic link, and writes where it points', async () => {
    await mkdir(join(dir, 'real'));
    await writeFile(join(dir, 'real', 'a'), 'one');
    await symlink('real/a', join(dir, 'a'));
    await writeFileAtomic(join(dir, 'a'), 'two');
    expect((await lstat(join(dir, 'a'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(dir, 'real', 'a'), 'utf8')).toBe('two');
    expect(await readdir(join(dir, 'real'))).toEqual(['a']);
  });

  it('shows readers the old or the new content, never a part', async () => {
    const file = join(dir, 'a');
    const contents = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(300_000));
    await writeFileAtomic(file, contents[0]!);
    let writing = true;
    const reader = async (): Promise<void> => {
      while (writing) {
        const text = await readFile(file, 'utf8');
        expect(contents.includes(text)).toBe(true);
      }
    };
    const reading = reader();
    await Promise.all([...contents, ...contents].map((content) => writeFileAtomic(file, content)));
    writing = false;
    await reading;
    expect(await readdir(dir)).toEqual(['a']);
  });

  it.each([
    ['a directory that does not exist', 'gone/a', /Cannot write .*gone\/a: ENOENT/],
    ['a directory in its place', 'sub', /EISDIR|ENOTEMPTY|EEXIST/],
  ])('fails clearly for %s, and leaves nothing', async (_, name, message) => {
    await mkdir(join(dir, 'sub'));
    const failure = writeFileAtomic(join(dir, name), 'x');
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(AgentError);
    await expect(failure).rejects.toMatchObject({ code: 'file_write', retriable: true });
    expect(await readdir(dir)).toEqual(['sub']);
  });

  it('leaves the old file and no other when the disk is full', async (context) => {
    const small = join(dir, 'small');
    await mkdir(small);
    if (!mountSmall(small)) return context.skip('needs the right to mount');
    try {
      const file = join(small, 'a');
      await writeFileAtomic(file, 'old');
      await expect(writeFileAtomic(file, 'x'.repeat(200_000))).rejects.toThrow(/ENOSPC/);
      expect(await readFile(file, 'utf8')).toBe('old');
      expect(await readdir(small)).toEqual(['a']);
      await writeFileAtomic(file, 'new');
      expect(await readFile(file, 'utf8')).toBe('new');
    } finally {
      execFileSync('umount', [small]);
    }
  });
});

describe('temporaryName', () => {
  const tmp = /\.[0-9a-f-]{36}\.tmp$/;

  it('tells whose it is, whatever the length', () => {
    const service = 'billing-payment-reconciliation-service_main_us-east-1_production'.repeat(3);
    const name = `${service}@ip-10-0-0-5.us-east-1.compute.internal.json`;
    const made = temporaryName(name).replace(tmp, '');
    expect(made.startsWith('.billing-payment')).toBe(true);
    expect(made.endsWith('@ip-10-0-0-5.us-east-1.compute.internal.json')).toBe(true);
    expect(temporaryName('web.json').replace(tmp, '')).toBe('.web.json');
    expect(temporaryName(`${'w'.repeat(190)}.json`).replace(tmp, '')).toBe(`.${'w'.repeat(190)}.json`);
  });

  it('is of whole characters, and fits', () => {
    for (const letter of ['\u00fc', '\u65e5', '\u{1f600}']) {
      const made = temporaryName(letter.repeat(120));
      expect(Buffer.byteLength(made)).toBeLessThanOrEqual(255);
      expect(made).not.toContain('\uFFFD');
    }
  });
});
