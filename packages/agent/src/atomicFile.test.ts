import { execFileSync } from 'node:child_process';
import {
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeFileAtomic } from './atomicFile.js';
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

  it('writes parts one after the other', async () => {
    const file = join(dir, 'a');
    // More of them than the kernel takes at once.
    const parts = Array.from({ length: 3_000 }, (_, index) =>
      Buffer.from(index % 7 === 0 ? '' : `${index} `),
    );
    await writeFileAtomic(file, parts);
    expect(await readFile(file, 'utf8')).toBe(Buffer.concat(parts).toString());
    await writeFileAtomic(file, []);
    expect(await readFile(file, 'utf8')).toBe('');
  });

  it('goes on where the kernel took a part of them', async () => {
    const handle = await open(join(dir, 'probe'), 'w');
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const write = Reflect.get(prototype, 'writev') as (parts: readonly Buffer[]) => unknown;
    const short = vi.spyOn(prototype, 'writev').mockImplementation(function (this: FileHandle, parts) {
      const all = Buffer.concat(parts as Buffer[]);
      return Reflect.apply(write, this, [[all.subarray(0, 4)]]) as ReturnType<FileHandle['writev']>;
    });
    const file = join(dir, 'a');
    await writeFileAtomic(
      file,
      ['abc', 'de', '', 'fghijkl', 'm'].map((text) => Buffer.from(text)),
    );
    short.mockRestore();
    expect(await readFile(file, 'utf8')).toBe('abcdefghijklm');
  });

  it('names what it has not finished after both ends of a long name', async () => {
    const name = `${'a'.repeat(120)}@owner.json`;
    await mkdir(join(dir, name));
    // It cannot replace a directory, and tells with which file it tried.
    const error: unknown = await writeFileAtomic(join(dir, name), 'x').catch((each: unknown) => each);
    expect(String(error)).toMatch(/\/\.a{40}a{49}@owner\.json\.[0-9a-f-]{36}\.tmp/);
    expect(await readdir(dir)).toEqual([name]);
  });

  it('keeps the mode of the file it replaces, and uses the given one for a new file', async () => {
    const file = join(dir, 'a');
    await writeFileAtomic(file, 'one', { mode: 0o600 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await chmod(file, 0o640);
    await writeFileAtomic(file, 'two', { mode: 0o600 });
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

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
      await expect(writeFileAtomic(file, [Buffer.alloc(50_000), Buffer.alloc(50_000)])).rejects.toThrow(
        /ENOSPC/,
      );
      expect(await readFile(file, 'utf8')).toBe('old');
      expect(await readdir(small)).toEqual(['a']);
      await writeFileAtomic(file, 'new');
      expect(await readFile(file, 'utf8')).toBe('new');
    } finally {
      execFileSync('umount', [small]);
    }
  });
});
