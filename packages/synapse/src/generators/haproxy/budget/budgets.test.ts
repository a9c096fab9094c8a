import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { withBudgets } from '../desired/budgetLines.js';
import { onceUnlessDeclared } from '../desired/policyLines.js';
import type { ServiceSections } from '../types.js';
import { createBudgetMetrics } from './budgetMetrics.js';
import { Budgets } from './budgets.js';
import { readBudgetRow } from './budgetTable.js';

function sections(service: string, lines: readonly string[]): ServiceSections {
  const { services } = withBudgets({
    base: [{ title: 'defaults', lines: ['mode http'] }],
    services: [{ service, backend: { name: service, lines, servers: [] } }],
  });
  return services[0]!;
}

const web = sections('web', ['retries 2 # budget 20% and 10/s', onceUnlessDeclared]);

function start() {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const metrics = createMetrics();
  const budgets = new Budgets({ clock, logger, metrics: createBudgetMetrics(metrics) });
  budgets.serve([web, sections('db', ['retries 2'])]);
  const text = async (): Promise<string> => (await metrics.expose()).body;
  const withheld = async (): Promise<number> =>
    Number(/withheld_total\{dst_service="web"\} (\d+)/.exec(await text())?.[1] ?? Number.NaN);
  const read = (worker: string, total: number, more = { requests: 100, retries: 10 }, uptime = 0): void =>
    budgets.add({ worker, rows: [{ service: 'web', withheld: total, ...more }] }, uptime);
  const said = () => logger.records.map(({ message }) => message);
  return { clock, logger, budgets, read, withheld, said, text };
}

describe('a line of the table of budgets', () => {
  it('is read as HAProxy 2.6 and later ones write it', () => {
    const fields = 'exp=57 gpc0_rate(10000)=3 http_req_rate(10000)=9 gpc1=2';
    const row = { service: 'web.a:b-c', requests: 9, retries: 3, withheld: 2 };
    expect(readBudgetRow(`0x55: key=web.a:b-c use=1 ${fields}`)).toEqual(row);
    expect(readBudgetRow(`0x55: key=web.a:b-c use=1 shard=0 ${fields}`)).toEqual(row);
    expect(readBudgetRow('# table: synapse-retries, type: string, size:102400, used:1')).toBeUndefined();
    for (const other of ['Unknown command', '0x55: key=web use=0 exp=9 gpc0=3'])
      expect(readBudgetRow(other)).toBe('malformed');
  });
});

describe('budgets of retries', () => {
  it('say when one is spent, once, and when there is room again', async () => {
    const { clock, read, said, logger, budgets } = start();
    read('1', 0);
    expect(said()).toEqual([]);
    for (const [at, total] of [
      [2_000, 5],
      [4_000, 9],
      [6_000, 9],
      [30_000, 12],
    ] as const) {
      await clock.advance(at - clock.monotonic());
      read('1', total);
    }
    expect(logger.records).toMatchObject([
      { message: 'the budget of retries is spent, failures are passed on', fields: { service: 'web' } },
    ]);
    expect(budgets.status()).toEqual({
      web: { requests: 100, retries: 10, allowed: 120, spent: true, withheld: 12 },
    });
    expect(budgets.issues).toEqual([
      {
        ...{ severity: 'warning', service: 'web' },
        reason:
          'its budget of retries is spent: 10 retries of 100 requests in 10 s, and 12 failures were passed on',
      },
    ]);
    await clock.advance(29_999);
    read('1', 12);
    expect(said()).toHaveLength(1);
    await clock.advance(1);
    read('1', 12);
    expect(logger.records.at(-1)).toMatchObject({
      message: 'there is room in the budget of retries again',
      fields: { service: 'web', withheld: 12 },
    });
    expect(budgets.status()).toEqual({ web: { requests: 100, retries: 10, allowed: 120 } });
    expect(budgets.issues).toEqual([]);
  });

  it('count over reloads, and what an older worker counted before synapse came is not theirs', async () => {
    const { clock, read, withheld, budgets } = start();
    expect(await withheld()).toBe(0);
    await clock.advance(1_000);
    read('old', 1_000, undefined, 3_600);
    expect(await withheld()).toBe(0);
    read('old', 1_004, undefined, 3_602);
    read('new', 3);
    expect(await withheld()).toBe(7);
    // Its entry expired, and came again.
    budgets.add({ worker: 'new', rows: [] }, 1);
    read('new', 2);
    expect(await withheld()).toBe(9);
  });

  it('add what several processes are at, and forget those that are gone or silent', async () => {
    const { clock, read, budgets } = start();
    read('1', 0, { requests: 50, retries: 4 });
    read('2', 0, { requests: 150, retries: 6 });
    expect(budgets.status()).toEqual({ web: { requests: 200, retries: 10, allowed: 140 } });
    budgets.forget('2');
    expect(budgets.status()).toEqual({ web: { requests: 50, retries: 4, allowed: 110 } });
    await clock.advance(10_001);
    expect(budgets.status()).toEqual({ web: { requests: 0, retries: 0, allowed: 100 } });
  });

  it('know services that have one alone, and leave nothing of those that leave', async () => {
    const { budgets, read, text, said } = start();
    budgets.serve([]);
    expect(budgets.isWanted).toBe(false);
    read('1', 0);
    read('1', 5);
    expect(said()).toEqual([]);
    expect(await text()).not.toContain('dst_service="web"');
    expect(budgets.status()).toEqual({});
  });
});
