import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readPlainFile } from './plainFile.js';

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'plain-'));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}

describe('readPlainFile', () => {
  it('reads what is there, through links, and files of the kernel', async () => {
    const root = await folder();
    const text = 'x'.repeat(100_000);
    await writeFile(join(root, 'file'), text);
    await symlink('file', join(root, 'link'));
    expect((await readPlainFile(join(root, 'link'))).toString()).toBe(text);
    expect((await readPlainFile('/proc/self/status')).toString()).toContain('Name:');
  });

  it('waits for nobody, and takes no more than it is told', async () => {
    const root = await folder();
    const pipe = join(root, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const path of [pipe, '/dev/zero', root])
      await expect(readPlainFile(path)).rejects.toThrow(`${path}: it is no plain file`);
    await writeFile(join(root, 'file'), 'x'.repeat(101));
    await expect(readPlainFile(join(root, 'file'), 100)).rejects.toThrow('it has more than 100 bytes');
    await expect(readPlainFile(join(root, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
