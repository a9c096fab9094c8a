import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { encodeRegistrationFile, registrationFileName } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { WatcherBed } from '../testing/index.js';
import { fileWatcher } from './file.js';

let folder: string;
let bed: WatcherBed;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'synapse-file-'));
  bed = new WatcherBed();
});
afterEach(async () => {
  await bed.stop();
  await rm(folder, { recursive: true, force: true });
});

function watch(keys: object): void {
  bed.run(fileWatcher.create(fileWatcher.options.parse({ method: 'file', ...keys }), bed.context));
}
const sees = (status: string, addresses: readonly string[]) =>
  vi.waitFor(() => expect([bed.status, bed.addresses]).toEqual([status, addresses]), {
    timeout: 5_000,
    interval: 5,
  });

const register = (service: string, host: string, directory = folder): Promise<void> =>
  writeFile(
    join(directory, registrationFileName(service, host)),
    encodeRegistrationFile({ service, ttlSeconds: 30, owner: 'o', instance: { host, port: 80 } }),
  );

describe('method file with file_path', () => {
  it('follows the file, and keeps the last list while it is broken, huge, a pipe, or gone', async () => {
    const file = join(folder, 'web.yaml');
    watch({ file_path: file });
    await vi.waitFor(() => expect(bed.logger.records).toHaveLength(1));
    expect(bed.snapshots).toEqual([]);
    await writeFile(file, '- {host: a, port: 80}\n- {host: b}\n');
    await sees('live', ['a:80']);
    expect(bed.problems).toEqual([`${file}:2:3: No port`]);
    await writeFile(file, '');
    await sees('stale', ['a:80']);
    await writeFile(file, '- {host: c, port: 81}');
    await sees('live', ['c:81']);
    await writeFile(file, Buffer.alloc(5 * 1024 * 1024, 'x'));
    await sees('stale', ['c:81']);
    await rm(file);
    execFileSync('mkfifo', [file]);
    await vi.waitFor(() => expect(bed.problems.join()).toContain('No plain file'), { timeout: 5_000 });
    await rm(file);
    await vi.waitFor(() => expect(bed.problems.join()).toContain('ENOENT'), { timeout: 5_000 });
    await writeFile(`${file}.new`, '[]');
    await rename(`${file}.new`, file);
    await sees('live', []);
  });
});

describe('method file with file_directory', () => {
  it('waits for a folder that does not exist yet, and is stale when it goes', async () => {
    const directory = join(folder, 'registry');
    watch({ file_directory: directory });
    await vi.waitFor(() => expect(bed.logger.records).toHaveLength(1));
    expect(bed.snapshots).toEqual([]);
    await mkdir(directory);
    await register('web', 'a', directory);
    await sees('live', ['a:80']);
    await rm(directory, { recursive: true });
    await vi.waitFor(() => expect(bed.status).toBe('stale'), { timeout: 5_000, interval: 5 });
  });

  it('takes the files of its service only, whatever else lies there', async () => {
    await register('web', 'a');
    await register('web2', 'b');
    await writeFile(join(folder, registrationFileName('web', 'bad')), 'garbage');
    await mkdir(join(folder, registrationFileName('web', 'folder')));
    execFileSync('mkfifo', [join(folder, registrationFileName('web', 'pipe'))]);
    await writeFile(
      join(folder, registrationFileName('web', 'liar')),
      '{"service":"api","ttl":30,"owner":"o","instance":{"host":"x","port":1}}',
    );
    watch({ file_directory: folder });
    await sees('live', ['a:80']);
    expect(bed.problems.map((text) => text.slice(folder.length + 1))).toEqual([
      'web@bad.json: Not JSON',
      'web@folder.json: No plain file',
      'web@liar.json: It says that it is of "api"',
      'web@pipe.json: No plain file',
    ]);
    expect(bed.undecodable).toBe(4);
    await rm(join(folder, 'web@a.json'));
    await sees('live', []);
  });

  it('may be called otherwise by nerve', async () => {
    await register('api', 'a');
    watch({ file_directory: folder, file_service: 'api' });
    await sees('live', ['a:80']);
  });
});

describe('keys of method file', () => {
  it.each([
    [{}, 'Required, or file_directory'],
    [{ file_path: '/a', file_directory: '/b' }, 'Not together with file_path: choose one'],
    [{ file_path: '/a', file_service: 'b' }, 'Goes with file_directory only'],
    [{ file_path: 'a' }, 'expected an absolute path'],
  ])('%j: %s', (keys, message) => {
    const { error } = fileWatcher.options.safeParse({ method: 'file', ...keys });
    expect(error?.issues.map((issue) => issue.message)).toContain(message);
  });
});
