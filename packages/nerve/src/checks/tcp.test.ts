import { createServer } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { listen, tcpServer } from '../testing/servers.js';
import { checkOf, probe } from '../testing/probe.js';

describe('tcp check', () => {
  it('passes when the connection is accepted, and closes it', async () => {
    const server = await tcpServer(() => undefined);
    expect(await probe({ type: 'tcp' }, server.port)).toEqual({ ok: true });
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('fails when nothing listens, and passes once something does', async () => {
    const server = await tcpServer(() => undefined);
    await server.close();
    expect(await probe({ type: 'tcp' }, server.port)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('ECONNREFUSED') as string,
    });
  });

  it('fails at its timeout when the connection is never accepted', async () => {
    const server = await listen(createServer());
    // 203.0.113.0/24 is reserved for documentation: a SYN to it is dropped or refused, never accepted.
    const started = performance.now();
    expect(await probe({ type: 'tcp', host: '203.0.113.1', timeout: 0.1 }, server.port)).toMatchObject({
      ok: false,
    });
    expect(performance.now() - started).toBeLessThan(500);
  });

  it('tests the host and the port of its own options first', async () => {
    const server = await tcpServer(() => undefined);
    expect(await probe({ type: 'tcp', port: String(server.port) }, 1)).toEqual({ ok: true });
    expect(checkOf({ type: 'tcp', host: '10.0.0.1' }, 80).name).toBe('web tcp-10.0.0.1:80');
  });

  it('resolves names', async () => {
    const server = await tcpServer(() => undefined);
    expect(await probe({ type: 'tcp', host: 'localhost', timeout: 1 }, server.port)).toEqual({ ok: true });
    expect(await probe({ type: 'tcp', host: 'no-such-host.invalid', timeout: 1 }, server.port)).toMatchObject(
      { ok: false },
    );
  });

  it('takes a connection to itself for a service that does not listen', async () => {
    const server = await tcpServer(() => undefined);
    await server.close();
    // Many tries at one free port of the ephemeral range: now and then the kernel picks it as the source.
    const results = await Promise.all(
      Array.from({ length: 2000 }, () => probe({ type: 'tcp', timeout: 5 }, server.port)),
    );
    expect(results.filter((result) => result.ok)).toEqual([]);
  });
});
