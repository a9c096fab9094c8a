import { createMetrics } from '@smartstack/agent';
import { describe, expect, it } from 'vitest';
import { declareMetrics } from './metrics.js';
import { noteServices } from './serviceEvents.js';
import { alsoToStatsd, StatsdEvents, zkCluster } from './statsdEvents.js';
import { definitionsOf } from './testing/definitions.js';

function setUp() {
  const sent: string[] = [];
  const note = (name: string, ...rest: unknown[]): void => {
    sent.push([name, ...rest.flat()].join(' '));
  };
  const events = new StatsdEvents({ increment: note, gauge: note, timing: note });
  return { sent, events };
}

describe('zkCluster', () => {
  it('is what Ruby makes of the hosts', () => {
    expect(zkCluster(['zk2.example.com:2181', 'zk-main10.example.com:2181'])).toBe('zk_cluster:zk-main');
    expect(zkCluster(['localhost:2181'])).toBe('zk_cluster:localhost:');
    expect(zkCluster(['10.0.0.1:2181'])).toBe('zk_cluster:10.0.0.1:2181');
  });
});

describe('alsoToStatsd', () => {
  it('counts in both places', async () => {
    const { sent, events } = setUp();
    const registry = createMetrics();
    const metrics = alsoToStatsd(declareMetrics(registry), events, (service) => service === 'web');
    metrics.serviceUp.set(1, { service: 'web' });
    metrics.serviceUp.set(0, { service: 'api' });
    metrics.transitions.inc({ service: 'web', to: 'up' });
    metrics.throttled.inc({ service: 'web', shadow: 'false' });
    metrics.checked('web', 'port', false);
    expect(sent).toEqual([
      'nerve.watcher.status.ping.count ping_result:success service_name:web nerve_version:0.1.0',
      'nerve.watcher.status.ping.count ping_result:fail service_name:api nerve_version:0.1.0',
      'nerve.watcher.status.transition new_status:up service_name:web',
      'nerve.watcher.throttled service_name:web shadow_mode:false',
      'nerve.watcher.status.service_check check_result:down service_name:web check_name:port',
    ]);
    const { body } = await registry.expose();
    expect(body).toContain('smartstack_service_up{service="web"} 1');
    expect(body).toContain('smartstack_service_transition_total{service="web",to="up"} 1');
  });

  it('tells how an agent ended', () => {
    const { sent, events } = setUp();
    events.stopped(1_234.5, new TypeError('oops'));
    expect(sent).toEqual([
      'nerve.main_loop.elapsed_time 1234.5',
      'nerve.stop stop_avenue:abort stop_location:main_loop exception_name:TypeError exception_message:oops',
    ]);
  });
});

describe('StatsdEvents', () => {
  it("sends the names and tags of Ruby's nerve 0.9.7, byte for byte", () => {
    const { sent, events } = setUp();
    const hosts = ['zk1.example.com:2181'];
    events.started();
    events.configured();
    events.serviceAdded('web');
    events.serviceChanged('web');
    events.serviceRemoved('web');
    events.reported('web', true);
    events.reported('web', false);
    events.throttled('web', 'true');
    events.zkClient('created', hosts);
    events.zkClient('reused', hosts);
    events.zkChildBytes(80, hosts, '/services/web');
    for (const op of ['create', 'save', 'delete'] as const) events.zkWrote(op, 1.5, hosts, '/services/web');
    events.zkRenewed(hosts);
    events.zkRenewed(hosts, 'no_node');
    events.zkRenewed(hosts, 'connection_error');
    events.stopped(10);
    const stopped = 'nerve.watcher.stop stop_avenue:clean stop_location:main_loop service_name:web';
    expect(sent).toEqual([
      'nerve.start',
      'nerve.config.update',
      'nerve.watcher.launch launch_reason:new watcher_name:web',
      'nerve.watcher.start service_name:web',
      'nerve.watcher.launch launch_reason:update watcher_name:web',
      'nerve.watcher.start service_name:web',
      'nerve.watcher.reap reap_reason:update watcher_name:web',
      stopped,
      'nerve.watcher.reap reap_reason:old watcher_name:web',
      stopped,
      'nerve.watcher.status.report.count report_result:success service_name:web',
      'nerve.watcher.status.report.count report_result:fail service_name:web',
      'nerve.watcher.throttled service_name:web shadow_mode:true',
      'nerve.reporter.zk.client.created zk_cluster:zk',
      'nerve.reporter.zk.client.reused zk_cluster:zk',
      'nerve.reporter.zk.child.bytes 80 zk_cluster:zk zk_path:/services/web',
      'nerve.reporter.zk.create.elapsed_time 1.5 zk_cluster:zk zk_path:/services/web',
      'nerve.reporter.zk.save.elapsed_time 1.5 zk_cluster:zk',
      'nerve.reporter.zk.delete.elapsed_time 1.5 zk_cluster:zk',
      'nerve.reporter.zk.ttl.renew zk_cluster:zk result:success',
      'nerve.reporter.zk.ttl.renew zk_cluster:zk result:fail reason:no_node',
      'nerve.reporter.zk.ttl.renew zk_cluster:zk result:fail reason:connection_error',
      'nerve.main_loop.elapsed_time 10',
      'nerve.stop stop_avenue:clean stop_location:main_loop',
    ]);
  });
});

describe('noteServices', () => {
  it('tells what came, changed and went', () => {
    const told: string[] = [];
    const note =
      (what: string) =>
      (service: string): void =>
        void told.push(`${what} ${service}`);
    const events = { serviceAdded: note('+'), serviceChanged: note('~'), serviceRemoved: note('-') };
    const running = { definitions: [...definitionsOf({ a: {}, b: {}, c: {} }).values()] };
    noteServices(running, events, () => {
      running.definitions = [...definitionsOf({ a: {}, b: { weight: 2 }, d: {} }).values()];
    });
    expect(told).toEqual(['~ b', '+ d', '- c']);
  });
});
