import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { definitionOf } from '../testing/definitions.js';
import { checkOf } from '../testing/probe.js';
import { HeartbeatBoard } from './board.js';
import { waitingChecks } from './waiting.js';

const two = [
  definitionOf('web', {
    checks: [
      { type: 'ttl', ttl: 5 },
      { type: 'ttl', ttl: 60, name: 'jobs' },
    ],
  }),
];

function board(clock = new FakeClock()): HeartbeatBoard {
  const made = new HeartbeatBoard(clock);
  made.keep(waitingChecks(two));
  return made;
}

describe('HeartbeatBoard', () => {
  it('knows which checks wait, and takes a heartbeat for one or for all of a service', () => {
    const beats = board();
    expect(beats.waiting).toEqual(new Map([['web', ['ttl', 'jobs']]]));
    expect(beats.beat('web', 'jobs', { status: 'warn', note: 'slow' })).toEqual({
      kind: 'taken',
      checks: ['jobs'],
    });
    expect(beats.last('web', 'ttl')).toBeUndefined();
    expect(beats.last('web', 'jobs')).toMatchObject({ status: 'warn', note: 'slow' });
    expect(beats.beat('web', undefined, { status: 'pass' })).toEqual({
      kind: 'taken',
      checks: ['ttl', 'jobs'],
    });
    expect(beats.last('web', 'ttl')).toMatchObject({ status: 'pass', note: '' });
  });

  it('takes none for what does not wait, and says what does', () => {
    const beats = board();
    expect(beats.beat('db', undefined, { status: 'pass' })).toEqual({ kind: 'unknown service' });
    expect(beats.beat('web', 'other', { status: 'pass' })).toEqual({
      kind: 'unknown check',
      checks: ['ttl', 'jobs'],
    });
    expect(beats.beat('__proto__', 'ttl', { status: 'pass' })).toEqual({ kind: 'unknown service' });
  });

  it('keeps what stays, and forgets what goes', () => {
    const beats = board();
    beats.beat('web', undefined, { status: 'pass' });
    beats.keep([
      ['web', ['jobs', 'new']],
      ['api', []],
    ]);
    expect(beats.last('web', 'jobs')).toBeDefined();
    expect(beats.last('web', 'ttl')).toBeUndefined();
    expect(beats.waiting).toEqual(new Map([['web', ['jobs', 'new']]]));
    beats.keep([]);
    beats.keep(waitingChecks(two));
    expect(beats.last('web', 'jobs')).toBeUndefined();
  });

  it('keeps a note short and on one line', () => {
    const beats = board();
    beats.beat('web', 'ttl', { status: 'pass', note: ` a\r\n\u001b[2Jb${'x'.repeat(1e6)}` });
    expect(beats.last('web', 'ttl')?.note).toMatch(/^a \[2Jbx{190,}$/);
    expect(beats.last('web', 'ttl')?.note.length).toBeLessThanOrEqual(200);
  });
});

describe('ttl check', () => {
  it('passes while the last heartbeat is younger than its ttl, whatever the wall clock does', async () => {
    const clock = new FakeClock();
    const beats = board(clock);
    const check = checkOf({ type: 'ttl', ttl: 5 }, 1, beats, clock);
    const result = () => check.probe(new AbortController().signal);
    expect(check.name).toBe('web ttl');
    expect(await result()).toEqual({ ok: false, reason: 'no heartbeat yet' });
    beats.beat('web', undefined, { status: 'pass' });
    await clock.advance(4_999);
    expect(await result()).toEqual({ ok: true });
    clock.jumpWallClock(-3_600_000);
    expect(await result()).toEqual({ ok: true });
    await clock.advance(1);
    expect(await result()).toEqual({ ok: false, reason: 'the last heartbeat is 5.0 s old, more than 5 s' });
    beats.beat('web', 'ttl', { status: 'warn', note: 'slow' });
    expect(await result()).toEqual({ ok: true });
  });

  it('fails at once when the application says so, with what it says', async () => {
    const clock = new FakeClock();
    const beats = board(clock);
    const check = checkOf({ type: 'ttl', ttl: 5, name: 'jobs' }, 1, beats, clock);
    beats.beat('web', 'jobs', { status: 'fail', note: 'no disk' });
    expect(await check.probe(new AbortController().signal)).toEqual({
      ok: false,
      reason: 'the application says that it fails: no disk',
    });
  });
});
