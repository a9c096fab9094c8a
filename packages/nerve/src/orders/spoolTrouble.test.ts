import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Order } from './order.js';
import { Orders } from './orders.js';
import { type OrderKey, orderKey, Spool, type SpoolEntry } from './spool.js';

const web = orderKey('web');
const drained = () => ({ drain: { since: 1000, reason: 'disk' } });

/** A spool on a disk of the test's. */
class FakeSpool extends Spool {
  readonly files = new Map<OrderKey, SpoolEntry>();
  readonly calls: string[] = [];
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
    return new Map(this.files);
  }

  override async write(key: OrderKey, order: Order): Promise<void> {
    await this.#does(`write ${key}`);
    this.files.set(key, { kind: 'order', order, writtenAt: 0, isBare: false });
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
});
