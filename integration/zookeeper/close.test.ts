import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../harness/faultProxy.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, testSession } from './bed.ts';

let server: ZooKeeperServer;
let proxy: FaultProxy;
beforeEach(async () => {
  server = await startZooKeeper();
  proxy = await startFaultProxy(server.port);
});
// Registered before the sessions' own hook, so that it runs after it.
afterEach(async () => {
  await proxy.close();
  await server.dispose();
});
closeSessionsAfterEach();

describe('fault 11: close()', () => {
  it('in every state, twice: resolves in time, never throws', async () => {
    interface Closable {
      close(options: { deadlineMs: number }): Promise<void>;
    }
    const timed = async (session: Closable, deadlineMs: number): Promise<number> => {
      const start = performance.now();
      await Promise.all([session.close({ deadlineMs }), session.close({ deadlineMs })]);
      return performance.now() - start;
    };
    /** Where there is nobody to wait for, the deadline has no part in it. */
    const closesAtOnce = async (session: Closable): Promise<void> =>
      expect(await timed(session, 10_000)).toBeLessThan(5_000);
    /** Nobody answers: without the deadline it would wait for the session's timeout, or for ever. */
    const closesInTime = async (session: Closable): Promise<void> =>
      expect(await timed(session, 300)).toBeLessThan(5_000);
    const patient = { sessionTimeoutMs: 20_000 };
    const connecting = testSession('127.0.0.1:1').session;
    await closesAtOnce(connecting);
    const connected = testSession(server.address);
    await connected.connected();
    await connected.session.create('/mine', Buffer.alloc(0), 'ephemeral');
    await closesAtOnce(connected.session);
    const atOnce = testSession(server.address).session;
    await closesAtOnce(atOnce);
    const suspended = testSession(proxy.address, patient);
    await suspended.connected();
    // The connected one took its ephemerals with it.
    expect(await suspended.session.exists('/mine')).toBeUndefined();
    proxy.refuse();
    proxy.cut();
    await eventually(() => suspended.session.state.kind === 'suspended', { what: 'suspended' });
    await closesInTime(suspended.session);
    proxy.heal();
    const authFailed = testSession(proxy.address, {
      auth: [{ scheme: 'unheard-of', data: Buffer.from('x') }],
    });
    await eventually(() => authFailed.session.state.kind === 'auth-failed', { what: 'auth-failed' });
    await closesInTime(authFailed.session);
    const hung = testSession(server.address, patient);
    await hung.connected();
    server.pause();
    await closesInTime(hung.session);
    const neverAnswered = testSession(server.address, patient).session;
    await closesInTime(neverAnswered);
    server.resume();
    await expect(hung.session.exists('/')).rejects.toMatchObject({ kind: 'Closed' });
    for (const { session } of [connected, suspended, authFailed, hung])
      expect(session.state.kind).toBe('closed');
  });

  it('of a suspended session that can be reached again: its ephemerals go at once', async () => {
    const { session, connected } = testSession(proxy.address, { sessionTimeoutMs: 10_000 });
    await connected();
    await session.create('/suspended', Buffer.alloc(0), 'ephemeral');
    proxy.cut();
    await eventually(() => session.state.kind === 'suspended', { what: 'suspended' });
    await session.close({ deadlineMs: 2_000 });
    expect(await testSession(server.address).session.exists('/suspended')).toBeUndefined();
  });

  it.each([['hung'], ['down'], ['cut']])('lets the process exit while the server is %s', async (state) => {
    const child = spawn(
      process.execPath,
      [
        '--conditions=source',
        '--import',
        'tsx',
        fileURLToPath(new URL('closeChild.ts', import.meta.url)),
        proxy.address,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await eventually(() => output.includes('connected'), {
      what: 'the child is connected',
      timeoutMs: 15_000,
    });
    if (state === 'hung') server.pause();
    if (state === 'down') await server.kill();
    if (state === 'cut') {
      proxy.refuse();
      proxy.cut();
    }
    child.stdin.write('close\n');
    await eventually(() => output.includes('closed'), {
      what: 'the child has closed its session',
    });
    const closedAt = performance.now();
    expect(await exited).toBe(0);
    // Nothing keeps it: neither a timer of 10 s nor a socket.
    expect(performance.now() - closedAt).toBeLessThan(5_000);
  });
});
