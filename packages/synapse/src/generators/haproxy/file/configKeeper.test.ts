import { chmod, mkdir, mkdtemp, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMetrics, systemClock } from '@smartstack/agent';
import { createHaproxyMetrics } from '../haproxyMetrics.js';
import type { WrittenConfig } from '../loaded/beliefs.js';
import { aServer, aService, aState } from '../testing/sections.js';
import type { DesiredState } from '../types.js';
import { ConfigKeeper } from './configKeeper.js';
import { Validator } from './validate.js';
import { render } from '../desired/render.js';

const minute = 60_000;
const none = new Map<string, readonly string[]>();

/** Web with these servers. */
const web = (...names: readonly string[]): DesiredState =>
  aState([aService(names.map((name) => aServer(name)))]);

describe('ConfigKeeper, on servers that run', () => {
  let dir: string;
  let calls: string;
  let binary: string;
  let version: string | undefined;
  let clock: FakeClock;
  let notes: WrittenConfig[];
  /** How many are said to be held. */
  let held: number;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'keeper-'));
    calls = join(dir, 'calls');
    binary = join(dir, 'haproxy');
    version = '2.6.12';
    clock = new FakeClock();
    notes = [];
    await rejecting('nothing');
  });
  afterEach(() => rm(dir, { recursive: true }));

  /** Makes the executable one that refuses files with these words. */
  async function rejecting(words: string): Promise<void> {
    const script = [
      '#!/bin/sh',
      `echo check >> ${calls}`,
      `line=$(grep -n '${words}' "$3" | head -1 | cut -d: -f1)`,
      '[ -z "$line" ] && exit 0',
      'echo "[ALERT] (1) : config : parsing [$3:$line] : refused." >&2',
      'exit 1',
    ];
    await writeFile(binary, script.join('\n'));
    await chmod(binary, 0o755);
  }

  const checks = async (): Promise<number> =>
    (await readFile(calls, 'utf8').catch(() => '')).split('\n').length - 1;
  const onDisk = (): Promise<string> => readFile(join(dir, 'haproxy.cfg'), 'utf8');

  const start = (written?: WrittenConfig, checkCommand?: string): ConfigKeeper =>
    new ConfigKeeper({
      ...{ clock, written, hasMaster: false, doWrites: true, retryAddressesMs: minute },
      logger: new RecordingLogger(),
      metrics: { ...createHaproxyMetrics(createMetrics()), quarantined: (count) => (held = count) },
      configPath: join(dir, 'haproxy.cfg'),
      candidatePath: join(dir, 'haproxy.cfg.tmp'),
      validator: new Validator({
        ...{ clock: systemClock, timeoutMs: 10_000, haproxyBinary: binary, checkCommand },
        candidatePath: join(dir, 'haproxy.cfg.tmp'),
      }),
      executable: () => Promise.resolve(version),
      descriptorLimit: () => Promise.resolve(1_000),
      onWritten: (note) => {
        if (note !== undefined) notes.push(note);
        return Promise.resolve();
      },
    });

  const run = (keeper: ConfigKeeper, state: DesiredState) => keeper.keep(state, none, { mayWait: true });

  it('has the first file checked, and not those that it vouches for until one is due', async () => {
    const keeper = start();
    await run(keeper, web('a'));
    expect([await checks(), keeper.checkDueInMs]).toEqual([1, undefined]);
    for (const names of [['a', 'b'], ['b'], ['b', 'c']]) {
      const state = web(...names);
      expect(await run(keeper, state)).toEqual({ accepted: state, current: true });
      expect(await onDisk()).toBe(render(state));
      await clock.advance(minute);
    }
    expect([await checks(), keeper.checkDueInMs]).toEqual([1, 2 * minute]);
    expect(notes.at(-1)?.unchecked).toBe(true);
    // Due, or before a reload: that file is checked, and nothing is written.
    const before = notes.at(-1);
    await keeper.keep(web('b', 'c'), none);
    expect([await checks(), keeper.checkDueInMs]).toEqual([2, undefined]);
    expect(notes.at(-1)).toEqual({ desired: before?.desired, sha256: before?.sha256, at: before?.at });
    await run(keeper, web('c'));
    expect(await checks()).toBe(2);
  });

  it.each<[string, () => DesiredState]>([
    [
      'a line of a section is another one',
      () => aState([aService([aServer('a')], { lines: ['balance first'] })]),
    ],
    ['a server has options that none had', () => aState([aService([aServer('a', { options: ['backup'] })])])],
  ])('has a file checked at once where %s', async (_, state) => {
    const keeper = start();
    await run(keeper, web('a'));
    await run(keeper, state());
    expect([await checks(), keeper.checkDueInMs]).toEqual([2, undefined]);
  });

  it.each(['2.8.0', undefined])(
    'has it checked at once where another executable is installed: %s',
    async (now) => {
      const keeper = start();
      await run(keeper, web('a'));
      version = now;
      await run(keeper, web('a', 'b'));
      expect(await checks()).toBe(2);
    },
  );

  it('always asks a command of the operator', async () => {
    const keeper = start(undefined, `echo check >> ${calls}`);
    for (const names of [['a'], ['a', 'b'], ['b']]) await run(keeper, web(...names));
    expect(await checks()).toBe(3);
  });

  it('writes no file that needs more descriptors than there are, checked or not', async () => {
    const keeper = start();
    await run(keeper, web('a'));
    const many = Array.from({ length: 900 }, (_, index) => aServer(`s${index}`, { id: index + 1 }));
    expect(await run(keeper, aState([aService(many)]))).toMatchObject({ current: false });
    expect(await onDisk()).toBe(render(web('a')));
    // Nor is anything vouched for while that is so.
    await run(keeper, web('a', 'b'));
    expect(await checks()).toBe(3);
  });

  it('holds back whom the check that is due blames, and goes back where it blames nobody', async () => {
    const keeper = start();
    await run(keeper, web('a'));
    await run(keeper, web('a', 'b'));
    await rejecting('server b ');
    expect(await keeper.keep(web('a', 'b'), none)).toMatchObject({ current: true });
    expect(await onDisk()).toBe(render(web('a')));
    expect(keeper.quarantine.entries).toMatchObject([{ culprit: { kind: 'server', server: 'b' } }]);

    await rejecting('nothing');
    await run(keeper, web('a', 'c'));
    await rejecting('global');
    expect(await keeper.keep(web('a', 'c'), none)).toMatchObject({ current: false });
    expect(await onDisk()).toBe(render(web('a')));
    expect(keeper.checkDueInMs).toBeUndefined();
  });

  it('goes back no further than it must where something else is rejected', async () => {
    const keeper = start();
    await run(keeper, web('a'));
    await run(keeper, web('a', 'b'));
    await rejecting('backup');
    const bad = { ...web('a', 'b'), base: [{ title: 'global', lines: ['backup'] }] };
    await writeFile(calls, '');
    expect(await run(keeper, bad)).toMatchObject({ current: true });
    // The frame is the old one; the servers are those of now.
    expect(await onDisk()).toBe(render(web('a', 'b')));
    const many = Array.from({ length: 900 }, (_, index) => aServer(`s${index}`, { id: index + 1 }));
    await run(keeper, web('b'));
    expect(await run(keeper, aState([aService(many)]))).toMatchObject({ current: false });
    expect(await onDisk()).toBe(render(web('b')));
    expect(keeper.checkDueInMs).toBeUndefined();
  });

  it('owes a check that an earlier run owed', async () => {
    const first = start();
    await run(first, web('a'));
    await run(first, web('a', 'b'));
    const second = start(notes.at(-1));
    expect(second.checkDueInMs).toBe(5 * minute);
    await run(second, web('a', 'b'));
    expect(await checks()).toBe(1);
    // What was checked then is not known any more.
    await run(second, web('b'));
    expect([await checks(), second.checkDueInMs]).toEqual([2, undefined]);
  });

  it('goes back also where the disk was full at first', async () => {
    const keeper = start();
    await run(keeper, web('a'));
    await run(keeper, web('a', 'b'));
    await rejecting('global');
    // A folder in the way of the temporary file's place: nothing can be written.
    await rename(join(dir, 'haproxy.cfg'), join(dir, 'away'));
    await mkdir(join(dir, 'haproxy.cfg'));
    await expect(keeper.keep(web('a', 'b'), none)).rejects.toMatchObject({ code: 'file_write' });
    await rmdir(join(dir, 'haproxy.cfg'));
    await rename(join(dir, 'away'), join(dir, 'haproxy.cfg'));
    expect(await keeper.keep(web('a', 'b'), none)).toMatchObject({ current: false });
    expect(await onDisk()).toBe(render(web('a')));
    expect(keeper.checkDueInMs).toBeUndefined();
  });

  it('does not take a rejected file of an earlier run for a good one', async () => {
    const first = start();
    await run(first, web('a'));
    await run(first, web('a', 'b'));
    const second = start(notes.at(-1));
    await rejecting('global');
    // Nobody knows any more what was checked: there is nothing to go back to.
    for (let time = 0; time < 2; time += 1)
      expect(await second.keep(web('a', 'b'), none)).toMatchObject({ current: false });
    expect(second.checkDueInMs).toBeDefined();
  });

  it('counts what is held also where a file goes unchecked', async () => {
    const keeper = start();
    await run(keeper, web('a'));
    await rejecting('server b ');
    await run(keeper, aState([aService([aServer('a'), aServer('b', { options: ['backup'] })])]));
    expect(held).toBe(1);
    await run(keeper, web('a', 'c'));
    expect([keeper.checkDueInMs === undefined, held]).toEqual([false, 0]);
  });
});
