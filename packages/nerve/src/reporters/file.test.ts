import { mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { fileReporter } from './file.js';
import { Folders } from './folder.js';
import type { Reporter, ReporterContext } from './reporter.js';

const registrant = { service: 'web', instanceId: 'i', host: 'h', port: 1 };
const instance = { host: 'h', port: 1, name: 'i' };

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'nerve-file-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** One run of the agent. */
function run(owner: string, clock: Clock = systemClock) {
  const logger = new RecordingLogger();
  const folders = new Folders({ clock, logger, owner });
  const context = { clock, logger, random: () => 0, folders } as unknown as ReporterContext;
  return (fileDirectory: string): Reporter => {
    const reporter = fileReporter.create({ fileDirectory, fileTtl: 30 }, context, registrant);
    onTestFinished(() => reporter.dispose());
    return reporter;
  };
}

async function carried(reporter: Reporter, up: boolean): Promise<string> {
  reporter.report(up ? instance : undefined);
  await reporter.settled(AbortSignal.timeout(5_000));
  return reporter.state.kind;
}

describe('the file reporter', () => {
  it('removes what an earlier run has left, and never what a later one has written', async () => {
    const dir = await folder();
    const [earlier, later] = [run('A')(dir), run('B')(dir)];
    await carried(earlier, true);
    // Its service is down there, and the other sees it up.
    await carried(earlier, false);
    expect(await carried(later, true)).toBe('present');
    await carried(earlier, false);
    expect(await readdir(dir)).toEqual(['web@i.json']);
    // A run that has not touched it yet takes it for left behind.
    await carried(run('C')(dir), false);
    expect(await readdir(dir)).toEqual([]);
  });

  it.each([3_600_000, -3_600_000])('is fresh again at once when the clock jumps by %i ms', async (byMs) => {
    const dir = await folder();
    const clock = new FakeClock(1_700_000_000_000);
    const reporter = run('A', clock)(dir);
    await carried(reporter, true);
    const file = join(dir, 'web@i.json');
    // The first look finds it as it is, and touches it: what a write leaves has the time of the disk's clock.
    await clock.advance(10_000);
    await vi.waitFor(async () => expect((await stat(file)).mtimeMs).toBe(clock.now()));
    clock.jumpWallClock(byMs);
    await clock.advance(500);
    await vi.waitFor(async () => expect((await stat(file)).mtimeMs).toBe(clock.now()));
    await reporter.dispose();
    await vi.waitFor(() => expect(clock.pending).toBe(0));
  });

  it('makes a folder that others can read, whatever the umask', async () => {
    const dir = join(await folder(), 'a', 'b');
    const before = process.umask(0o077);
    try {
      await carried(run('A')(dir), true);
    } finally {
      process.umask(before);
    }
    expect((await stat(dir)).mode & 0o777).toBe(0o755);
    expect((await stat(join(dir, 'web@i.json'))).mode & 0o777).toBe(0o644);
  });

  it('keeps the file when the folder gets another name for the same place', async () => {
    const dir = await folder();
    await mkdir(join(dir, 'run'));
    await symlink(join(dir, 'run'), join(dir, 'varrun'));
    const reporterAt = run('A');
    const old = reporterAt(join(dir, 'varrun'));
    await carried(old, true);
    expect(await carried(reporterAt(join(dir, 'run')), true)).toBe('present');
    await carried(old, false);
    expect(await readdir(join(dir, 'run'))).toEqual(['web@i.json']);
  });
});
