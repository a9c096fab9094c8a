import { describe, expect, it } from 'vitest';
import { StatsdEvents } from './statsdEvents.js';
import { version } from './version.js';

function setUp() {
  const sent: string[] = [];
  const note = (name: string, ...rest: unknown[]): void => void sent.push([name, ...rest.flat()].join(' '));
  return { sent, events: new StatsdEvents({ increment: note, gauge: note, timing: note }) };
}

const at = { hosts: ['zk2.example.com:2181', 'zk-main10.example.com:2181'], service: 'web' };

/** Ruby's names and tags: https://github.com/airbnb/synapse/tree/89e05f0/lib, each call of statsd_*. */
const cases: readonly [string, (events: StatsdEvents) => void, readonly string[]][] = [
  ['a start', (e) => e.started(), ['synapse.start']],
  [
    'an end',
    (e) => e.stopped(12),
    ['synapse.main_loop.elapsed_time 12', 'synapse.stop stop_avenue:clean stop_location:main_loop'],
  ],
  [
    'an end by an error',
    (e) => e.stopped(12, new TypeError('oops')),
    [
      'synapse.main_loop.elapsed_time 12',
      'synapse.stop stop_avenue:abort stop_location:main_loop exception_name:TypeError exception_message:oops',
      'synapse.stop stop_avenue:clean stop_location:main_loop',
    ],
  ],
  [
    'several watchers of a service',
    (e) => {
      e.multiStarted();
      e.resolverSwitched('sequential', 'primary');
      e.resolverSwitched('s3_toggle', 'other');
      e.weightsFailed('s3_error');
      e.multiStopped();
    },
    [
      'synapse.watcher.multi.start',
      'synapse.watcher.multi.resolver.sequential.switch result:success watcher:primary',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:success watcher:other',
      'synapse.watcher.multi.resolver.s3_toggle.fetch_failure reason:s3_error',
      'synapse.watcher.multi.stop',
    ],
  ],
  ['the first look', (e) => e.watchersStarted(3), ['synapse.watchers.start.time 3']],
  [
    'a watcher',
    (e) => {
      e.watcherStarted('web');
      e.watcherFailed('web', new Error('no'));
      e.watcherStopped('web');
    },
    [
      'synapse.watcher.start start_result:success watcher_name:web',
      'synapse.watcher.start start_result:fail watcher_name:web exception_name:Error exception_message:no',
      'synapse.watcher.stop stop_avenue:clean stop_location:main_loop watcher_name:web',
    ],
  ],
  [
    'pings',
    (e) => {
      e.pinged('web', true);
      e.pinged('web', false);
    },
    [
      `synapse.watcher.ping.count watcher_name:web ping_result:success synapse_version:${version}`,
      `synapse.watcher.ping.count watcher_name:web ping_result:failure synapse_version:${version}`,
    ],
  ],
  [
    'generators',
    (e) => {
      e.configUpdated();
      e.configFailed('file_output');
      e.haproxyChecked(false);
      e.haproxyReloadFailed();
    },
    [
      'synapse.config.update',
      'synapse.config.update_failed config_name:file_output',
      'synapse.haproxy.check_config status:false',
      'synapse.haproxy.reload_failed',
    ],
  ],
  [
    'sessions',
    (e) => {
      e.zkClient('created', at);
      e.zkConnected(5, at);
      e.zkExpired({ ...at, hosts: ['10.0.0.1:2181'] });
    },
    [
      'synapse.watcher.zk.client.created zk_cluster:zk-main service_name:web',
      'synapse.watcher.zk.connect.elapsed_time 5 zk_cluster:zk-main service_name:web',
      'synapse.watcher.zk.session.expired zk_cluster:10.0.0.1:2181 service_name:web',
    ],
  ],
  [
    'readings',
    (e) => {
      e.zkDiscovered(undefined, at, '/s/web');
      e.zkDiscovered(7, at, '/s/web');
      e.zkChildren(40, at.hosts, '/s/web');
      e.zkChildrenFailed(at);
      e.zkGetChildFailed();
      e.zkParseChildFailed();
      e.zkGetConfigFailed();
      e.zkPolled();
    },
    [
      'synapse.watcher.zk.discovery zk_cluster:zk-main zk_path:/s/web service_name:web',
      'synapse.watcher.zk.discovery zk_cluster:zk-main zk_path:/s/web service_name:web',
      'synapse.watcher.zk.discovery.elapsed_time 7 zk_cluster:zk-main zk_path:/s/web service_name:web',
      'synapse.watcher.zk.children.bytes 40 zk_cluster:zk-main zk_path:/s/web',
      'synapse.watcher.zk.children.failed zk_cluster:zk-main service_name:web',
      'synapse.watcher.zk.get_child_failed',
      'synapse.watcher.zk.parse_child_failed',
      'synapse.watcher.zk.get_config_failed',
      'synapse.watcher.zookeeper_poll.discover',
    ],
  ],
  [
    'other watchers',
    (e) => {
      e.dnsFailed('web');
      e.multi('start');
      e.multi('stop');
      e.multiSwitched('sequential', { watcher: 'second' });
      e.multiSwitched('s3_toggle', 'skip');
      e.multiSwitched('s3_toggle', { failed: 'zero_sum' });
      e.s3FetchFailed('parse_error');
    },
    [
      'synapse.watcher.dns.resolve_failed service_name:web',
      'synapse.watcher.multi.start',
      'synapse.watcher.multi.stop',
      'synapse.watcher.multi.resolver.sequential.switch result:success watcher:second',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:skip',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:fail reason:zero_sum',
      'synapse.watcher.multi.resolver.s3_toggle.fetch_failure reason:parse_error',
    ],
  ],
];

describe('StatsdEvents', () => {
  it.each(cases)("has Ruby's names and tags for %s", (_what, act, expected) => {
    const { sent, events } = setUp();
    act(events);
    expect(sent).toEqual(expected);
  });
});
