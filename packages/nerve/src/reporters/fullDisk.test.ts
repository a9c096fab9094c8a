import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { decodeRegistrationFile } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it, type TestContext, vi } from 'vitest';
import { fileReporter } from './file.js';
import { Folders } from './folder.js';
import type { Reporter, ReporterContext } from './reporter.js';

const registrant = { service: 'web', instanceId: 'i', host: 'h', port: 1 };
const instance = { host: 'h', port: 1, name: 'i', weight: 1 };
/** Long ago: the file would have run out. */
const longAgo = 1_000_000;

let dir: string;
let file: string;
let reporters: Reporter[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'nerve-full-'));
  file = join(dir, 'web@i.json');
  reporters = [];
});
afterEach(async () => {
  for (const reporter of reporters) await reporter.dispose();
  await rm(dir, { recursive: true, force: true });
});

/** A disk of 64 KB in the place of the folder, for those who may mount one. */
async function onSmallDisk({ skip }: TestContext, work: () => Promise<void>): Promise<void> {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], { stdio: 'ignore' });
  } catch {
    skip();
  }
  try {
    await work();
  } finally {
    execFileSync('umount', ['-l', dir]);
  }
}

const fill = (): Promise<void> =>
  writeFile(join(dir, 'other'), Buffer.alloc(1_000_000)).catch(() => undefined);
const weightIn = async (): Promise<number | undefined> =>
  decodeRegistrationFile(await readFile(file)).instance.weight;

/** One run of the agent. */
function run(owner: string): Reporter {
  const logger = new RecordingLogger();
  const folders = new Folders({ clock: systemClock, logger, owner });
  const context = { clock: systemClock, logger, random: () => 0, folders } as unknown as ReporterContext;
  const reporter = fileReporter.create({ fileDirectory: dir, fileTtl: 30 }, context, registrant);
  reporters.push(reporter);
  return reporter;
}

async function register(reporter: Reporter): Promise<void> {
  reporter.report(instance);
  await reporter.settled(AbortSignal.timeout(5_000));
}

describe('the file reporter on a disk that is full', () => {
  it('renews what stands while it cannot write what has changed, and writes it when there is room', async (context) => {
    await onSmallDisk(context, async () => {
      const reporter = run('A');
      await register(reporter);
      await fill();
      await utimes(file, longAgo, longAgo);
      reporter.report({ ...instance, weight: 2 });
      await vi.waitFor(async () => expect((await stat(file)).mtimeMs).toBeGreaterThan(longAgo * 1000));
      await vi.waitFor(() =>
        expect(reporter.state).toMatchObject({
          kind: 'pending',
          error: expect.stringContaining('ENOSPC') as string,
        }),
      );
      expect(await weightIn()).toBe(1);
      await rm(join(dir, 'other'));
      await reporter.settled(AbortSignal.timeout(10_000));
      expect(await weightIn()).toBe(2);
    });
  });

  it('renews what an earlier run has left of the same instance, and nothing else', async (context) => {
    await onSmallDisk(context, async () => {
      await register(run('A'));
      await fill();
      await utimes(file, longAgo, longAgo);
      const moved = run('B');
      moved.report({ ...instance, port: 2 });
      await vi.waitFor(() => expect(moved.state).toHaveProperty('error'));
      expect((await stat(file)).mtimeMs).toBe(longAgo * 1000);
      await moved.dispose();
      run('C').report(instance);
      await vi.waitFor(async () => expect((await stat(file)).mtimeMs).toBeGreaterThan(longAgo * 1000));
    });
  });
});
