import { describe, expect, it, vi } from 'vitest';
import { histogramWidth } from '../counters/histograms.js';
import { answering, info, served, start, stat, worker, type Worker } from '../testing/counterBed.js';
import type { Answer } from '../testing/fakeCli.js';

describe('CounterReader', () => {
  it('follows a worker from its beginning, over one session that it keeps', async () => {
    const one = worker(1);
    one.requests = 5;
    const { cli, read, value } = await start(answering(() => one));
    await read();
    one.requests = 8;
    await read();
    expect(await value('smartstack_request_total')).toBe(8);
    await expect.poll(() => cli.connections).toBe(1);
  });

  it('tells whoever hears of latencies what is under way by the same look', async () => {
    const answer: Answer = (command) => {
      if (command === 'show info') return info(worker(1));
      if (command.startsWith('show table')) return '# table: synapse-latencies, type: string, size:1, used:0';
      return [stat(worker(1)), 'web,a,4,9,0,0,,0,0,0,0,UP,7,2,0,9,0,0,0,0,0,'].join('\n');
    };
    const { traffic } = await start(answer, {}, undefined, served);
    const open: (number | undefined)[] = [];
    traffic.view.listen(() => open.push(traffic.countsOf('web', 'a')?.open));
    await expect.poll(() => open.length).toBeGreaterThan(0);
    expect(open[0]).toBe(4);
  });

  it('has what runs looked at anew when HAProxy takes a server out or back, and only then', async () => {
    let status = 'UP';
    let readings = 0;
    const { clock, target, wakes } = await start((command) => {
      if (command === 'show info') return info(worker(1));
      if (command === 'show stat -1 7 -1') readings += 1;
      return [stat(worker(1)), `web,a,4,9,0,0,,0,0,0,0,${status},7,2,0,9,0,0,0,0,0,`].join('\n');
    });
    const invalidated = vi.spyOn(target, 'invalidate');
    const reads = async (): Promise<number> => {
      await clock.advance(500);
      return readings;
    };
    const steps = { UP: 0, 'UP 1/3': 0, DOWN: 1, 'DOWN 1/2': 1, MAINT: 2, 'no check': 2 };
    for (const [now, wanted] of Object.entries(steps)) {
      status = now;
      // The next begins when the one before has ended.
      await expect.poll(reads, { interval: 5 }).toBeGreaterThan(readings + 1);
      expect(wakes()).toBe(wanted);
    }
    expect(invalidated).toHaveBeenCalledTimes(2);
  });

  it('looks closely at latencies while a reload is under way, until the worker was told to end', async () => {
    const one = worker(1);
    let [answered, looks] = [0, 0];
    const { clock, read, value } = await start(
      (command) => {
        if (command === 'show info') return info(one);
        if (!command.startsWith('show table')) return stat(one);
        looks += 1;
        const counts = Array.from(
          { length: histogramWidth },
          (_, index) => `gpc${index}=${index ? 0 : answered}`,
        );
        // One that was told to end has thrown it away.
        return one.stopping ? '# table: t' : `0x1: key=web/7 use=0 exp=0 ${counts.join(' ')}`;
      },
      {},
      undefined,
      served,
    );
    await read();
    const since = clock.monotonic();
    const after = async (): Promise<number> => {
      await clock.advance(25);
      return value('smartstack_response_latency_seconds_count');
    };
    for (const count of [3, 8, 20]) {
      answered = count;
      await expect.poll(after, { interval: 5 }).toBe(count);
    }
    // Without a reload, once a second.
    expect(clock.monotonic() - since).toBeLessThan(1_000);
    one.stopping = true;
    one.connections = 1;
    const settled = async (): Promise<boolean> => {
      const before = looks;
      await clock.advance(25);
      return looks === before;
    };
    await expect.poll(settled, { interval: 20 }).toBe(true);
    expect(await value('smartstack_response_latency_seconds_count')).toBe(20);
  });

  it('leaves out what a worker that is older than synapse had counted before', async () => {
    const one = worker(1);
    one.uptime = 3_600;
    one.requests = 1_000;
    const { read, value } = await start(answering(() => one));
    await read();
    one.requests = 1_001;
    await read();
    expect(await value('smartstack_request_total')).toBe(1);
  });

  it('holds an old worker until it has no clients, and then lets it go with all that it counted', async () => {
    const [old, young] = [worker(1), worker(2)];
    let current = old;
    const owners = new Map<unknown, Worker>();
    const { cli, read, value } = await start((command, socket) => {
      const owner = owners.get(socket) ?? current;
      owners.set(socket, owner);
      return command === 'show info' ? info(owner) : stat(owner);
    });
    old.requests = 10;
    await read();
    current = young;
    old.stopping = true;
    old.connections = 1;
    old.requests = 11;
    young.requests = 3;
    await read();
    expect(await value('smartstack_request_total')).toBe(14);
    await expect.poll(() => cli.connections).toBe(2);
    old.requests = 12;
    old.connections = 0;
    await read();
    expect(await value('smartstack_request_total')).toBe(15);
    await expect.poll(() => cli.connections).toBe(1);
  });

  it('reads old workers that it does not hold through their master', async () => {
    const [old, young] = [worker(1), worker(2)];
    old.requests = 7;
    const asked: string[] = [];
    const oldWorkers = [{ pid: 1, reloads: 1, uptimeSeconds: 0 }];
    const { read, value } = await start(
      answering(() => young),
      {
        status: () => Promise.resolve({ pid: 9, reloads: 1, failed: 0, workers: [], oldWorkers }),
        askWorker: (pid, command) => {
          asked.push(`${pid} ${command}`);
          return Promise.resolve(command === 'show info' ? info(old) : stat(old));
        },
      },
    );
    await read();
    old.requests = 9;
    await read();
    expect(await value('smartstack_request_total')).toBe(9);
    expect(asked.slice(0, 2)).toEqual(['1 show info', '1 show stat -1 3 -1']);
  });

  it.each([
    ['garbage', () => 'Permission denied'],
    ['a table that is cut', (one: Worker) => stat(one).slice(0, -30)],
    ['a row of another shape', (one: Worker) => `${stat(one)}\nweb,x`],
  ])('takes %s for nothing at all, counts it, and tells it once', async (_, broken) => {
    const one = worker(1);
    one.requests = 10;
    let isBroken = false;
    const { read, value, logger } = await start((command) => {
      if (command === 'show info') return info(one);
      return isBroken ? broken(one) : stat(one);
    });
    await read();
    isBroken = true;
    one.requests = 11;
    await read();
    await read();
    expect(await value('smartstack_request_total')).toBe(10);
    expect(await value('smartstack_haproxy_counter_failures_total')).toBeGreaterThanOrEqual(2);
    isBroken = false;
    await read();
    expect(await value('smartstack_request_total')).toBe(11);
    const told = logger.records.filter(({ message }) => message.includes('counters'));
    expect(told.map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  it('counts a worker once that is silent for a while', async () => {
    const one = worker(1);
    one.requests = 10;
    let isFrozen = false;
    const answer = answering(() => one);
    const { read, value } = await start((...all) => (isFrozen ? undefined : answer(...all)), {}, 50);
    await read();
    isFrozen = true;
    await read();
    isFrozen = false;
    one.requests = 12;
    const again = async (): Promise<number> => {
      await read();
      return value('smartstack_request_total');
    };
    await expect.poll(again, { timeout: 4_000 }).toBe(12);
  });

  it('never keeps a reload waiting for a HAProxy that is silent', async () => {
    const { clock, reader } = await start(() => undefined);
    const before = clock.pending;
    const reading = reader.lastReading(new AbortController().signal);
    expect(clock.pending).toBe(before + 1);
    await clock.advance(200);
    await reading;
  });
});
