import { createMetrics, formatIssue } from '@smartstack/agent';
import type * as agent from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type * as follower from '../configFollower.js';
import { declareMetrics } from '../metrics.js';
import { configDir } from '../testing/configDir.js';
import { patienceMs } from './asked.js';
import type { LoadedConfig } from './load.js';

let answer: (data: Buffer) => void = () => undefined;

/** With files below `/hung` on a file system that hangs until `answer` is called; loaded anew, for others have the real one. */
async function loadedWithHang(): Promise<typeof follower> {
  const answered = new Promise<Buffer>((resolve) => (answer = resolve));
  vi.resetModules();
  vi.doMock('@smartstack/agent', async (original) => {
    const real = await original<typeof agent>();
    return {
      ...real,
      readPlainFile: (path: string, ...rest: number[]) =>
        path.startsWith('/hung/') ? answered : real.readPlainFile(path, ...rest),
    };
  });
  return import('../configFollower.js');
}
afterAll(() => {
  vi.doUnmock('@smartstack/agent');
  vi.resetModules();
});

/** A machine may be busy. */
const patience = { timeout: 10_000 };

describe('a file of a service on a file system that hangs', () => {
  it('holds up its own service only, is told once, and is read when the file system answers', async () => {
    const web = (name: string): string =>
      `host: h\nport: 80\nzk_hosts: [z:1]\nzk_path: /${name}\nchecks: [{type: tcp}]\n`;
    const hung = web('hung').replace('{type: tcp}', '{type: redis, password_file: /hung/password}');
    const inline = `{host: h, port: 81, zk_hosts: [z:1], zk_path: /i, checks: [{type: redis, password_file: /hung/i}]}`;
    const dir = await configDir({
      'nerve.yaml': `instance_id: i\nservice_conf_dir: services.d\nservices: {inline: ${inline}}\n`,
      'services.d/hung.yaml': hung,
      'services.d/web.yaml': web('web'),
    });
    const clock = new FakeClock();
    const logger = new RecordingLogger();
    const { ConfigFollower } = await loadedWithHang();
    const follower = new ConfigFollower(
      { file: join(dir, 'nerve.yaml') },
      { clock, logger, metrics: declareMetrics(createMetrics()) },
    );
    let loaded: LoadedConfig | undefined;
    const loading = follower.load().then((value) => (loaded = value));
    await vi.waitFor(() => expect(clock.pending).toBe(1), patience);
    await clock.advance(patienceMs);
    await loading;
    expect([...loaded!.services.keys()]).toEqual(['web']);
    expect([...loaded!.broken].toSorted()).toEqual(['hung', 'inline']);
    // An agent that is just starting runs all others.
    expect(loaded!.fatal).toEqual([]);
    const texts = loaded!.issues.map((issue) => formatIssue(issue).replaceAll(`${dir}/`, ''));
    expect(texts).toContainEqual(
      expect.stringMatching(
        /^services.d\/hung.yaml:5:39 checks\[0\].password_file: \/hung\/password: not read/,
      ),
    );

    const readings: LoadedConfig[] = [];
    const stop = new AbortController();
    const running = follower.run(async (next) => void readings.push(next), stop.signal);
    follower.trigger();
    await vi.waitFor(async () => {
      await clock.advance(500);
      expect(readings.length).toBeGreaterThan(0);
    }, patience);
    expect(readings.at(-1)!.broken.size).toBe(2);
    const told = logger.records.filter(({ fields }) => String(fields.issue).includes('/hung/password'));
    expect(told.map(({ level }) => level)).toEqual(['error']);

    answer(Buffer.from('secret\n'));
    await vi.waitFor(async () => {
      await clock.advance(500);
      expect([...readings.at(-1)!.services.keys()].toSorted()).toEqual(['hung', 'inline', 'web']);
    }, patience);
    expect(readings.at(-1)!.issues).toEqual([]);
    stop.abort();
    await running;
  }, 30_000);
});
