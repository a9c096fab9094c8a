import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from './clock.js';
import { SecretFile } from './secretFile.js';

const fileAt = (path: string) => new SecretFile(path, { name: 'key', minLength: 8 }, systemClock);
const read = (path: string) => fileAt(path).read();

it('a secret is one line of a plain file, or there is a reason that does not tell the path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'secret-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [file, pipe] = [join(folder, 'key'), join(folder, 'pipe')];
  execFileSync('mkfifo', [pipe]);
  await writeFile(file, ' 12345678 \n');
  expect(await read(file)).toEqual({ secret: '12345678' });
  for (const [text, problem] of [
    ['', 'it is empty'],
    ['1234567', 'a key has at least 8 characters'],
    ['1234\n5678', 'a key has at least 8 characters'],
    ['12345678\n87654321', 'a key is one line'],
    ['12345678 87654321', 'a key is one line of letters, digits and signs'],
    ['x'.repeat(4_097), 'it has more than 4096 bytes'],
  ] as const) {
    await writeFile(file, text);
    expect(await read(file)).toEqual({ problem });
  }
  expect(await read(join(folder, 'none'))).toEqual({ problem: 'ENOENT' });
  for (const path of [pipe, '/dev/zero', folder])
    expect([path, await read(path)]).toEqual([path, { problem: 'it is no plain file' }]);
  // A file of the kernel, which has no size before it is read.
  expect(await read('/proc/self/smaps')).toEqual({ problem: 'it has more than 4096 bytes' });
});

it('a file of several secrets has a line for each, and tells whether strangers may read it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'secret-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'key');
  await writeFile(file, '\n12345678\r\n\n 87654321', { mode: 0o640 });
  const secrets = ['12345678', '87654321'];
  expect(await fileAt(file).readAll()).toEqual({ secrets, isOpenToOthers: false });
  for (const mode of [0o644, 0o602]) {
    await chmod(file, mode);
    expect(await fileAt(file).readAll()).toEqual({ secrets, isOpenToOthers: true });
  }
  // None of them is used where one is no secret: who cut a line in two would not notice.
  for (const [text, problem] of [
    [' \n\n', 'it is empty'],
    ['12345678\n1234567', 'a key has at least 8 characters'],
    ['12345678\nzwölf234', 'a key is one line of letters, digits and signs'],
    ['12345678\n'.repeat(9), 'it has more than 8 lines'],
  ] as const) {
    await writeFile(file, text);
    expect(await fileAt(file).readAll()).toEqual({ problem });
  }
});
