import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isEmpty, type Order } from './order.js';
import { Orders } from './orders.js';
import { hostKey, type OrderKey, orderKey, Spool, type SpoolEntry } from './spool.js';

const web = orderKey('web');
const weight = { value: 3, since: 1 };
const drained = () => ({ drain: { since: 1000, reason: 'disk' } });

/** A spool on a disk of the test's. */
class FakeSpool extends Spool {
  readonly files = new Map<OrderKey, SpoolEntry>();
  readonly calls: string[] = [];
  /** Why the folder cannot be read. */
  failure: Error | undefined;
  #hangs: Promise<void> | undefined;
  #release = (): void => undefined;

  constructor() {
    super(join(tmpdir(), 'nerve-no-such-folder', 'orders'));
  }

  /** From now on nothing is answered. */
  hang(): void {
    this.#hangs = new Promise((resolve) => (this.#release = resolve));
  }

  answer(): void {
    this.#hangs = undefined;
    this.#release();
  }

  override async prepare(): Promise<void> {
    await this.#does('prepare');
  }

  override async read(): Promise<ReadonlyMap<OrderKey, SpoolEntry>> {
    await this.#does('read');
    if (this.failure) throw this.failure;
    return new Map(this.files);
  }

  override async write(key: OrderKey, order: Order): Promise<void> {
    await this.#does(`write ${key}`);
    if (isEmpty(order)) this.files.delete(key);
    else this.files.set(key, { kind: 'order', order, writtenAt: 0, isBare: false });
  }

  async #does(what: string): Promise<void> {
    this.calls.push(what);
    await this.#hangs;
  }
}

function setUp() {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const spool = new FakeSpool();
  const orders = new Orders({ spool, clock, logger });
  const run = (): void => {
    const stop = new AbortController();
    const ended = orders.run(stop.signal).catch(() => undefined);
    onTestFinished(async () => {
      stop.abort(new Error('the test is over'));
      await ended;
    });
  };
  const warnings = (): string[] =>
    logger.records.filter(({ level }) => level === 'warn').map(({ message }) => message);
  return { clock, logger, spool, orders, run, warnings };
}

describe('Orders whose files cannot be read', () => {
  const denied = { kind: 'unreadable', problem: 'EACCES: permission denied' } as const;
  const unread = (messages: readonly string[]): number =>
    messages.filter((message) => message === 'an order cannot be read').length;

  it('count as a drain at the start, until they are read or gone', async () => {
    const { clock, spool, orders, run, warnings } = setUp();
    spool.files.set(web, denied);
    spool.files.set(hostKey, denied);
    await orders.load();
    run();
    expect(orders.of('web').drain).toEqual({
      since: clock.now(),
      reason: 'its order cannot be read: EACCES: permission denied',
    });
    expect(orders.host).toBeDefined();
    await clock.advance(60_000);
    expect(unread(warnings())).toBe(2);
    expect([...spool.files.values()]).toEqual([denied, denied]);
    spool.files.set(web, { kind: 'order', order: { weight }, writtenAt: 0, isBare: false });
    spool.files.delete(hostKey);
    await clock.advance(1_000);
    expect(orders.of('web')).toEqual({ drain: undefined, scope: 'service', weight });
  });

  it('leave in force what was, later on, and may be overruled', async () => {
    const { clock, spool, orders, run, warnings } = setUp();
    await orders.load();
    run();
    await clock.advance(0);
    await orders.change(web, drained);
    await orders.change(orderKey('db'), () => ({ weight }));
    for (const name of ['web', 'db', 'new']) spool.files.set(orderKey(name), denied);
    // Whatever is wrong with one key, the others are read.
    await orders.load();
    expect(orders.of('web').drain).toEqual(drained().drain);
    expect(orders.of('db')).toMatchObject({ drain: undefined, weight });
    expect(orders.of('new').drain?.reason).toContain('its order cannot be read');
    expect(unread(warnings())).toBe(3);
    expect(await orders.change(web, () => ({}))).toBe(true);
    await clock.advance(5_000);
    expect(orders.of('web').drain).toBeUndefined();
  });

  it('are looked for again when the whole folder could not be read, and what is known is not written over them', async () => {
    const { clock, spool, orders, run } = setUp();
    spool.files.set(web, { kind: 'order', order: drained(), writtenAt: 0, isBare: false });
    spool.failure = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    await orders.load();
    run();
    await clock.advance(5_000);
    spool.failure = undefined;
    await clock.advance(1_000);
    expect(orders.of('web').drain).toEqual(drained().drain);
    spool.failure = Object.assign(new Error('ESTALE'), { code: 'ESTALE' });
    await orders.load();
    spool.files.delete(web);
    spool.failure = undefined;
    await clock.advance(5_000);
    expect(orders.of('web').drain).toBeUndefined();
    expect(spool.calls.filter((call) => call.startsWith('write'))).toEqual([]);
  });

  it('are left where they are', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nerve-orders-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    // A link to itself cannot be opened by root either.
    await symlink('web.json', join(directory, 'web.json'));
    const logger = new RecordingLogger();
    const orders = new Orders({ spool: new Spool(directory), clock: systemClock, logger });
    await orders.load();
    expect(await readdir(directory)).toEqual(['web.json']);
    expect(orders.of('web').drain).toBeDefined();
    expect(JSON.stringify(logger.records)).toContain('ELOOP');
  });
});

describe('Orders on a disk that hangs', () => {
  it('pile up nothing, say so once, and are written when it answers', async () => {
    const { clock, spool, orders, run, warnings } = setUp();
    await orders.load();
    run();
    await clock.advance(100);
    spool.hang();
    const saved = [web, orderKey('db')].map((key) => orders.change(key, drained));
    await clock.advance(3_600_000);
    expect(await Promise.all(saved)).toEqual([false, false]);
    expect(warnings().filter((message) => message.includes('do not survive'))).toHaveLength(1);
    spool.calls.length = 0;
    spool.answer();
    await clock.advance(100);
    expect(spool.calls.filter((call) => call !== 'read')).toEqual(['write db']);
    expect(spool.calls.length).toBeLessThanOrEqual(2);
    await clock.advance(60_000);
    expect([...spool.files.keys()]).toEqual([web, orderKey('db')]);
    // Another time is another trouble.
    spool.hang();
    await Promise.all([orders.change(web, () => ({})), clock.advance(5_000)]);
    expect(warnings().filter((message) => message.includes('do not survive'))).toHaveLength(2);
    spool.answer();
  });

  it('may hold drains: registrations wait until they are known', async () => {
    const { clock, spool, orders, run, warnings } = setUp();
    spool.files.set(web, { kind: 'order', order: drained(), writtenAt: 0, isBare: false });
    spool.hang();
    const loaded = orders.load();
    await clock.advance(2_000);
    await loaded;
    run();
    const seen: unknown[] = [];
    orders.onChange(() => seen.push([orders.of('web').drain?.reason, orders.of('db').isUnread]));
    await clock.advance(20_000);
    expect([orders.of('web').isUnread, seen]).toEqual([true, []]);
    expect(warnings()).toContain('orders are not read yet, registrations wait for them');
    spool.answer();
    await clock.advance(1_000);
    expect(orders.of('web')).toEqual({ ...drained(), scope: 'service', weight: undefined });
    // The drain was there before anybody was told that all is known.
    expect(seen).toEqual([
      ['disk', true],
      ['disk', undefined],
    ]);
  });

  it('is not waited for longer than half a minute', async () => {
    const { clock, spool, orders, run, warnings } = setUp();
    spool.hang();
    const loaded = orders.load();
    await clock.advance(2_000);
    await loaded;
    run();
    let changes = 0;
    orders.onChange(() => (changes += 1));
    await clock.advance(27_999);
    expect([orders.of('web').isUnread, changes]).toEqual([true, 0]);
    await clock.advance(1_001);
    expect([orders.of('web').isUnread, changes]).toEqual([undefined, 1]);
    expect(warnings()).toContain('orders cannot be read, services are registered without them');
    spool.answer();
  });

  it.each(['EACCES', 'EPERM', 'ELOOP'])(
    'is not waited for when it says at once that it will not be read: %s',
    async (code) => {
      const { clock, logger, spool, orders, run, warnings } = setUp();
      spool.files.set(web, { kind: 'order', order: drained(), writtenAt: 0, isBare: false });
      spool.failure = Object.assign(new Error(`${code}: no`), { code });
      await orders.load();
      expect(orders.isUnread).toBe(false);
      const told = 'orders cannot be read, services are registered without them';
      expect(warnings()).toEqual(['orders do not survive a restart for now', told]);
      expect(logger.records.at(-1)?.fields).toMatchObject({ problem: `${code}: no` });
      run();
      await clock.advance(60_000);
      const about = warnings().filter((message) => message.includes('orders'));
      expect(about).toHaveLength(2);
      // What is ordered meanwhile is kept, and what is there is found once it may be read.
      const saved = orders.change(web, (before) => ({ ...before, weight }));
      await clock.advance(4_000);
      expect(await saved).toBe(false);
      spool.failure = undefined;
      await clock.advance(2_000);
      expect(spool.files.get(web)).toMatchObject({ order: { ...drained(), weight } });
      expect(orders.of('web').drain).toEqual(drained().drain);
    },
  );

  it('is waited for while it fails in a way that may pass', async () => {
    const { orders, spool } = setUp();
    spool.failure = Object.assign(new Error('EIO'), { code: 'EIO' });
    await orders.load();
    expect(orders.isUnread).toBe(true);
  });

  it('that is no directory at all holds nothing, and nothing waits for it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nerve-orders-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await symlink('loop', join(folder, 'loop'));
    for (const directory of [join(folder, 'loop'), '/proc/none/orders']) {
      const orders = new Orders({
        ...{ spool: new Spool(directory), clock: systemClock, logger: new RecordingLogger() },
      });
      await orders.load();
      expect(orders.of('web')).toEqual({ drain: undefined, scope: 'service', weight: undefined });
    }
  });

  it('keeps what it holds: what is ordered meanwhile is added to it', async () => {
    const { clock, spool, orders, run } = setUp();
    const both = { ...drained(), weight };
    for (const name of ['web', 'db', 'api'])
      spool.files.set(orderKey(name), { kind: 'order', order: both, writtenAt: 0, isBare: false });
    spool.failure = Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
    await orders.load();
    run();
    const undrained = ({ weight: kept }: Order): Order => (kept ? { weight: kept } : {});
    const saved = [
      orders.change(web, (before) => ({ ...before, weight: { value: 9, since: 2 } })),
      orders.change(orderKey('db'), undrained),
    ];
    await clock.advance(4_000);
    expect(await Promise.all(saved)).toEqual([false, false]);
    spool.failure = undefined;
    await clock.advance(2_000);
    const expected = [{ ...both, weight: { value: 9, since: 2 } }, { weight }, both];
    const names = ['web', 'db', 'api'];
    expect(names.map((name) => spool.files.get(orderKey(name)))).toMatchObject(
      expected.map((order) => ({ order })),
    );
    expect(names.map((name) => orders.of(name))).toMatchObject(expected);
    expect(orders.of('db').drain).toBeUndefined();
  });
});
