import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.js';
import { runCommand, runShell } from './command.js';

const options = { clock: systemClock, timeoutMs: 5_000 };

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/\) [ZX]/.test(stat);
}

describe('running commands', () => {
  it('gives status and output of a shell line', async () => {
    expect(await runShell('echo out && echo err >&2 && exit 3', options)).toEqual({
      exitCode: 3,
      output: 'out\nerr\n',
    });
  });

  it('says that a program is missing', async () => {
    const { exitCode, problem } = await runCommand('/no/such/program', [], options);
    expect(exitCode).toBeUndefined();
    expect(problem).toMatch(/ENOENT/);
  });

  it('kills the whole family when time is up', async () => {
    const startedAt = performance.now();
    const { output, problem, exitCode } = await runShell('sleep 60 & echo $!; wait', {
      ...options,
      timeoutMs: 200,
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(problem).toMatch(/200 ms/);
    expect(exitCode).toBeUndefined();
    await expect.poll(() => isAlive(Number(output.trim()))).toBe(false);
  });

  it('stops when it is aborted', async () => {
    const abort = new AbortController();
    const running = runShell('sleep 60', { ...options, signal: abort.signal });
    abort.abort();
    expect((await running).problem).toBe('aborted');
    expect((await runShell('true', { ...options, signal: abort.signal })).problem).toBe('aborted');
  });

  it('does not wait for what a command left in the background', async () => {
    const startedAt = performance.now();
    const { exitCode, output } = await runShell('sleep 3 & echo $!', options);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(exitCode).toBe(0);
    process.kill(Number(output.trim()));
  });

  it('keeps a bounded part of endless output', async () => {
    const { output } = await runShell('head -c 3000000 /dev/zero | tr "\\0" x', options);
    expect(output.length).toBe(256 * 1024);
  });
});
