import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Notifier, type SendNotification } from './notify.js';
import { FakeClock, RecordingLogger } from './testing/index.js';

function notifier(env: Record<string, string>, send?: SendNotification) {
  const sent: string[][] = [];
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const record: SendNotification = (assignments) => Promise.resolve(void sent.push([...assignments]));
  const made = new Notifier({ env, clock, logger, monotonicUsec: () => 123_456n, send: send ?? record });
  return { notifier: made, sent, clock, logger };
}

const unit = { NOTIFY_SOCKET: '/run/systemd/notify' };

describe('Notifier', () => {
  it('tells what systemd wants to hear, in order', async () => {
    const { notifier: systemd, sent } = notifier(unit);
    void systemd.ready('3 services').catch(() => undefined);
    void systemd.reloading().catch(() => undefined);
    void systemd.ready().catch(() => undefined);
    void systemd.status('fine').catch(() => undefined);
    await systemd.stopping('bye');
    expect(sent).toEqual([
      ['READY=1', 'STATUS=3 services'],
      ['RELOADING=1', 'MONOTONIC_USEC=123456'],
      ['READY=1'],
      ['STATUS=fine'],
      ['STOPPING=1', 'STATUS=bye'],
    ]);
  });

  it('asks for more time to end where that is needed', async () => {
    const { notifier: systemd, sent } = notifier(unit);
    await systemd.stopping('draining', 60_000);
    expect(sent).toEqual([['STOPPING=1', 'EXTEND_TIMEOUT_USEC=90000000', 'STATUS=draining']]);
  });

  it('keeps the order when a message takes long', async () => {
    const finished: string[] = [];
    let delay = 3;
    const { notifier: systemd } = notifier(unit, async ([first = '']) => {
      for (let n = (delay -= 1); n > 0; n -= 1) await new Promise((resolve) => setImmediate(resolve));
      finished.push(first);
    });
    await Promise.all([systemd.reloading(), systemd.ready(), systemd.stopping()]);
    expect(finished).toEqual(['RELOADING=1', 'READY=1', 'STOPPING=1']);
  });

  it('is silent outside of a notify unit', async () => {
    const { notifier: systemd, sent } = notifier({ WATCHDOG_USEC: '1000' });
    await systemd.ready();
    await systemd.watchdog(() => true, new AbortController().signal);
    expect(sent).toEqual([]);
  });

  it('lets no status add an assignment', async () => {
    const { notifier: systemd, sent } = notifier(unit);
    await systemd.status('a\nMAINPID=1\r\u0000b');
    expect(sent).toEqual([['STATUS=a MAINPID=1 b']]);
  });

  it('shrugs off failures, and says so once', async () => {
    let broken = true;
    const { notifier: systemd, logger } = notifier(unit, () =>
      broken ? Promise.reject(new Error('gone')) : Promise.resolve(),
    );
    await systemd.ready();
    await systemd.status('x');
    expect(logger.records).toEqual([
      { level: 'warn', message: 'cannot notify systemd', fields: { error: 'gone' } },
    ]);
    broken = false;
    await systemd.ready();
    broken = true;
    await systemd.ready();
    expect(logger.records).toHaveLength(2);
  });
});

describe('Notifier.watchdog', () => {
  const env = { ...unit, WATCHDOG_USEC: '30000000' };

  it('pings at half the time while the agent is alive', async () => {
    const { notifier: systemd, sent, clock, logger } = notifier(env);
    const stop = new AbortController();
    let alive = true;
    const done = systemd.watchdog(() => alive, stop.signal);
    await clock.advance(45_000);
    expect(sent).toEqual([['WATCHDOG=1'], ['WATCHDOG=1'], ['WATCHDOG=1'], ['WATCHDOG=1']]);
    alive = false;
    await clock.advance(60_000);
    expect(sent).toHaveLength(4);
    expect(logger.records).toMatchObject([{ level: 'error' }]);
    alive = true;
    await clock.advance(15_000);
    expect(sent).toHaveLength(5);
    stop.abort();
    await done;
    expect(clock.pending).toBe(0);
  });

  it('takes a liveness check that throws for a no', async () => {
    const { notifier: systemd, sent, clock } = notifier(env);
    const stop = new AbortController();
    const done = systemd.watchdog(() => {
      throw new Error('bug');
    }, stop.signal);
    await clock.advance(60_000);
    stop.abort();
    await done;
    expect(sent).toEqual([]);
  });

  it.each([
    { ...unit },
    { ...unit, WATCHDOG_USEC: '0' },
    { ...unit, WATCHDOG_USEC: 'soon' },
    { ...env, WATCHDOG_PID: '1' },
  ])('does nothing with %j', async (other) => {
    const { notifier: systemd, sent } = notifier(other);
    await systemd.watchdog(() => true, new AbortController().signal);
    expect(sent).toEqual([]);
  });

  it('pings when the watchdog is meant for this process', async () => {
    const { notifier: systemd, sent, clock } = notifier({ ...env, WATCHDOG_PID: String(process.pid) });
    const stop = new AbortController();
    const done = systemd.watchdog(() => true, stop.signal);
    await clock.advance(0);
    stop.abort();
    await done;
    expect(sent).toEqual([['WATCHDOG=1']]);
  });
});

describe('the systemd-notify program', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'notify-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  /** A Notifier that runs the real thing: whatever `systemd-notify` is on the PATH. */
  function spawning(env: Record<string, string>) {
    const logger = new RecordingLogger();
    return { logger, systemd: new Notifier({ env: { ...unit, ...env }, clock: new FakeClock(), logger }) };
  }

  it('gets the assignments as its arguments, and the environment', async () => {
    const script = join(dir, 'systemd-notify');
    await writeFile(
      script,
      '#!/bin/sh\n{ echo "$NOTIFY_SOCKET"; for a in "$@"; do echo "$a"; done; } > "$OUT"\n',
    );
    await chmod(script, 0o755);
    const { systemd, logger } = spawning({ PATH: `${dir}:/usr/bin:/bin`, OUT: join(dir, 'out') });
    await systemd.reloading('$(id) "quoted"');
    expect((await readFile(join(dir, 'out'), 'utf8')).split('\n')).toEqual([
      '/run/systemd/notify',
      'RELOADING=1',
      expect.stringMatching(/^MONOTONIC_USEC=\d+$/),
      'STATUS=$(id) "quoted"',
      '',
    ]);
    expect(logger.records).toEqual([]);
  });

  it('may be missing, or fail', async () => {
    const missing = spawning({ PATH: dir });
    await missing.systemd.ready();
    expect(missing.logger.records).toMatchObject([
      { level: 'warn', fields: { error: expect.stringContaining('ENOENT') as string } },
    ]);
    await writeFile(join(dir, 'systemd-notify'), '#!/bin/sh\nexit 3\n');
    await chmod(join(dir, 'systemd-notify'), 0o755);
    const failing = spawning({ PATH: dir });
    await failing.systemd.ready();
    expect(failing.logger.records).toHaveLength(1);
  });
});
