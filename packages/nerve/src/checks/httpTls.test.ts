import { describe, expect, it, vi } from 'vitest';
import { selfSigned } from '../testing/certificates.js';
import { probe } from '../testing/probe.js';
import { httpsServer } from '../testing/servers.js';

const https = { type: 'http', uri: '/', ssl: true, ssl_timeout: 5, timeout: 5 };
const failedWith = (reason: string | RegExp) => ({
  ok: false,
  reason: expect.stringMatching(reason) as string,
});

describe('http check with TLS', () => {
  it('takes any certificate unless told to verify it', async () => {
    const server = await httpsServer(await selfSigned('DNS:else'), (_, response) => response.end());
    expect(await probe(https, server.port)).toEqual({ ok: true });
    expect(await probe({ ...https, tls_verify: true }, server.port)).toEqual(failedWith(/self.signed/));
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('verifies authority and address', async () => {
    const pair = await selfSigned('IP:127.0.0.1', 'DNS:web.internal');
    const { port } = await httpsServer(pair, (_, response) => response.end());
    const verified = { ...https, tls_verify: true, tls_ca_file: pair.certFile };
    expect(await probe(verified, port)).toEqual({ ok: true });
    expect(await probe({ ...verified, host: 'localhost' }, port)).toEqual(failedWith('localhost'));
    const other = await selfSigned('IP:127.0.0.1');
    expect(await probe({ ...verified, tls_ca_file: other.certFile }, port)).toEqual(
      failedWith(/self.signed/),
    );
  });

  it('asks for tls_server_name, which the certificate must carry; the Host by default', async () => {
    const asked: unknown[] = [];
    const pair = await selfSigned('DNS:web.internal');
    const { port } = await httpsServer(pair, (request, response) => {
      asked.push([(request.socket as { servername?: unknown }).servername, request.headers.host]);
      response.end();
    });
    const verified = { ...https, tls_verify: true, tls_ca_file: pair.certFile };
    expect(await probe({ ...verified, tls_server_name: 'web.internal' }, port)).toEqual({ ok: true });
    expect(await probe({ ...verified, host_header: 'web.internal:8443' }, port)).toEqual({ ok: true });
    expect(await probe({ ...verified, tls_server_name: 'db.internal' }, port)).toEqual(
      failedWith('db.internal'),
    );
    expect(await probe({ ...https, tls_server_name: 'db.internal' }, port)).toEqual({ ok: true });
    expect(asked).toEqual([
      ['web.internal', `127.0.0.1:${port}`],
      ['web.internal', 'web.internal:8443'],
      ['db.internal', `127.0.0.1:${port}`],
    ]);
  });

  it('fails when the authorities cannot be read', async () => {
    const { port } = await httpsServer(await selfSigned('IP:127.0.0.1'), (_, response) => response.end());
    expect(await probe({ ...https, tls_verify: true, tls_ca_file: '/no/such/ca.pem' }, port)).toEqual(
      failedWith('ENOENT'),
    );
  });
});
