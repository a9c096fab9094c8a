import { silentLogger } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import type { CloseReason, DialResult, DialSpec, ZkConnection, ZkTransport } from './connection.js';
import { startHeartbeat } from './heartbeat.js';
import { openSession, type SessionTuning } from './session.js';
import type { SessionOptions, SessionState, ZkSession } from './types.js';

const timeoutMs = 30_000;

/** A connection whose peer answers, or not, as the test says. */
class FakeConnection implements ZkConnection {
  readonly server = 'fake:1';
  lastZxid = 5n;
  lastReceivedAt: number;
  closed = false;
  exhausted = false;
  answers = true;
  requests = 0;
  readonly destroyed: string[] = [];
  readonly #clock: FakeClock;
  readonly #onClose: (reason: CloseReason) => void;

  constructor(clock: FakeClock, onClose: (reason: CloseReason) => void) {
    this.#clock = clock;
    this.#onClose = onClose;
    this.lastReceivedAt = clock.monotonic();
  }
  request(): Promise<never> {
    this.requests += 1;
    if (this.answers) this.lastReceivedAt = this.#clock.monotonic();
    return Promise.reject(new Error('the fake answers nothing'));
  }
  readData(): Promise<never> {
    return this.request();
  }
  closeSession(): Promise<void> {
    this.end({ kind: 'remote', message: 'closed' });
    return Promise.resolve();
  }
  destroy(reason: string): void {
    this.destroyed.push(reason);
    this.end({ kind: 'local', message: reason });
  }
  end(reason: CloseReason): void {
    if (this.closed) return;
    this.closed = true;
    this.#onClose(reason);
  }
}

class FakeTransport implements ZkTransport {
  readonly dials: { readonly at: number; readonly spec: DialSpec }[] = [];
  readonly connections: FakeConnection[] = [];
  readonly #clock: FakeClock;
  answer: (spec: DialSpec) => 'connect' | 'expired' | 'refused' | 'down' | 'silent' = () => 'connect';
  #nextId = 1n;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }
  async dial(spec: DialSpec, signal: AbortSignal): Promise<DialResult> {
    this.dials.push({ at: this.#clock.monotonic(), spec });
    const answer = this.answer(spec);
    if (answer === 'silent') await this.#clock.sleep(spec.handshakeTimeoutMs, signal).catch(() => undefined);
    if (answer === 'expired') return Promise.resolve({ kind: 'expired' });
    if (answer !== 'connect')
      return Promise.resolve({ kind: 'failed', refused: answer === 'refused', message: answer });
    const connection = new FakeConnection(this.#clock, (reason) => spec.onClose(reason));
    this.connections.push(connection);
    const session = spec.resume ?? { id: this.#nextId++, password: Buffer.alloc(16) };
    return Promise.resolve({
      kind: 'connected',
      connection,
      session,
      sessionTimeoutMs: spec.sessionTimeoutMs,
    });
  }
  get last(): FakeConnection {
    const connection = this.connections.at(-1);
    if (!connection) throw new Error('nothing is connected');
    return connection;
  }
}

function bed(options: Partial<SessionOptions> & SessionTuning = {}): {
  clock: FakeClock;
  transport: FakeTransport;
  session: ZkSession;
  states: SessionState['kind'][];
  log: RecordingLogger;
} {
  const clock = new FakeClock();
  const transport = new FakeTransport(clock);
  const log = new RecordingLogger();
  const states: SessionState['kind'][] = [];
  const session = openSession({
    hosts: ['a:1'],
    sessionTimeoutMs: timeoutMs,
    clock,
    transport,
    logger: log,
    resolve: () => Promise.resolve(['10.0.0.1']),
    ...options,
  });
  session.onState(({ kind }) => states.push(kind));
  return { clock, transport, session, states, log };
}

describe('the session, with time in our hands', () => {
  it('an hour without a server: a dial every second or so, and no timer left behind', async () => {
    const { clock, transport, session } = bed();
    await clock.advance(0);
    transport.answer = () => 'down';
    transport.last.end({ kind: 'remote', message: 'gone' });
    await clock.advance(60_000);
    const pending = clock.pending;
    const before = transport.dials.length;
    await clock.advance(3_600_000);
    const perSecond = (transport.dials.length - before) / 3_600;
    expect(perSecond).toBeGreaterThan(0.7);
    expect(perSecond).toBeLessThan(1.3);
    expect(clock.pending).toBe(pending);
    expect(session.state.kind).toBe('presumed-lost');
    await session.close();
    expect(clock.pending).toBe(0);
  });

  it('suspended, presumed lost after T, resumed', async () => {
    const { clock, transport, session, states } = bed();
    await clock.advance(0);
    transport.answer = () => 'down';
    transport.last.end({ kind: 'remote', message: 'gone' });
    await clock.advance(timeoutMs - 1);
    expect(session.state).toMatchObject({ kind: 'suspended', epoch: 1, reason: 'gone' });
    await clock.advance(1);
    expect(session.state).toMatchObject({ kind: 'presumed-lost', epoch: 1 });
    transport.answer = () => 'connect';
    await clock.advance(2_000);
    expect(session.state).toMatchObject({ kind: 'connected', epoch: 1, sessionId: 1n });
    expect(transport.dials.at(-1)?.spec.resume?.id).toBe(1n);
    expect(transport.dials.at(-1)?.spec.lastZxid).toBe(5n);
    expect(states).toEqual(['connected', 'suspended', 'presumed-lost', 'connected']);
  });

  it('expired: the next dial follows at once, without the old session', async () => {
    const { clock, transport, session, states } = bed();
    await clock.advance(0);
    transport.answer = ({ resume }) => (resume ? 'expired' : 'connect');
    transport.last.end({ kind: 'remote', message: 'gone' });
    await clock.advance(50);
    expect(session.state).toMatchObject({ kind: 'connected', epoch: 2, sessionId: 2n });
    const [, second, third] = transport.dials;
    expect(third?.at).toBe(second?.at);
    expect(states).toEqual(['connected', 'suspended', 'connecting', 'connected']);
  });

  it('a server that answers a new session with "expired" gets no dial after dial', async () => {
    const { clock, transport } = bed();
    transport.answer = () => 'expired';
    await clock.advance(10_000);
    expect(transport.dials.length).toBeLessThan(25);
  });

  it('nothing but refusals for 3 s: the next dial admits to no transaction; servers that are down do not count', async () => {
    const { clock, transport, log } = bed();
    await clock.advance(0);
    transport.answer = () => 'down';
    transport.last.end({ kind: 'remote', message: 'gone' });
    await clock.advance(2 * timeoutMs);
    expect(transport.dials.at(-1)?.spec.lastZxid).toBe(5n);
    transport.answer = ({ lastZxid }) => (lastZxid > 0n ? 'refused' : 'expired');
    await clock.advance(3_000);
    expect(transport.dials.at(-1)?.spec.lastZxid).toBe(5n);
    // Pauses are of any length up to 2 s: one before the first refusal, one too many in the 3 s, one before the next dial.
    await clock.advance(6_000);
    expect(transport.dials.at(-1)?.spec.lastZxid).toBe(0n);
    expect(transport.dials.at(-1)?.spec.resume).toBeUndefined();
    expect(log.records.filter(({ message }) => message.startsWith('all servers hang up'))).toHaveLength(1);
  });

  it('two refusals with a long time down in between are no series', async () => {
    const { clock, transport } = bed();
    await clock.advance(0);
    let answer: 'refused' | 'down' = 'refused';
    transport.answer = () => answer;
    transport.last.end({ kind: 'remote', message: 'gone' });
    await clock.advance(3_000);
    answer = 'down';
    await clock.advance(10 * timeoutMs);
    answer = 'refused';
    await clock.advance(3_000);
    expect(transport.dials.at(-1)?.spec.lastZxid).toBe(5n);
  });

  it('a silent server costs 3 s; each round of silence allows the next twice as long, until one answers', async () => {
    const { clock, transport } = bed({ hosts: ['a:1', 'a:2'] });
    const allowed = (): number[] =>
      transport.dials.splice(0).map(({ spec }) => Math.round(spec.handshakeTimeoutMs / 1_000));
    transport.answer = () => 'silent';
    await clock.advance(60_000);
    expect(allowed().slice(0, 7)).toEqual([3, 3, 6, 6, 12, 12, 15]);
    transport.answer = () => 'connect';
    await clock.advance(20_000);
    allowed();
    transport.answer = () => 'down';
    transport.last.end({ kind: 'remote', message: 'gone' });
    await clock.advance(5_000);
    expect(new Set(allowed())).toEqual(new Set([3]));
  });

  it('a short session shares its timeout among the servers', async () => {
    const { clock, transport } = bed({ hosts: ['a:1', 'a:2', 'a:3'], sessionTimeoutMs: 4_500 });
    await clock.advance(0);
    expect(transport.dials[0]?.spec.handshakeTimeoutMs).toBe(1_500);
  });

  it('the server that failed last is dialled last', async () => {
    const { clock, transport } = bed({ hosts: ['a:1', 'a:2', 'a:3'] });
    await clock.advance(0);
    const failed = transport.dials[0]?.spec.server.port;
    transport.answer = () => 'down';
    transport.last.end({ kind: 'local', message: 'nothing received' });
    await clock.advance(5_000);
    const next = transport.dials.slice(1, 4).map(({ spec }) => spec.server.port);
    expect(next[2]).toBe(failed);
    expect(new Set(next).size).toBe(3);
  });

  it('each trouble is a warning once per outage', async () => {
    const { clock, transport, log } = bed();
    transport.answer = () => 'down';
    await clock.advance(60_000);
    expect(log.records.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('an operation while disconnected fails as never sent, in its time', async () => {
    const { clock, transport, session } = bed();
    transport.answer = () => 'down';
    const failure = session.exists('/x', { timeoutMs: 500 }).catch((error: unknown) => error);
    const late = session
      .exists('/x', { signal: AbortSignal.abort(new Error('called off')) })
      .catch((error: unknown) => error);
    await clock.advance(500);
    expect(await failure).toMatchObject({ kind: 'NotConnected', applied: 'no' });
    expect(await late).toMatchObject({ message: 'called off' });
  });
});

describe('startHeartbeat', () => {
  const start = () => {
    const clock = new FakeClock();
    const connection = new FakeConnection(clock, () => undefined);
    const lags: number[] = [];
    const stop = startHeartbeat({
      connection,
      sessionTimeoutMs: timeoutMs,
      clock,
      onLag: (ms) => lags.push(ms),
    });
    return { clock, connection, lags, stop };
  };

  it('asks every third of the timeout, whatever else arrives', async () => {
    const { clock, connection, stop } = start();
    for (let i = 0; i < 90; i += 1) {
      await clock.advance(1_000);
      connection.lastReceivedAt = clock.monotonic();
    }
    expect(connection.requests).toBe(9);
    expect(connection.destroyed).toEqual([]);
    stop();
    expect(clock.pending).toBe(0);
  });

  it('hangs up after two thirds of silence, to the millisecond', async () => {
    const { clock, connection } = start();
    connection.answers = false;
    await clock.advance((timeoutMs * 2) / 3 - 1);
    expect(connection.destroyed).toEqual([]);
    await clock.advance(1);
    expect(connection.destroyed).toEqual(['nothing received for 20000 ms']);
    expect(clock.pending).toBe(0);
  });

  it('replaces a connection whose request numbers run out', async () => {
    const { clock, connection } = start();
    connection.exhausted = true;
    await clock.advance(timeoutMs / 3);
    expect(connection.destroyed).toHaveLength(1);
  });
});

describe('openSession', () => {
  it('refuses an unusable host list at once', () => {
    expect(() => openSession({ hosts: ['a:99999'], sessionTimeoutMs: 1_000, logger: silentLogger })).toThrow(
      /not a port/,
    );
  });
});
