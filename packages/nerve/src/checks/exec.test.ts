import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '@smartstack/agent';
import { endAllGroups } from './processGroups.js';
import { checkOf, probe } from '../testing/probe.js';
import { alive, pidIn } from '../testing/processes.js';

const exec = { type: 'exec', timeout: 10 };

async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'nerve-exec-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

describe('exec check', () => {
  it('passes when the command exits with 0', async () => {
    expect(await probe({ ...exec, command: 'test 1 -lt 2 && true' })).toEqual({ ok: true });
    expect(await probe({ ...exec, command: ['/bin/true'] })).toEqual({ ok: true });
  });

  it('fails with the exit code and the end of the output', async () => {
    expect(await probe({ ...exec, command: 'echo to out; echo to err >&2; exit 3' })).toEqual({
      ok: false,
      reason: expect.stringMatching(/^exited with 3: to (out to err|err to out)$/) as string,
    });
    expect(await probe({ ...exec, command: ['/bin/false'] })).toEqual({ ok: false, reason: 'exited with 1' });
    expect(await probe({ ...exec, command: 'kill -TERM $$' })).toEqual({
      ok: false,
      reason: 'killed by SIGTERM',
    });
  });

  it('hands a list to the program without a shell', async () => {
    const result = await probe({
      ...exec,
      command: ['/bin/sh', '-c', 'echo "$1"; exit 1', 'sh', '$(id); `id`'],
    });
    expect(result).toEqual({ ok: false, reason: 'exited with 1: $(id); `id`' });
  });

  it.each([[['/no/such/program']], [['/etc/passwd']], [['/bin/true\0x']]])(
    'fails when %j cannot start',
    async (command) => {
      const result = await probe({ ...exec, command });
      expect(result).toMatchObject({ ok: false, reason: expect.stringMatching(/./) as string });
    },
  );

  it('kills the command and its children at the timeout', async () => {
    const file = join(await tempDir(), 'child');
    const started = performance.now();
    expect(await probe({ ...exec, timeout: 0.5, command: `sleep 1000 & echo $! > ${file}; wait` })).toEqual({
      ok: false,
      reason: 'no result within 0.5 s',
    });
    expect(performance.now() - started).toBeLessThan(2000);
    const child = await pidIn(file);
    await vi.waitFor(() => expect(alive(child)).toBe(false));
  });

  it('kills children that outlive a command that exits', async () => {
    const file = join(await tempDir(), 'child');
    const started = performance.now();
    expect(await probe({ ...exec, command: `sleep 1000 & echo $! > ${file}` })).toEqual({ ok: true });
    expect(performance.now() - started).toBeLessThan(5000);
    const child = await pidIn(file);
    await vi.waitFor(() => expect(alive(child)).toBe(false));
  });

  it('is not kept waiting by a daemon that left the group and holds the output open', async () => {
    const file = join(await tempDir(), 'daemon');
    expect(
      await probe({
        ...exec,
        command: `setsid sh -c 'echo $$ > ${file}; exec sleep 1000' & sleep 0.2; exit 1`,
      }),
    ).toEqual({
      ok: false,
      reason: 'exited with 1',
    });
    process.kill(await pidIn(file), 'SIGKILL');
  });

  it('keeps only the end of an endless output', async () => {
    const before = process.memoryUsage().rss;
    const result = await probe({
      ...exec,
      timeout: 10,
      command: 'head -c 100000000 /dev/zero; echo last words; exit 1',
    });
    expect(result).toMatchObject({ ok: false, reason: expect.stringMatching(/last words$/) as string });
    expect((result as { reason: string }).reason.length).toBeLessThan(250);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  it('does not lend the command the agent’s line to systemd, nor its stdin', async () => {
    vi.stubEnv('NOTIFY_SOCKET', '/run/systemd/notify');
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await probe({ ...exec, command: 'test -z "$NOTIFY_SOCKET" && ! read line' })).toEqual({
      ok: true,
    });
  });

  it('lets go at once when aborted', async () => {
    const dir = await tempDir();
    const stop = new AbortController();
    const result = checkOf({ ...exec, timeout: 1000, command: `echo $$ > ${dir}/pid; sleep 1000` }).probe(
      stop.signal,
    );
    await writeFile(join(dir, 'pid'), '', { flag: 'a' });
    const pid = await pidIn(join(dir, 'pid'));
    stop.abort();
    expect(await result).toMatchObject({ ok: false });
    await vi.waitFor(() => expect(alive(pid)).toBe(false));
  });

  it('leaves nothing behind once its process groups were waited for, however many children there are', async () => {
    const dir = await tempDir();
    const stop = new AbortController();
    const forks = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & echo $! >> pids; done; echo $$ >> pids; wait';
    const check = checkOf({ ...exec, timeout: 1000, command: `cd ${dir}; ${forks}` });
    const results = [1, 2, 3].map(() => check.probe(stop.signal));
    const pids = await vi.waitFor(async () => {
      const lines = (await readFile(join(dir, 'pids'), 'utf8')).trim().split('\n');
      expect(lines).toHaveLength(30);
      return lines.map(Number);
    });
    stop.abort();
    await Promise.all(results);
    await endAllGroups(systemClock);
    expect(pids.filter(alive)).toEqual([]);
  });

  it('is named after its command', () => {
    expect(checkOf({ ...exec, command: ['/bin/check', '-v'] }).name).toBe('web exec-/bin/check -v');
  });
});
