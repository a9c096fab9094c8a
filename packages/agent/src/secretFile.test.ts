import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from './clock.js';
import { SecretFile } from './secretFile.js';

const read = (path: string) => new SecretFile(path, { name: 'key', minLength: 8 }, systemClock).read();

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
    ['1234\n5678', 'a key is one line of letters, digits and signs'],
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
