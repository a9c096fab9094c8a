import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { WatcherBed } from '../testing/index.js';
import { consulWatcher } from './consul.js';

/** A server that keeps its answers to itself until the test gives them. */
async function serve() {
  const open: ServerResponse[] = [];
  const server = createServer((_, response) => void open.push(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { open, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const health = (address: string) =>
  JSON.stringify([{ Node: { Node: 'n' }, Service: { ID: 'web', Address: address, Port: 80 } }]);

function watch(clock: FakeClock, keys: object): WatcherBed {
  const bed = new WatcherBed(clock);
  onTestFinished(() => bed.stop());
  bed.run(consulWatcher.create(consulWatcher.options.parse({ method: 'consul', ...keys }), bed.context));
  return bed;
}

describe('method consul', () => {
  it('waits for an answer no longer than it may take, and keeps what it knows', async () => {
    const clock = new FakeClock();
    const { open, address } = await serve();
    const bed = watch(clock, { hosts: address, wait: 60 });
    await vi.waitFor(() => expect(open).toHaveLength(1));
    open[0]?.setHeader('x-consul-index', '5').end(health('10.0.0.1'));
    await vi.waitFor(() => expect(bed.status).toBe('live'));
    await clock.advance(100);
    await vi.waitFor(() => expect(open).toHaveLength(2));
    // Consul may add a sixteenth to what was asked for.
    await clock.advance(60_000 + 3_750);
    expect(bed.status).toBe('live');
    await clock.advance(10_000);
    await vi.waitFor(() => expect(bed.status).toBe('stale'));
    expect(bed.addresses).toEqual(['10.0.0.1:80']);
    expect(bed.problems).toEqual(['consul web: No answer within 73.75 s']);
    await clock.advance(200);
    await vi.waitFor(() => expect(open).toHaveLength(3));
    open[2]?.end(health('10.0.0.2'));
    await vi.waitFor(() => expect([bed.status, bed.addresses]).toEqual(['live', ['10.0.0.2:80']]));
  });

  it('survives an answer without end, and one that breaks off', async () => {
    const clock = new FakeClock();
    const { open, address } = await serve();
    const bed = watch(clock, { hosts: address });
    await vi.waitFor(() => expect(open).toHaveLength(1));
    const flood = Buffer.alloc(1024 * 1024, ' ');
    for (let written = 0; written < 17; written += 1) open[0]?.write(flood);
    await vi.waitFor(() => expect(bed.logger.records.at(-1)?.fields.reason).toContain('More than'), 5_000);
    await clock.advance(1_000);
    await vi.waitFor(() => expect(open).toHaveLength(2));
    open[1]?.write('[');
    open[1]?.destroy();
    await vi.waitFor(() => expect(bed.logger.records).toHaveLength(2));
    expect(bed.snapshots).toEqual([]);
  });

  it.each([
    [{}, 'localhost'],
    [{ hosts: ['[::1]:8500', 'a.b:1'], wait: 300, token_file: '/t' }, undefined],
    [{ hosts: 'a' }, 'expected host:port'],
    [{ hosts: 'a:99999' }, 'expected a port from 1 to 65535'],
    [{ token_file: 't' }, 'expected an absolute path'],
    [{ wait: 0 }, '>=1'],
  ])('takes %j', (keys, problem) => {
    const { error, data } = consulWatcher.options.safeParse({ method: 'consul', ...keys });
    if (problem === 'localhost') expect(data?.hosts).toEqual(['127.0.0.1:8500']);
    else if (problem === undefined) expect(error).toBeUndefined();
    else expect(JSON.stringify(error?.issues)).toContain(problem);
  });
});
