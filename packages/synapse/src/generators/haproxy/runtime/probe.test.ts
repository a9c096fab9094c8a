import { createServer, type AddressInfo, type Server } from 'node:net';
import { systemClock } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '@smartstack/agent/testing';
import { defaultProbe, Prober, probeTcp } from './probe.js';

describe('probing', () => {
  let server: Server;
  let port: number;
  let accepted: number;
  beforeEach(async () => {
    accepted = 0;
    server = createServer((socket) => {
      accepted += 1;
      socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it('confirms what accepts, and leaves no connection behind', async () => {
    expect(await new Prober(defaultProbe, systemClock).confirm('127.0.0.1', port)).toBeUndefined();
    await expect.poll(() => accepted).toBe(1);
    await expect.poll(() => new Promise((done) => server.getConnections((_, count) => done(count)))).toBe(0);
  });

  it('says why not', async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await new Prober(defaultProbe, systemClock).confirm('127.0.0.1', port)).toMatch(/ECONNREFUSED/);
  });

  it('waits no longer than its bound for an address that swallows packets', async () => {
    const clock = new FakeClock();
    // TEST-NET-1 (RFC 5737): nobody answers there; whether the kernel drops or refuses, the probe ends.
    const probe = probeTcp('192.0.2.1', 9, { clock, timeoutMs: 50 });
    await clock.advance(50);
    expect(await probe).toMatch(/no TCP connection within 50 ms|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED/);
    expect(clock.pending).toBe(0);
  });

  it('hears a peer that answered while this process stood still', async () => {
    const probe = probeTcp('127.0.0.1', port, { clock: systemClock, timeoutMs: 50 });
    const end = performance.now() + 120;
    // The kernel accepts meanwhile; nobody here can take notice.
    while (performance.now() < end);
    expect(await probe).toBeUndefined();
  });

  it('asks nobody when it is off or strict', async () => {
    expect(
      await new Prober({ ...defaultProbe, mode: 'off' }, systemClock).confirm('127.0.0.1', port),
    ).toBeUndefined();
    expect(
      await new Prober({ ...defaultProbe, mode: 'strict' }, systemClock).confirm('127.0.0.1', port),
    ).toMatch(/strict/);
    expect(accepted).toBe(0);
  });

  it('probes many at once, with a bound', async () => {
    const prober = new Prober({ ...defaultProbe, timeoutMs: 2000, concurrency: 8 }, systemClock);
    const reasons = await Promise.all(Array.from({ length: 200 }, () => prober.confirm('127.0.0.1', port)));
    expect(reasons.every((reason) => reason === undefined)).toBe(true);
    await expect.poll(() => accepted).toBe(200);
  });
});
