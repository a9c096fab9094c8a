import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const reporter = resolve(import.meta.dirname, 'summaryReporter.ts');
const modules = resolve(import.meta.dirname, '../../node_modules');

/** Runs a Vitest of its own, in a process of its own, over the given files. */
async function runVitest(folder: string): Promise<{ readonly code: number; readonly lines: string[] }> {
  const vitest = join(modules, 'vitest/vitest.mjs');
  const args = [vitest, 'run', '--root', folder, '--reporter=default', `--reporter=${reporter}`];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
  return new Promise((done) => {
    execFile(process.execPath, args, { cwd: folder, env }, (error, stdout) => {
      done({ code: error === null ? 0 : Number(error.code), lines: stdout.trimEnd().split('\n') });
    });
  });
}

describe('the summary line', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'summary-'));
    await symlink(modules, join(folder, 'node_modules'));
    await writeFile(
      join(folder, 'fine.test.js'),
      `import { it, describe } from 'vitest';
       it('holds', () => {}); it('holds as well', () => {}); it.skip('waits', () => {}); it.todo('comes');`,
    );
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('ends a run in which everything passed', async () => {
    const { code, lines } = await runVitest(folder);
    expect(lines.at(-1)).toBe('2 passed, 0 failed, 2 skipped');
    expect(code).toBe(0);
  });

  it('counts failed tests, broken hooks, files that do not load and unhandled errors', async () => {
    await writeFile(
      join(folder, 'bad.test.js'),
      `import { it, describe, beforeAll } from 'vitest';
       it('fails', () => { throw new Error('no'); });
       it('leaves a rejection behind', async () => { Promise.reject(new Error('lost')); });
       describe('broken', () => { beforeAll(() => { throw new Error('hook'); }); it('is never reached', () => {}); });`,
    );
    await writeFile(join(folder, 'broken.test.js'), `import './missing.js';`);
    const { code, lines } = await runVitest(folder);
    expect(lines.at(-1)).toBe('3 passed, 4 failed, 3 skipped');
    const failed = lines.slice(-5, -1).sort();
    expect(failed.map((line) => line.replace(/(missing\.js).*/, '$1'))).toEqual([
      'failed: bad.test.js > broken: hook',
      'failed: bad.test.js > fails: no',
      expect.stringMatching(/^failed: broken\.test\.js: .*missing\.js$/),
      'failed: outside of tests: lost',
    ]);
    expect(code).not.toBe(0);
  });
});
