import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dnsmasq, startDnsmasq } from '../harness/dnsmasq.ts';
import { eventually, holds } from '../harness/eventually.ts';
import { sourceOf, startSynapse, stopAfterEach } from './bed.ts';

let server: Dnsmasq;
beforeAll(async () => {
  server = await startDnsmasq([
    '_web._tcp.svc.test,b.svc.test,8081,1,30',
    '_web._tcp.svc.test,a.svc.test,8080,1,10',
    '_web._tcp.svc.test,c.svc.test,8082,2,0',
  ]);
});
afterAll(() => server.dispose());
stopAfterEach();

const service = (servers: string): string =>
  `discovery: {method: dns, servers: [${servers}], nameserver: '${server.address}', check_interval: 1}\n` +
  'use_previous_backends: false\n';

describe('method: dns against dnsmasq', () => {
  it('follows addresses and SRV records, and outlives the server', async () => {
    server.hosts({
      'a.svc.test': ['10.0.0.1'],
      'b.svc.test': ['10.0.0.3', '10.0.0.2'],
      'six.svc.test': ['fd00::2'],
    });
    const services = {
      web: service('{host: b.svc.test, port: 80}'),
      six: service('{host: six.svc.test, port: 80, type: aaaa}'),
      srv: service('{host: _web._tcp.svc.test, type: srv, name: w}'),
      none: service('{host: nothing.svc.test, port: 80}'),
      refused: service('{host: refused.example.com, port: 80}'),
    };
    const synapse = await startSynapse(services, { startupDeadlineMs: 500 });
    await synapse.sees('web', ['10.0.0.2:80', '10.0.0.3:80']);
    await synapse.sees('six', ['fd00::2:80']);
    await synapse.sees('srv', ['10.0.0.1:8080', '10.0.0.2:8081', '10.0.0.3:8081']);
    await synapse.sees('none', []);
    expect(sourceOf(synapse, 'none')).toBe('live');
    // Nobody told that this name does not exist.
    await eventually(() => sourceOf(synapse, 'refused') === 'pending', { what: 'nothing is known of it' });
    server.hosts({ 'c.svc.test': ['10.0.0.9'], 'a.svc.test': ['10.0.0.1'] });
    await synapse.sees('web', []);
    await synapse.sees('srv', ['10.0.0.1:8080', '10.0.0.9:8082']);
    const srv = synapse.generator.view?.services.find(({ name }) => name === 'srv')?.instances;
    expect(srv?.map(({ weight, haproxyServerOptions }) => [weight, haproxyServerOptions])).toEqual([
      [10, undefined],
      [1, 'backup'],
    ]);

    await server.kill();
    await eventually(() => sourceOf(synapse, 'srv') === 'stale', {
      what: 'the loss shows',
      timeoutMs: 15_000,
    });
    expect(synapse.generator.addresses('srv')).toEqual(['10.0.0.1:8080', '10.0.0.9:8082']);
    server.hosts({ 'a.svc.test': ['10.0.0.7'] });
    await server.start();
    await synapse.sees('srv', ['10.0.0.7:8080']);
    expect(sourceOf(synapse, 'srv')).toBe('live');
  });

  it('reads an answer that does not fit in a packet, and waits out a server that hangs', async () => {
    const many = Array.from({ length: 300 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    server.hosts({ 'many.svc.test': many });
    const synapse = await startSynapse({ many: service('{host: many.svc.test, port: 80}') });
    await synapse.sees(
      'many',
      many.map((address) => `${address}:80`),
    );
    server.signal('SIGSTOP');
    await eventually(() => sourceOf(synapse, 'many') === 'stale', {
      what: 'the loss shows',
      timeoutMs: 20_000,
    });
    await holds(() => synapse.generator.addresses('many')?.length === 300, { what: 'all stay', forMs: 300 });
    server.signal('SIGCONT');
    await eventually(() => sourceOf(synapse, 'many') === 'live', { what: 'it is back', timeoutMs: 15_000 });
  });
});
