import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '@smartstack/agent';
import { FakeCli } from '../testing/fakeCli.js';
import { aState } from '../testing/sections.js';
import { defaultProbe, Prober } from './probe.js';
import { RuntimeTarget } from './runtimeTarget.js';

const info = 'Name: HAProxy\nVersion: 2.6.12\nPid: 100\nUptime_sec: 50\nStart_time_sec: 1000';
const { signal } = new AbortController();

describe('RuntimeTarget, when a pass is about to begin', () => {
  let cli: FakeCli;
  let target: RuntimeTarget;
  let nowMs = 0;
  beforeEach(async () => {
    cli = await FakeCli.start(() => info);
    nowMs = 0;
    const clock = { ...systemClock, monotonic: () => nowMs };
    target = new RuntimeTarget({
      ...{ clock, socketPath: cli.path, deadlineMs: 2_000, observeAgainMs: 60_000 },
      prober: new Prober(defaultProbe, systemClock),
    });
  });
  afterEach(() => cli.stop());

  const noneOpen = (): Promise<void> => vi.waitFor(() => expect(cli.connections).toBe(0));

  it('takes the connection that was begun for it', async () => {
    target.greet(signal);
    const { session, reply } = await target.open(signal);
    expect(reply).toBe(info);
    expect(cli.received).toEqual(['show info']);
    target.dismiss();
    expect(await session.ask('show info')).toBe(info);
    session.close();
    await noneOpen();
  });

  it('begins one at a time, and hangs up on one that nobody took', async () => {
    target.greet(signal);
    target.greet(signal);
    target.dismiss();
    target.dismiss();
    await vi.waitFor(() => expect(cli.received.length).toBe(1));
    await noneOpen();
  });

  it('keeps none for a pass that does not come', async () => {
    target.greet(signal);
    await vi.waitFor(() => expect(cli.received.length).toBe(1));
    await noneOpen();
  });

  it('asks anew where the answer is old', async () => {
    target.greet(signal);
    nowMs = 1_000;
    const { session } = await target.open(signal);
    await vi.waitFor(() => expect(cli.received).toEqual(['show info', 'show info']));
    session.close();
    await noneOpen();
  });

  it('begins nothing with one that is silent', async () => {
    target.markSilent();
    target.greet(signal);
    target.dismiss();
    expect(cli.received).toEqual([]);
  });

  it('tells whoever opens that nobody was there', async () => {
    await cli.stop();
    target.greet(signal);
    await expect(target.open(signal)).rejects.toMatchObject({ code: 'runtime-unreachable' });
    target.greet(signal);
    target.dismiss();
    cli = await FakeCli.start(() => info);
  });
});

describe('RuntimeTarget, of a worker that nobody heard right after its reload', () => {
  const at = 5_000_900;
  const file = { desired: aState([]), sha256: 'of the file', at };
  const old = { pid: 1, startedAt: 4_000 };
  const target = new RuntimeTarget({
    ...{ clock: systemClock, socketPath: '/nowhere', deadlineMs: 1, observeAgainMs: 1 },
    prober: new Prober(defaultProbe, systemClock),
  });

  it('tells that it came of that, and nobody else', () => {
    const successor = { pid: 2, startedAt: 5_000 };
    expect(target.cameOfReload(successor, file)).toBe(false);
    target.noteReload(old, file);
    expect(target.cameOfReload(successor, file)).toBe(true);
    // Its reload failed: another HAProxy on the same file may have taken it.
    expect(target.cameOfReload(old, file)).toBe(false);
    expect(target.cameOfReload({ pid: 2, startedAt: 4_999 }, file)).toBe(false);
    // Written since, be it as it was: somebody else may have had it loaded in between.
    expect(target.cameOfReload(successor, { ...file })).toBe(false);
  });
});
