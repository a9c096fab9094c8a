import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { statsdListener, withoutValue } from '../harness/statsd.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { register, registrar, startSynapse, stopAfterEach, zookeeper } from './bed.ts';

let server: ZooKeeperServer;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
stopAfterEach();

describe('statsd', () => {
  it('sends the names and tags of the Ruby synapse, at the rates that are asked for', async () => {
    const { port, lines } = await statsdListener();
    const session = await registrar(server.address);
    const web = { host: '10.0.0.1', port: 80, name: 'a' };
    await register(session, '/s/web', 'a', web);
    await session.create('/s/web/bad_', Buffer.from('{'), 'persistent_sequential');
    await session.setData('/s/web', Buffer.from('{"haproxy": 5}'), -1);
    const rates = '{synapse.watcher.zk.client.reused: 0, synapse.watcher.zk.connect.elapsed_time: 1}';
    const synapse = await startSynapse(
      {
        web: zookeeper(server.address, 'web'),
        missing: zookeeper(server.address, 'missing'),
        gone: 'discovery: {method: base}\n',
        polled: zookeeper(server.address, 'web').replace('method: zookeeper', 'method: zookeeper_poll'),
        // Nobody listens there.
        named: 'discovery: {method: dns, servers: [{host: a.test, port: 80}], nameserver: "127.0.0.1:1"}\n',
        both: `discovery: {method: multi, watchers: {a: {method: base}, b: {method: zookeeper, hosts: ['${server.address}'], path: /s/web}}, resolver: {method: sequential, sequential_order: [a, b]}}\n`,
      },
      { zookeeper: { sessionTimeoutMs: 400, auth: [] } },
      `haproxy: {}\nstatsd: {port: '${port}', sample_rate: ${rates}}`,
    );
    await synapse.sees('web', ['10.0.0.1:80']);
    const said = (text: string): boolean => lines.some((line) => withoutValue(line).startsWith(text));
    synapse.generator.behaviour = () => Promise.reject(new Error('no'));
    synapse.service('gone', undefined);
    await eventually(() => said('synapse.config.update_failed'), { what: 'the failure', timeoutMs: 15_000 });
    await eventually(() => said('synapse.watcher.dns.resolve_failed'), {
      what: 'the name server that is none',
      timeoutMs: 15_000,
    });
    await server.stop();
    await eventually(() => said('synapse.watcher.ping.count:1|c|#watcher_name:web,ping_result:failure'), {
      what: 'the loss',
      timeoutMs: 15_000,
    });
    server.wipe();
    await server.start();
    await eventually(() => said('synapse.watcher.zk.session.expired'), {
      what: 'a new session',
      timeoutMs: 15_000,
    });
    await synapse.stop();
    const cluster = `zk_cluster:${server.address}`;
    const wanted = [
      'synapse.start:1|c',
      'synapse.watchers.start.time:N|ms',
      'synapse.config.update:1|c',
      'synapse.config.update_failed:1|c|#config_name:haproxy',
      'synapse.watcher.start:1|c|#start_result:success,watcher_name:web',
      'synapse.watcher.stop:1|c|#stop_avenue:clean,stop_location:main_loop,watcher_name:gone',
      'synapse.watcher.stop:1|c|#stop_avenue:clean,stop_location:main_loop,watcher_name:web',
      'synapse.watcher.ping.count:1|c|#watcher_name:web,ping_result:success,synapse_version:',
      `synapse.watcher.zk.client.created:1|c|#${cluster},service_name:`,
      `synapse.watcher.zk.connect.elapsed_time:N|ms|#${cluster},service_name:web`,
      `synapse.watcher.zk.discovery:1|c|#${cluster},zk_path:/s/web,service_name:web`,
      `synapse.watcher.zk.discovery.elapsed_time:N|ms|#${cluster},zk_path:/s/web,service_name:web`,
      `synapse.watcher.zk.children.bytes:N|g|#${cluster},zk_path:/s/web`,
      `synapse.watcher.zk.children.failed:1|c|#${cluster},service_name:missing`,
      'synapse.watcher.zk.parse_child_failed:1|c',
      'synapse.watcher.zookeeper_poll.discover:1|c',
      `synapse.watcher.zk.discovery:1|c|#${cluster},zk_path:/s/web,service_name:polled`,
      'synapse.watcher.dns.resolve_failed:1|c|#service_name:named',
      'synapse.watcher.multi.start:1|c',
      'synapse.watcher.multi.resolver.sequential.switch:1|c|#result:success,watcher:b',
      'synapse.watcher.multi.stop:1|c',
      'synapse.watcher.zk.get_config_failed:1|c',
      `synapse.watcher.zk.session.expired:1|c|#${cluster},service_name:web`,
      'synapse.main_loop.elapsed_time:N|ms',
      'synapse.stop:1|c|#stop_avenue:clean,stop_location:main_loop',
    ];
    await eventually(() => said('synapse.stop'), { what: 'the end' });
    expect(wanted.filter((text) => !said(text))).toEqual([]);
    // Rate 0.
    expect(said('synapse.watcher.zk.client.reused')).toBe(false);
  });

  it('sends nothing beside another synapse, which does', async () => {
    const { port, lines } = await statsdListener();
    const top = `haproxy: {}\nstatsd: {port: ${port}}`;
    const quiet = await startSynapse({ web: zookeeper(server.address, 'quiet') }, {}, top, true);
    await quiet.sees('web', []);
    // Also after it has read its configuration again.
    quiet.main(`${top}\n`);
    await quiet.synapse.reload();
    await quiet.stop();
    const loud = await startSynapse({ web: zookeeper(server.address, 'loud') }, {}, top);
    await eventually(() => lines.some((line) => line.includes('watcher_name:web')), {
      what: 'the other one',
    });
    await loud.stop();
    expect(lines.filter((line) => line.startsWith('synapse.start'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('zk_path:/s/quiet'))).toEqual([]);
  });
});
