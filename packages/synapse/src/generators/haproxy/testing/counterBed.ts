import { createMetrics, systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { afterEach } from 'vitest';
import { createBudgetMetrics } from '../budget/budgetMetrics.js';
import { Budgets } from '../budget/budgets.js';
import type { HaproxyProcess } from '../process/process.js';
import { CounterReader } from '../runtime/counterReader.js';
import { defaultProbe, Prober } from '../runtime/probe.js';
import { RuntimeTarget } from '../runtime/runtimeTarget.js';
import { Traffic } from '../traffic.js';
import { createTrafficMetrics } from '../trafficMetrics.js';
import type { ServiceSections } from '../types.js';
import { type Answer, FakeCli } from './fakeCli.js';

const columns =
  'pxname,svname,scur,stot,bin,bout,ereq,econ,eresp,wretr,wredis,status,sid,type,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,cli_abrt';

/** One worker of HAProxy, as its socket shows it. */
export interface Worker {
  readonly pid: number;
  requests: number;
  uptime: number;
  stopping: boolean;
  connections: number;
}

/** A worker that has done nothing yet. */
export const worker = (pid: number): Worker => ({
  ...{ pid, requests: 0, uptime: 0, stopping: false, connections: 0 },
});

/** What it answers to `show info`. */
export const info = ({ pid, uptime, stopping, connections }: Worker): string =>
  [
    ...['Name: HAProxy', 'Version: 2.6.12', `Pid: ${pid}`, `Uptime_sec: ${uptime}`, 'Start_time_sec: 1000'],
    ...[`Stopping: ${stopping ? 1 : 0}`, `CurrConns: ${connections}`],
  ].join('\n');

/** What it answers to `show stat`. */
export const stat = ({ requests }: Worker): string =>
  [`# ${columns},`, `web,BACKEND,0,${requests},0,0,,0,0,0,0,UP,0,1,0,${requests},0,0,0,0,0,`].join('\n');

const lines = ['http-request set-var(txn.synapse_t0) date(0,us) # latencies'];
const servers = [{ name: 'a', address: '10.0.0.1', port: 80, id: 7, options: [], disabled: false }];
/** A service with a server of which latencies are counted. */
export const served: ServiceSections = { service: 'web', backend: { name: 'web', lines, servers } };
const sections: ServiceSections = { service: 'web', backend: { name: 'web', lines: [], servers: [] } };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A reader whose rounds the test asks for, on a socket that answers as told. */
export async function start(
  answer: Answer,
  process: Partial<HaproxyProcess> = {},
  commandMs = 2_000,
  all: ServiceSections = sections,
) {
  const cli = await FakeCli.start(answer);
  cleanups.push(() => cli.stop());
  const logger = new RecordingLogger();
  const metrics = createMetrics();
  const clock = new FakeClock();
  const traffic = new Traffic(clock, createTrafficMetrics(metrics));
  traffic.serve([all]);
  const budgets = new Budgets({ clock, logger, metrics: createBudgetMetrics(metrics) });
  budgets.serve([all]);
  const target = new RuntimeTarget({
    ...{ clock: systemClock, socketPath: cli.path, deadlineMs: commandMs, observeAgainMs: 10_000 },
    prober: new Prober({ ...defaultProbe, mode: 'off' }, systemClock),
  });
  const reader = new CounterReader({
    ...{ clock, logger, traffic, budgets, targets: [target], countMs: 2_000, latencyMs: 1_000 },
    // What tests cost is not to count.
    meter: () => () => 0,
    process: {
      status: () => Promise.resolve(undefined),
      reload: () => Promise.reject(new Error('not here')),
      askWorker: () => Promise.reject(new Error('not here')),
      descriptorLimit: () => Promise.resolve(undefined),
      run: () => Promise.resolve(),
      ...process,
    },
  });
  const stop = new AbortController();
  let wakes = 0;
  const running = reader.run(() => (wakes += 1), stop.signal);
  cleanups.push(async () => {
    stop.abort();
    await running;
  });
  const text = async (): Promise<string> => (await metrics.expose()).body;
  const value = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(await text())?.[1] ?? Number.NaN);
  const read = () => reader.lastReading(stop.signal);
  return { cli, clock, logger, reader, target, traffic, value, read, wakes: () => wakes };
}

/** Answers as the worker of that moment does. */
export const answering =
  (current: () => Worker): Answer =>
  (command) =>
    command === 'show info' ? info(current()) : stat(current());
