import { openSession, type SessionOptions, type SessionTuning, type ZkSession } from '@smartstack/registry';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach } from 'vitest';
import { eventually } from '../harness/eventually.ts';

export interface TestSession {
  readonly session: ZkSession;
  readonly log: RecordingLogger;
  /** Messages at warning level, in order. */
  readonly warnings: () => string[];
  readonly connected: () => Promise<void>;
}

const open = new Set<ZkSession>();

/** Closes, after each test of the file, every session that it opened. */
export function closeSessionsAfterEach(): void {
  afterEach(async () => {
    await Promise.all([...open].map((session) => session.close({ deadlineMs: 500 })));
    open.clear();
  });
}

/** A session with a recording log; 3 s of timeout unless told. */
export function testSession(
  hosts: string | readonly string[],
  options: Partial<SessionOptions> & SessionTuning = {},
): TestSession {
  const log = new RecordingLogger();
  const session = openSession({
    sessionTimeoutMs: 3_000,
    logger: log,
    ...options,
    hosts: typeof hosts === 'string' ? [hosts] : hosts,
  });
  open.add(session);
  return {
    session,
    log,
    warnings: () => log.records.filter(({ level }) => level === 'warn').map(({ message }) => message),
    connected: async () => {
      await eventually(() => session.state.kind === 'connected', {
        what: 'the session is connected',
        timeoutMs: 10_000,
      });
    },
  };
}

/** The epoch of a connected session. */
export function epochOf(session: ZkSession): number {
  const { state } = session;
  if (state.kind !== 'connected') throw new Error(`the session is ${state.kind}`);
  return state.epoch;
}

/** The id of a connected session. */
export function sessionIdOf(session: ZkSession): bigint {
  const { state } = session;
  if (state.kind !== 'connected') throw new Error(`the session is ${state.kind}`);
  return state.sessionId;
}

/** What nerve publishes. */
export function instance(host: string, port: number, extra: object = {}): Buffer {
  return Buffer.from(JSON.stringify({ host, port, name: host, ...extra }));
}
