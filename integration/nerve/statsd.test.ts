import { describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { statsdListener, withoutValue } from '../harness/statsd.ts';
import { childrenOf, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, tcp, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();

describe('statsd', () => {
  it('sends the names and tags of the Ruby nerve', async () => {
    const { port, lines } = await statsdListener();
    const path = freshPath();
    const session = observe(bed.address);
    const server = await app();
    const checks = [{ type: 'tcp', name: 'port', host: '127.0.0.1', port: server.port, timeout: 1 }];
    const web = serviceAt(bed.address, path, { checks, use_path_encoding: true });
    const limits = { rate_limiting: { average_rate: 0, max_burst: 1, shadow_mode: true } };
    const nerve = await startNerve({
      main: { service_conf_dir: 'd', statsd: { port: String(port) } },
      files: { 'd/web.json': web, 'd/gone.json': serviceAt(bed.address, path, tcp(server.port)) },
    });
    await ready(nerve);
    await childrenOf(session, path, 2);
    nerve.write('d/web.json', { ...web, ...limits, weight: 2 });
    nerve.write('d/gone.json', {
      ...serviceAt(bed.address, path),
      ...tcp(server.port),
      node_type: 'persistent',
      ttl_seconds: 0.1,
    });
    const said = (text: string): boolean => lines.some((line) => withoutValue(line).startsWith(text));
    await eventually(() => said('nerve.reporter.zk.ttl.renew'), { what: 'it is renewed', timeoutMs: 20_000 });
    server.close();
    server.closeAllConnections();
    await eventually(() => said('nerve.watcher.throttled'), { what: 'it is throttled' });
    await childrenOf(session, path, 0);
    await nerve.stop('SIGTERM');
    const cluster = `zk_cluster:${bed.address}`;
    const wanted = [
      'nerve.start:1|c',
      'nerve.config.update:1|c',
      'nerve.watcher.launch:1|c|#launch_reason:new,watcher_name:web',
      'nerve.watcher.launch:1|c|#launch_reason:update,watcher_name:web',
      'nerve.watcher.reap:1|c|#reap_reason:update,watcher_name:web',
      'nerve.watcher.start:1|c|#service_name:web',
      'nerve.watcher.stop:1|c|#stop_avenue:clean,stop_location:main_loop,service_name:web',
      'nerve.watcher.status.ping.count:1|c|#ping_result:success,service_name:web,nerve_version:',
      'nerve.watcher.status.service_check:1|c|#check_result:up,service_name:web,check_name:port',
      'nerve.watcher.status.service_check:1|c|#check_result:down,service_name:web,check_name:port',
      'nerve.watcher.status.transition:1|c|#new_status:up,service_name:web',
      'nerve.watcher.status.transition:1|c|#new_status:down,service_name:web',
      'nerve.watcher.status.report.count:1|c|#report_result:success,service_name:web',
      'nerve.watcher.throttled:1|c|#service_name:web,shadow_mode:true',
      `nerve.reporter.zk.client.created:1|c|#${cluster}`,
      `nerve.reporter.zk.client.reused:1|c|#${cluster}`,
      `nerve.reporter.zk.child.bytes:`,
      `nerve.reporter.zk.create.elapsed_time:N|ms|#${cluster},zk_path:${path}`,
      `nerve.reporter.zk.delete.elapsed_time:N|ms|#${cluster}`,
      `nerve.reporter.zk.ttl.renew:1|c|#${cluster},result:success`,
      'nerve.main_loop.elapsed_time:N|ms',
      'nerve.stop:1|c|#stop_avenue:clean,stop_location:main_loop',
    ];
    expect(wanted.filter((text) => !said(text))).toEqual([]);
  });

  it('neither waits nor fails when nobody listens, and says so once', async () => {
    const path = freshPath();
    const nerve = await startNerve({
      main: { statsd: { host: 'no.such.host.invalid' }, services: { web: serviceAt(bed.address, path) } },
    });
    await ready(nerve);
    await eventually(() => nerve.output.includes('cannot send to statsd'), {
      what: 'it is said',
      timeoutMs: 15_000,
    });
    await nerve.stop('SIGTERM');
    expect(await nerve.exited).toBe(0);
    expect(nerve.output.split('cannot send to statsd')).toHaveLength(2);
  });
});
