import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { expect, it, onTestFinished } from 'vitest';
import { Orders } from './orders.js';
import { ReadOnlySpool } from './readOnlySpool.js';
import { orderKey } from './spool.js';

it('a spool that is only read: what stands in it counts, and it stays as it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'orders-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'web.json'), '{"drain":{"reason":"disk"}}');
  // As a crash leaves it, and one that nobody understands.
  await writeFile(join(folder, '.db.json.1.tmp'), '');
  await writeFile(join(folder, 'bad.json'), '{');
  const clock = { ...systemClock, now: () => systemClock.now() + 60_000 };
  const orders = new Orders({ spool: new ReadOnlySpool(folder), clock, logger: new RecordingLogger() });
  await orders.load();
  expect(orders.of('web').drain?.reason).toBe('disk');
  expect(await orders.change(orderKey('web'), () => ({}))).toBe(false);
  expect(await orders.change(orderKey('api'), () => ({ weight: { value: 3, since: 1 } }))).toBe(false);
  expect([orders.of('web').drain, orders.of('api').weight?.value]).toEqual([undefined, 3]);
  expect((await readdir(folder)).sort()).toEqual(['.db.json.1.tmp', 'bad.json', 'web.json']);
  // Where there is none, none is made.
  const none = join(folder, 'none');
  await new Orders({ spool: new ReadOnlySpool(none), clock, logger: new RecordingLogger() }).load();
  expect(await readdir(folder)).not.toContain('none');
});
