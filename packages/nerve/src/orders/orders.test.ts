import { execFileSync } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Orders } from './orders.js';
import { hostKey, orderKey, Spool } from './spool.js';

const web = orderKey('web');
const drained = () => ({ drain: { since: 1000, reason: 'disk', by: 'ann' } });

async function spool(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'nerve-orders-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return join(dir, 'state', 'orders');
}

/** Orders on a real directory and the real clock; they follow it if `running`. */
async function start(directory: string, running = false) {
  const logger = new RecordingLogger();
  const orders = new Orders({ spool: new Spool(directory), clock: systemClock, logger });
  await orders.load();
  if (running) {
    const stop = new AbortController();
    const ended = orders.run(stop.signal).catch(() => undefined);
    onTestFinished(async () => {
      stop.abort(new Error('the test is over'));
      await ended;
    });
  }
  const warnings = (): string[] =>
    logger.records.filter(({ level }) => level === 'warn').map(({ message }) => message);
  return { orders, logger, warnings };
}

/** Writes a file that is not new any more. */
async function old(file: string, content: string): Promise<void> {
  await writeFile(file, content);
  await utimes(file, 1, 1);
}

describe('Orders', () => {
  it('count as a drain where they cannot be read and nothing is known, until they can be', async () => {
    const directory = await spool();
    await mkdir(directory, { recursive: true });
    const file = join(directory, 'web.json');
    // A link to itself is there, and can be opened by nobody, root included.
    await symlink('web.json', file);
    const { orders, warnings } = await start(directory, true);
    expect(orders.of('web').drain?.reason).toContain('its order cannot be read: ELOOP');
    expect(warnings()).toEqual(['an order cannot be read', 'drain ordered']);
    expect(await readdir(directory)).toEqual(['web.json']);
    await writeFile(`${file}.new`, JSON.stringify({ weight: { value: 3 } }));
    await utimes(`${file}.new`, 1, 1);
    await rename(`${file}.new`, file);
    await vi.waitFor(
      () => expect(orders.of('web')).toMatchObject({ drain: undefined, weight: { value: 3 } }),
      {
        timeout: 10_000,
      },
    );
    // What is known by then goes on being in force.
    await symlink('web.json', `${file}.new`);
    await rename(`${file}.new`, file);
    await vi.waitFor(() => expect(warnings()).toContain('an order cannot be read'), { timeout: 10_000 });
    expect(orders.of('web')).toMatchObject({ drain: undefined, weight: { value: 3 } });
  });

  it('wait for a disk that hangs without piling up', async () => {
    const clock = new FakeClock();
    let release = (): void => undefined;
    let calls = 0;
    const hanging = new (class extends Spool {
      override async prepare(): Promise<void> {
        calls += 1;
        await new Promise<void>((resolve) => (release = resolve));
      }
      override read = () => Promise.resolve(new Map<string, never>());
      override write(): Promise<void> {
        calls += 1;
        return Promise.resolve();
      }
    })(await spool());
    const orders = new Orders({ spool: hanging, clock, logger: new RecordingLogger() });
    const loaded = orders.load();
    await clock.advance(2_000);
    await loaded;
    const stop = new AbortController();
    const ended = orders.run(stop.signal).catch(() => undefined);
    const changed = orders.change(web, drained);
    for (let second = 0; second < 600; second += 1) await clock.advance(1_000);
    expect(await changed).toBe(false);
    expect(orders.of('web')).toMatchObject(drained());
    release();
    await vi.waitFor(() => expect(calls).toBe(2));
    stop.abort(new Error('the test is over'));
    await ended;
  });

  it('are the same for the next agent, whatever the name of the service', async () => {
    const directory = await spool();
    const { orders } = await start(directory);
    const names = ['web', '..', 'a/b', '@host', 'ü ß', '\ud800', '%2e'];
    for (const name of names) expect(await orders.change(orderKey(name), drained)).toBe(true);
    expect(await orders.change(hostKey, () => ({ drain: { since: 5, until: 4e12 } }))).toBe(true);
    expect(await readdir(join(directory, '..'))).toEqual(['orders']);
    const { orders: next } = await start(directory);
    expect(next.host).toEqual({ since: 5, until: 4e12 });
    for (const name of names) expect(next.of(name)).toMatchObject({ ...drained(), scope: 'service' });
    expect(next.of('other')).toMatchObject({ drain: next.host, scope: 'host' });
    expect(next.of('other', true).drain).toBeUndefined();
    await next.change(web, () => ({}));
    expect(await readdir(directory)).not.toContain('web.json');
  });

  it('that have expired meanwhile are over', async () => {
    const directory = await spool();
    const { orders } = await start(directory);
    const weight = { value: 3, since: 1 };
    await orders.change(web, () => ({ drain: { since: 1, until: 2 }, weight }));
    const { orders: next } = await start(directory);
    expect(next.of('web')).toEqual({ drain: undefined, scope: 'service', weight });
    await vi.waitFor(async () =>
      expect(await readFile(join(directory, 'web.json'), 'utf8')).not.toContain('drain'),
    );
  });

  it('are given and taken back by hand', async () => {
    const directory = await spool();
    const { orders } = await start(directory, true);
    let changes = 0;
    orders.onChange(() => (changes += 1));
    await writeFile(join(directory, 'web.json'), '');
    await vi.waitFor(() => expect(orders.of('web').drain).toBeDefined(), 5_000);
    await writeFile(join(directory, 'new.json'), '{"drain":{"reason":"by hand"},"weight":{"value":9}}');
    await rename(join(directory, 'new.json'), join(directory, 'web.json'));
    await vi.waitFor(() => expect(orders.of('web').weight?.value).toBe(9), 5_000);
    await rm(join(directory, 'web.json'));
    await vi.waitFor(() => expect(orders.of('web').drain).toBeUndefined(), 5_000);
    expect(changes).toBeGreaterThanOrEqual(3);
  });

  it('that cannot be understood are set aside, with one warning each; the others count', async () => {
    const directory = await spool();
    await mkdir(directory, { recursive: true });
    await old(join(directory, 'web.json'), '{"drain":');
    await old(join(directory, 'a b.json'), '');
    await old(join(directory, '%zz.json'), '');
    await old(join(directory, 'huge.json'), ' '.repeat(70_000));
    await mkdir(join(directory, 'folder.json'));
    await utimes(join(directory, 'folder.json'), 1, 1);
    execFileSync('mkfifo', [join(directory, 'pipe.json')]);
    await utimes(join(directory, 'pipe.json'), 1, 1);
    await old(join(directory, 'good.json'), '');
    await old(join(directory, '.web.json.1.tmp'), 'half');
    const { orders, logger, warnings } = await start(directory);
    expect(orders.of('good').drain).toEqual({ since: 1000 });
    expect(orders.of('web').drain).toBeUndefined();
    const names = ['%zz', 'a b', 'folder', 'huge', 'pipe', 'web'].map((name) => `${name}.json.bad`);
    expect((await readdir(directory)).toSorted()).toEqual([...names, 'good.json'].toSorted());
    const aside = warnings().filter((message) => message.includes('set aside'));
    expect(aside).toHaveLength(6);
    expect(JSON.stringify(logger.records)).toContain('the file of this service is called a%20b.json');
  });

  it('stay in force when their file becomes garbage', async () => {
    const directory = await spool();
    const { orders, warnings } = await start(directory, true);
    await orders.change(web, drained);
    await old(join(directory, 'web.json'), 'oops');
    await vi.waitFor(() => expect(warnings().join()).toContain('set aside'), 5_000);
    await vi.waitFor(async () =>
      expect(await readFile(join(directory, 'web.json'), 'utf8')).toContain('disk'),
    );
    expect(orders.of('web').drain).toBeDefined();
  });

  it('are not mistaken for a drain while a file is empty in passing', async () => {
    const directory = await spool();
    const { orders } = await start(directory, true);
    await orders.change(web, () => ({ weight: { value: 3, since: 1 } }));
    const drains: boolean[] = [];
    orders.onChange(() => drains.push(orders.of('web').drain !== undefined));
    await writeFile(join(directory, 'web.json'), '');
    await orders.load();
    await writeFile(join(directory, 'web.json'), '{"weight":{"value":4}}');
    await vi.waitFor(() => expect(orders.of('web').weight?.value).toBe(4), 5_000);
    expect(drains).toEqual([false]);
  });

  it('that are still being written are waited for', async () => {
    const directory = await spool();
    const { orders, warnings } = await start(directory, true);
    await writeFile(join(directory, 'web.json'), '{"drain":{"reason":"sl');
    await new Promise((resolve) => setImmediate(resolve));
    await writeFile(join(directory, 'web.json'), '{"drain":{"reason":"slowly"}}');
    await vi.waitFor(() => expect(orders.of('web').drain?.reason).toBe('slowly'), 5_000);
    expect(warnings().join()).not.toContain('set aside');
  });

  it('survive the loss of the directory, and are written again', async () => {
    const directory = await spool();
    const { orders } = await start(directory, true);
    await orders.change(web, drained);
    await rm(directory, { recursive: true });
    await vi.waitFor(async () => expect(await readdir(directory)).toContain('web.json'), 20_000);
    expect(orders.of('web').drain).toBeDefined();
  }, 30_000);

  it('work in memory where nothing can be written, which is said once', async () => {
    const directory = await spool();
    await mkdir(join(directory, '..', '..'), { recursive: true });
    await writeFile(join(directory, '..'), 'a file where the directory should be');
    const { orders, warnings } = await start(directory);
    expect(await orders.change(web, drained)).toBe(false);
    expect(await orders.change(hostKey, drained)).toBe(false);
    expect(orders.of('web').drain).toBeDefined();
    expect(warnings().filter((message) => message.includes('do not survive'))).toHaveLength(1);
    const { orders: none, logger } = await start(directory);
    expect(none.of('web').drain).toBeUndefined();
    expect(logger.records.map(({ level }) => level)).toEqual(['warn']);
  });

  it('are not undone by a reading that began before them', async () => {
    const directory = await spool();
    const { orders } = await start(directory, true);
    for (let round = 0; round < 30; round += 1) {
      // Each of them wakes the watch, which reads what may be older than the next.
      await writeFile(join(directory, `other-${round}.json`), '');
      expect(await orders.change(web, round % 2 ? () => ({}) : drained)).toBe(true);
      expect(orders.of('web').drain === undefined).toBe(round % 2 === 1);
    }
    await vi.waitFor(() => expect(orders.of('other-29').drain).toBeDefined(), 5_000);
    expect(orders.of('web').drain).toBeUndefined();
  });

  it('says so when a disk is full, and writes them when it is not any more', async () => {
    // A directory without permission does as well, but not for root.
    const directory = await spool();
    const { orders, warnings } = await start(directory, true);
    const real = `${directory}-real`;
    await rename(directory, real);
    await writeFile(directory, '');
    await chmod(directory, 0o000);
    expect(await orders.change(web, drained)).toBe(false);
    expect(warnings()).toContain('orders do not survive a restart for now');
    await rm(directory);
    await rename(real, directory);
    await vi.waitFor(async () => expect(await readdir(directory)).toContain('web.json'), 20_000);
  }, 30_000);

  it('wait for a disk that hangs no longer than two seconds, and for nothing when they end', async () => {
    class Hung extends Spool {
      override read(): Promise<never> {
        return new Promise(() => undefined);
      }
    }
    const clock = new FakeClock();
    const logger = new RecordingLogger();
    const orders = new Orders({ spool: new Hung(await spool()), clock, logger });
    const done: string[] = [];
    const note = (what: string) => (): void => void done.push(what);
    orders.load().then(note('loaded'), note('failed'));
    while (clock.pending === 0) await clock.advance(0);
    await clock.advance(2_000);
    expect(done).toEqual(['loaded']);
    const stop = new AbortController();
    orders.run(stop.signal).then(note('ended'), note('ended'));
    orders.change(web, drained).then((saved) => done.push(`saved ${saved}`), note('failed'));
    expect(orders.of('web').drain).toBeDefined();
    await clock.advance(2_000);
    expect(done).toEqual(['loaded', 'saved false']);
    stop.abort();
    await vi.waitFor(() => expect(done).toContain('ended'));
    expect(logger.records.filter(({ message }) => message.includes('do not survive'))).toHaveLength(1);
  });
});
