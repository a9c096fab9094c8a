import { describe, expect, it } from 'vitest';
import { ConfigError } from './config/index.js';
import { AgentError } from './errors.js';
import { type Lifetime, type ProcessHost, runMain } from './lifecycle.js';
import { FakeClock, RecordingLogger } from './testing/index.js';

/** A process whose signals the test sends, and whose exit it observes. */
function fakeProcess(graceMs?: number) {
  const listeners = new Map<string, (error?: unknown) => void>();
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const exits: number[] = [];
  const host: ProcessHost = {
    onSignal: (signal, listener) => void listeners.set(signal, listener),
    onUncaught: (listener) => void listeners.set('uncaught', listener),
    exit: (code) => void exits.push(code),
    clock,
    logger,
    ...(graceMs === undefined ? {} : { graceMs }),
  };
  const messages = () => logger.records.map(({ level, message }) => `${level}: ${message}`);
  return {
    host,
    clock,
    exits,
    logger,
    messages,
    send: (name: string, error?: unknown) => listeners.get(name)?.(error),
  };
}

const untilAborted = ({ signal }: Lifetime): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve()));

describe('runMain', () => {
  it.each(['SIGTERM', 'SIGINT'])('asks the agent to stop on %s, and exits 0', async (signal) => {
    const { host, exits, send, messages } = fakeProcess();
    let reason: unknown;
    const done = runMain(async (lifetime) => {
      await untilAborted(lifetime);
      reason = lifetime.signal.reason;
    }, host);
    send(signal);
    await done;
    expect({ exits, reason, messages: messages() }).toEqual({
      exits: [0],
      reason: signal,
      messages: ['info: stopping'],
    });
  });

  it('exits at once on the second signal', async () => {
    const { host, exits, send } = fakeProcess();
    void runMain(() => new Promise(() => undefined), host).catch(() => undefined);
    send('SIGTERM');
    expect(exits).toEqual([]);
    send('SIGINT');
    expect(exits).toEqual([1]);
  });

  it('exits at the end of the grace time', async () => {
    const { host, clock, exits, send, messages } = fakeProcess(5000);
    void runMain(() => new Promise(() => undefined), host).catch(() => undefined);
    await clock.advance(60_000);
    send('SIGTERM');
    await clock.advance(4999);
    expect(exits).toEqual([]);
    await clock.advance(1);
    expect(exits).toEqual([1]);
    expect(messages().at(-1)).toBe('error: not stopped within the grace time, exiting');
  });

  it.each(['before', 'after'])('puts the forced exit off when asked %s the signal', async (when) => {
    const { host, clock, exits, send } = fakeProcess(5000);
    const done = async (lifetime: Lifetime): Promise<void> => {
      if (when === 'before') lifetime.extendGrace(60_000);
      await untilAborted(lifetime);
      await clock.sleep(1000);
      if (when === 'after') lifetime.extendGrace(60_000);
      await new Promise(() => undefined);
    };
    void runMain(done, host).catch(() => undefined);
    send('SIGTERM');
    await clock.advance(64_999);
    expect(exits).toEqual([]);
    await clock.advance(1);
    expect(exits).toEqual([1]);
    expect(clock.pending).toBe(0);
  });

  it('exits 0 when the work is done, or when it ends by throwing the reason of the abort', async () => {
    const finished = fakeProcess();
    await runMain(() => Promise.resolve(), finished.host);
    expect(finished.exits).toEqual([0]);
    const aborted = fakeProcess();
    const done = runMain(async (lifetime) => {
      await untilAborted(lifetime);
      lifetime.signal.throwIfAborted();
    }, aborted.host);
    aborted.send('SIGTERM');
    await done;
    expect(aborted.exits).toEqual([0]);
  });

  it('exits 78 for a configuration it cannot use, with every issue', async () => {
    const { host, exits, logger } = fakeProcess();
    const issue = {
      file: 'a.yaml',
      line: 1,
      column: 2,
      path: 'a',
      message: 'Wrong',
      severity: 'error',
    } as const;
    await runMain(() => Promise.reject(new ConfigError([issue, { ...issue, line: 2 }])), host);
    expect(exits).toEqual([78]);
    expect(logger.records.map(({ fields }) => fields.issue)).toEqual([
      'a.yaml:1:2 a: Wrong',
      'a.yaml:2:2 a: Wrong',
    ]);
  });

  it('exits 1 for any other failure, also one thrown at once or while stopping', async () => {
    const failed = fakeProcess();
    await runMain(() => Promise.reject(new AgentError('x', 'No way')), failed.host);
    expect([failed.exits, failed.messages()]).toEqual([[1], ['error: No way']]);
    const thrown = fakeProcess();
    await runMain(() => {
      throw new TypeError('bug');
    }, thrown.host);
    expect(thrown.exits).toEqual([1]);
    const stopping = fakeProcess();
    const done = runMain(async (lifetime) => {
      await untilAborted(lifetime);
      throw new Error('cannot withdraw');
    }, stopping.host);
    stopping.send('SIGTERM');
    await done;
    expect(stopping.exits).toEqual([1]);
  });

  it('logs an uncaught error and exits 1', () => {
    const { host, exits, send, logger } = fakeProcess();
    void runMain(() => new Promise(() => undefined), host).catch(() => undefined);
    const error = new Error('nobody caught me');
    send('uncaught', error);
    expect(exits).toEqual([1]);
    expect(logger.records).toEqual([
      { level: 'error', message: 'uncaught error, exiting', fields: { error } },
    ]);
  });

  it('delivers SIGHUP, also one that came before anyone listened', () => {
    const { host, exits, send } = fakeProcess();
    let reloads = 0;
    let lifetime: Lifetime | undefined;
    void runMain((given) => {
      lifetime = given;
      return new Promise(() => undefined);
    }, host).catch(() => undefined);
    send('SIGHUP');
    send('SIGHUP');
    lifetime!.onReload(() => void (reloads += 1));
    expect(reloads).toBe(1);
    send('SIGHUP');
    expect({ reloads, exits }).toEqual({ reloads: 2, exits: [] });
  });
});
