import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfigFile, readConfigFiles, readConfigText } from './read.js';
import { listServiceFiles } from './serviceFiles.js';
import { ConfigError } from './types.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'config-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('readConfigFile', () => {
  it('reads YAML and JSON, with or without a byte order mark', async () => {
    await writeFile(join(dir, 'a.yaml'), '\ufeffa: yes\n');
    await writeFile(join(dir, 'a.json'), '{"a": true}');
    for (const name of ['a.yaml', 'a.json']) {
      expect(await readConfigFile(join(dir, name))).toMatchObject({ value: { a: true }, issues: [] });
    }
    expect((await readConfigFile(join(dir, 'a.yaml'))).at(['a'])).toEqual({ line: 1, column: 4 });
  });

  it.each([
    ['nothing', undefined, 'The file does not exist'],
    ['a directory', 'dir', 'This is a directory, not a file'],
    ['a link to itself', 'loop', 'Too many symbolic links'],
    ['an empty file', Buffer.alloc(0), 'The file is empty'],
    ['a program', Buffer.from('\x7fELF\x02\x01\x01\x00'), 'The file is binary: it has a zero byte'],
    ['UTF-16', Buffer.from('\ufeffa: 1', 'utf16le'), 'The file is UTF-16: save it as UTF-8'],
    ['Latin-1', Buffer.from('a: é', 'latin1'), 'The file is not UTF-8 text'],
    ['too much', Buffer.alloc(16 * 1024 * 1024 + 1, ' '), 'The file is larger than 16777216 bytes'],
    ['an endless device', '/dev/zero', 'The file is larger than 16777216 bytes'],
  ])('says in one issue what is wrong with %s', async (_, content, message) => {
    let file = join(dir, 'a.yaml');
    if (content === 'dir') await mkdir(file);
    else if (content === 'loop') await symlink('a.yaml', file);
    else if (content === '/dev/zero') file = content;
    else if (content !== undefined) await writeFile(file, content);
    const parsed = await readConfigFile(file);
    expect(parsed.value).toBeUndefined();
    expect(parsed.issues).toEqual([{ file, line: 0, column: 0, path: '', message, severity: 'error' }]);
    expect(parsed.at(['x'])).toEqual({ line: 1, column: 1 });
  });

  it('explains a path through a file, and gives the text unparsed', async () => {
    await writeFile(join(dir, 'a.yaml'), 'a: <%= 1 %>');
    expect((await readConfigFile(join(dir, 'a.yaml', 'b'))).issues[0]?.message).toMatch(
      /^The file does not exist/,
    );
    expect(await readConfigText(join(dir, 'a.yaml'))).toEqual({ ok: true, text: 'a: <%= 1 %>' });
  });
});

describe('readConfigFiles', () => {
  it('reads hundreds of files in their order, with few of them open at once', async () => {
    const files = Array.from({ length: 300 }, (_, i) => join(dir, `${i}.yaml`));
    for (const [i, file] of files.entries()) if (i !== 7) await writeFile(file, `n: ${i}`);
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    let most = 0;
    const parsed = await readConfigFiles(files, (_, text) => {
      most = Math.max(most, open() - before);
      return { text, issues: [] };
    });
    expect(parsed.map(({ value }) => value)).toEqual(files.map((_, n) => (n === 7 ? undefined : { n })));
    expect(parsed.map(({ file }) => file)).toEqual(files);
    expect(most).toBeLessThan(50);
    expect(await readConfigFiles([])).toEqual([]);
  });

  it('does not wait for a pipe that nobody writes to', async () => {
    execFileSync('mkfifo', [join(dir, 'pipe.yaml')]);
    await writeFile(join(dir, 'a.yaml'), 'a: 1');
    const files = [join(dir, 'pipe.yaml'), join(dir, 'a.yaml')];
    const [pipe, file] = await readConfigFiles(files);
    expect(pipe?.issues.map(({ message }) => message)).toEqual([expect.stringMatching(/^This is a pipe/)]);
    expect(file?.value).toEqual({ a: 1 });
  });
});

describe('listServiceFiles', () => {
  const names = [
    'web.yaml',
    'api.json',
    'foo.bar.yaml',
    'B.yaml',
    'a.yaml',
    'ü.yaml',
    'web.json',
    'x.json.yaml',
    'no.yml',
    '.hidden.yaml',
    '.web.yaml.swp',
    '.#web.yaml',
    '#web.yaml#',
    'web.yaml~',
    'web.yaml.dpkg-dist',
    'web.yaml.bak',
    'yaml',
    'x.YAML',
    '.yaml',
  ];

  it('finds what Ruby globs, in its order', async () => {
    for (const name of names) await writeFile(join(dir, name), '');
    const found = await listServiceFiles(dir);
    expect(found.map(({ service, file }) => [service, basename(file)])).toEqual([
      ['B', 'B.yaml'],
      ['a', 'a.yaml'],
      ['foo.bar', 'foo.bar.yaml'],
      ['web', 'web.yaml'],
      ['x.json', 'x.json.yaml'],
      ['ü', 'ü.yaml'],
      ['api', 'api.json'],
      ['web', 'web.json'],
    ]);
    const reversed = await listServiceFiles(dir, ['json', 'yaml']);
    expect(reversed.slice(0, 3).map(({ service }) => service)).toEqual(['api', 'web', 'B']);
  });

  it('lists what cannot be read, so that reading it says why', async () => {
    await mkdir(join(dir, 'dir.yaml'));
    await symlink('gone', join(dir, 'link.yaml'));
    expect((await listServiceFiles(dir)).map(({ service }) => service)).toEqual(['dir', 'link']);
  });

  it('refuses a directory that is none', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(listServiceFiles(join(dir, 'gone'))).rejects.toThrow(
      new ConfigError([
        {
          file: join(dir, 'gone'),
          line: 0,
          column: 0,
          path: '',
          message: 'The directory does not exist',
          severity: 'error',
        },
      ]),
    );
    await expect(listServiceFiles(join(dir, 'file'))).rejects.toThrow(/cannot be read \(ENOTDIR\)/);
  });
});
