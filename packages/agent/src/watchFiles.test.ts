import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './clock.js';
import { type Disk, systemDisk } from './diskLook.js';
import { FakeClock, RecordingLogger } from './testing/index.js';
import { watchFiles } from './watchFiles.js';

describe('watchFiles', () => {
  let dir: string;
  let stop: AbortController;
  let running: Promise<void> | undefined;
  let changes: number;
  let logger: RecordingLogger;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'watch-'));
    stop = new AbortController();
    logger = new RecordingLogger();
    changes = 0;
  });

  afterEach(async () => {
    stop.abort();
    await running;
    await rm(dir, { recursive: true, force: true });
    expect(logger.records).toEqual([]);
  });

  /** `resyncMs` is out of reach: what is noticed is noticed by events. */
  async function start(paths: readonly string[], quietMs = 10): Promise<void> {
    const task = await watchFiles({
      paths,
      clock: systemClock,
      logger,
      quietMs,
      resyncMs: 3_600_000,
      onChange: () => void (changes += 1),
    });
    running = task(stop.signal);
  }

  async function change(action: () => Promise<unknown>): Promise<void> {
    const before = changes;
    await action();
    await vi.waitFor(() => expect(changes).toBeGreaterThan(before), { timeout: 5000, interval: 5 });
  }

  it('notices writes, renames over the file, deletion and re-creation, again and again', async () => {
    const file = join(dir, 'nerve.yaml');
    await writeFile(file, 'a: 1');
    await start([file]);
    for (let round = 0; round < 3; round += 1) {
      await change(() => writeFile(file, `a: ${round}0`));
      await change(async () => {
        await writeFile(join(dir, '.new'), `b: ${round}`);
        await rename(join(dir, '.new'), file);
      });
      await change(() => unlink(file));
      await change(() => writeFile(file, `c: ${round}`));
    }
  });

  it('notices a change made before it was started, but after it was created', async () => {
    const file = join(dir, 'nerve.yaml');
    await writeFile(file, 'a: 1');
    const task = await watchFiles({
      paths: [file],
      clock: systemClock,
      logger,
      onChange: () => void (changes += 1),
    });
    await change(async () => {
      await writeFile(file, 'a: 22');
      running = task(stop.signal);
    });
  });

  it('follows files in a directory that is missing, comes, goes and comes back', async () => {
    const services = join(dir, 'deep', 'services.d');
    await start([services]);
    for (let round = 0; round < 3; round += 1) {
      await mkdir(services, { recursive: true });
      await change(() => writeFile(join(services, 'web.yaml'), 'a: 1'));
      await change(() => writeFile(join(services, 'api.json'), '{}'));
      await change(() => unlink(join(services, 'web.yaml')));
      await change(() => rm(join(dir, 'deep'), { recursive: true }));
    }
  });

  it('follows symbolic links to new targets, and writes to their targets', async () => {
    // As a mounted configuration map: nerve.yaml -> ..data/nerve.yaml, ..data -> ..v1.
    for (const version of ['..v1', '..v2']) {
      await mkdir(join(dir, version));
      await writeFile(join(dir, version, 'nerve.yaml'), version);
    }
    await symlink('..v1', join(dir, '..data'));
    await symlink('..data/nerve.yaml', join(dir, 'nerve.yaml'));
    await start([join(dir, 'nerve.yaml')]);
    await change(() => writeFile(join(dir, '..v1', 'nerve.yaml'), 'written in place'));
    await change(async () => {
      await symlink('..v2', join(dir, '..tmp'));
      await rename(join(dir, '..tmp'), join(dir, '..data'));
    });
    await change(() => writeFile(join(dir, '..v2', 'nerve.yaml'), 'again'));
  });

  it('keeps quiet about neighbours, editor files and touched directories', async () => {
    const services = join(dir, 'services.d');
    await mkdir(services);
    await writeFile(join(dir, 'nerve.yaml'), 'a: 1');
    await start([join(dir, 'nerve.yaml'), services]);
    // In one step, so that it is one change however slow the machine is.
    await writeFile(join(dir, '.new'), 'a: 10');
    await change(() => rename(join(dir, '.new'), join(dir, 'nerve.yaml')));
    const before = changes;
    await writeFile(join(dir, 'other.yaml'), '');
    await writeFile(join(services, '.web.yaml.swp'), '');
    await writeFile(join(services, 'web.yaml~'), '');
    await change(() => writeFile(join(services, 'web.yaml'), ''));
    expect(changes).toBe(before + 1);
  });

  it('makes one call of a burst', async () => {
    const files = Array.from({ length: 300 }, (_, index) => join(dir, `service-${index}.yaml`));
    await start([dir], 300);
    await change(() => Promise.all(files.map((file) => writeFile(file, 'a: 1'))));
    expect(changes).toBeLessThan(4);
  });

  it('looks periodically where events fail', async () => {
    const file = join(dir, 'nerve.yaml');
    await writeFile(file, 'a: 1');
    const task = await watchFiles({
      paths: ['/proc/self/stat', file],
      clock: systemClock,
      logger,
      quietMs: 1,
      resyncMs: 5,
      onChange: () => void (changes += 1),
    });
    running = task(stop.signal);
    await change(() => writeFile(file, 'a: 20'));
  });

  it('passes on what the callback throws', async () => {
    const file = join(dir, 'nerve.yaml');
    const task = await watchFiles({
      paths: [file],
      clock: systemClock,
      logger,
      onChange: () => Promise.reject(new Error('cannot reload')),
    });
    await writeFile(file, 'a: 1');
    await expect(task(stop.signal)).rejects.toThrow('cannot reload');
  });

  it('holds up nothing else while the file system hangs, says so once, and goes on after it', async () => {
    const file = join(dir, 'nerve.yaml');
    await writeFile(file, 'a: 1');
    const clock = new FakeClock();
    let thaw: (() => void) | undefined;
    let frozen: Promise<void> = Promise.resolve();
    let questions = 0;
    const freeze = (): void => {
      frozen = new Promise((resolve) => (thaw = resolve));
    };
    const disk: Disk = {
      ...systemDisk,
      stat: async (path) => {
        questions += 1;
        await frozen;
        return systemDisk.stat(path);
      },
    };
    const options = { clock, logger, quietMs: 10, resyncMs: 1_000, disk, paths: [file] };
    const task = await watchFiles({ ...options, onChange: () => void (changes += 1) });
    freeze();
    running = task(stop.signal);
    await writeFile(file, 'a: 22');
    // The look after the quiet time, which asks the real disk first.
    await vi.waitFor(
      async () => {
        await clock.advance(10);
        expect(questions).toBe(2);
      },
      { timeout: 10_000, interval: 5 },
    );
    for (let second = 0; second < 60; second += 1) await clock.advance(1_000);
    // One question for all that time: each takes a thread of the process until it is answered.
    expect(questions).toBe(2);
    expect(logger.records.splice(0).map(({ message }) => message)).toEqual([
      'a file system that is watched does not answer',
    ]);
    expect(changes).toBe(0);
    thaw?.();
    await vi.waitFor(
      async () => {
        await clock.advance(1_000);
        expect(changes).toBe(1);
      },
      { timeout: 10_000, interval: 5 },
    );
    freeze();
    await writeFile(file, 'a: 333');
    await clock.advance(2_000);
    stop.abort();
    await running;
    thaw?.();
  });
});
