import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listener, machine, process } from '../../testing/machine.js';
import { writeFirstConfig } from './init.js';

const host = machine([[listener('0.0.0.0', 80), process('web')]]);

async function init(file: string | undefined, look = () => host) {
  const printed: [string, string][] = [];
  const code = await writeFirstConfig(
    { kind: 'init', file },
    { print: (stream, text) => void printed.push([stream, text]) },
    look,
  );
  const of = (stream: string) =>
    printed.flatMap(([name, text]) => (name === stream ? [text] : [])).join('\n');
  return { code, stdout: of('stdout'), stderr: of('stderr') };
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'nerve-init-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe('writeFirstConfig', () => {
  it('prints the same that it writes', async () => {
    const file = join(folder(), 'nerve.yaml');
    const written = await init(file);
    expect(written).toEqual({
      code: 0,
      stdout: `${file}: written, with 1 services; 0 ports left out\nwhat to do next is in its first lines`,
      stderr: '',
    });
    const printed = await init(undefined);
    expect(`${printed.stdout.replaceAll('--config FILE', `--config ${file}`)}\n`).toBe(
      readFileSync(file, 'utf8'),
    );
  });

  it('leaves alone whatever is there: 73', async () => {
    const at = folder();
    writeFileSync(join(at, 'mine'), '');
    mkdirSync(join(at, 'folder'));
    symlinkSync(join(at, 'nowhere'), join(at, 'dangling'));
    for (const name of ['mine', 'folder', 'dangling'])
      expect(await init(join(at, name))).toMatchObject({
        code: 73,
        stdout: '',
        stderr: expect.stringContaining('exists, and is left as it is') as string,
      });
    expect(readFileSync(join(at, 'mine'), 'utf8')).toBe('');
    expect(readdirSync(at).sort()).toEqual(['dangling', 'folder', 'mine']);
  });

  it('says why a file cannot be made: 73', async () => {
    for (const name of ['none/nerve.yaml', 'a\0b', 'x'.repeat(300)])
      expect(await init(join(folder(), name))).toMatchObject({
        code: 73,
        stderr: expect.stringContaining('cannot make') as string,
      });
  });

  it('says so where nothing can be seen', async () => {
    const look = () => {
      throw new Error('no such file');
    };
    await expect(init(undefined, look)).rejects.toThrow('what listens here cannot be seen: no such file');
  });
});
