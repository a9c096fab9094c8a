import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { heartbeat } from './heartbeat.js';
import { configDir } from './testing/configDir.js';

async function setUp(below = 'beat') {
  const dir = await configDir({});
  const file = join(dir, below);
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const state = { alive: true };
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  heartbeat(
    () => file,
    () => state.alive,
    { clock, logger },
    stop.signal,
  ).catch(() => undefined);
  const touched = (): number | undefined => statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  /** Lets real file operations end, then moves on. */
  const beat = async (): Promise<void> => {
    await vi.waitFor(() => expect(clock.pending).toBe(1));
    await clock.advance(10_000);
    await vi.waitFor(() => expect(clock.pending).toBe(1));
  };
  return { dir, clock, logger, state, touched, beat };
}

it('touches the file at once and every 10 s, with the time of the clock', async () => {
  const { clock, touched, beat } = await setUp();
  const start = clock.now();
  await vi.waitFor(() => expect(touched()).toBe(start));
  await beat();
  expect(touched()).toBe(start + 10_000);
});

it('leaves the file alone while the agent is stuck', async () => {
  const { touched, state, beat } = await setUp();
  await beat();
  const before = touched();
  state.alive = false;
  await beat();
  expect(touched()).toBe(before);
});

it('complains once about a file that it cannot touch, and tries again', async () => {
  const { dir, logger, touched, beat } = await setUp('missing/beat');
  await beat();
  await beat();
  expect(logger.records.map(({ message }) => message)).toEqual(['cannot touch the heartbeat file']);
  await mkdir(join(dir, 'missing'));
  await beat();
  expect(touched()).toBeDefined();
});
