import { readdirSync, readFileSync } from 'node:fs';
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
      e.resolverSwitched('sequential', { watcher: 'primary' });
      e.resolverSwitched('s3_toggle', { watcher: 'other' });
      e.resolverSwitched('s3_toggle', 'skip');
      for (const failed of ['nil_weights', 'zero_sum', 'no_choice', 'unknown_watcher'] as const)
        e.resolverSwitched('s3_toggle', { failed });
      for (const reason of ['s3_error', 'parse_error', 'invalid_schema'] as const) e.weightsFailed(reason);
      e.multiStopped();
    },
    [
      'synapse.watcher.multi.start',
      'synapse.watcher.multi.resolver.sequential.switch result:success watcher:primary',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:success watcher:other',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:skip',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:fail reason:nil_weights',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:fail reason:zero_sum',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:fail reason:no_choice',
      'synapse.watcher.multi.resolver.s3_toggle.switch result:fail reason:unknown_watcher',
      'synapse.watcher.multi.resolver.s3_toggle.fetch_failure reason:s3_error',
      'synapse.watcher.multi.resolver.s3_toggle.fetch_failure reason:parse_error',
      'synapse.watcher.multi.resolver.s3_toggle.fetch_failure reason:invalid_schema',
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
      e.haproxyChecked(true);
      e.haproxyReloadFailed();
    },
    [
      'synapse.config.update',
      'synapse.config.update_failed config_name:file_output',
      'synapse.haproxy.check_config status:false',
      'synapse.haproxy.check_config status:true',
      'synapse.haproxy.reload_failed',
    ],
  ],
  [
    'sessions',
    (e) => {
      e.zkClient('created', at);
      e.zkClient('reused', at);
      e.zkConnected(5, at);
      e.zkExpired({ ...at, hosts: ['10.0.0.1:2181'] });
    },
    [
      'synapse.watcher.zk.client.created zk_cluster:zk-main service_name:web',
      'synapse.watcher.zk.client.reused zk_cluster:zk-main service_name:web',
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
  ['names', (e) => e.dnsFailed('web'), ['synapse.watcher.dns.resolve_failed service_name:web']],
];

const zk = 'zk_cluster:* service_name:*';
const zkPath = 'zk_cluster:* zk_path:* service_name:*';
const exception = 'exception_name:* exception_message:*';
const multi = 'synapse.watcher.multi';
const toggle = `${multi}.resolver.s3_toggle`;

/** All that Ruby's synapse 0.18.9 sends: `i` increments, `t` times, `g` gauges; an asterisk stands for what differs. */
const ruby: readonly (readonly [kind: 'i' | 't' | 'g', name: string, ...tags: string[]])[] = [
  ['i', 'synapse.start'],
  ['i', 'synapse.stop', 'stop_avenue:clean stop_location:main_loop'],
  ['i', 'synapse.stop', `stop_avenue:abort stop_location:main_loop ${exception}`],
  ['i', 'synapse.stop', `stop_avenue:abort stop_location:init ${exception}`],
  ['t', 'synapse.watchers.start.time'],
  ['t', 'synapse.main_loop.elapsed_time'],
  ['i', 'synapse.watcher.start', 'start_result:success watcher_name:*'],
  ['i', 'synapse.watcher.start', `start_result:fail watcher_name:* ${exception}`],
  ['i', 'synapse.watcher.stop', 'stop_avenue:clean stop_location:main_loop watcher_name:*'],
  ['i', 'synapse.watcher.stop', `stop_avenue:exception stop_location:main_loop watcher_name:* ${exception}`],
  ['i', 'synapse.watcher.ping.count', 'watcher_name:* ping_result:success synapse_version:*'],
  ['i', 'synapse.watcher.ping.count', 'watcher_name:* ping_result:failure synapse_version:*'],
  ['i', 'synapse.config.update'],
  ['i', 'synapse.config.update_failed', 'config_name:*'],
  ['i', 'synapse.haproxy.check_config', 'status:true', 'status:false'],
  ['i', 'synapse.haproxy.reload_failed'],
  ['i', 'synapse.retry', 'op:raise_max_attempts', 'op:raise_max_delay', 'op:retry_after_sleep'],
  ['t', 'synapse.watcher.zk.create_path.elapsed_time', zk],
  ['i', 'synapse.watcher.zk.discovery', zkPath],
  ['t', 'synapse.watcher.zk.discovery.elapsed_time', zkPath],
  ['t', 'synapse.watcher.zk.children.elapsed_time', zk],
  ['i', 'synapse.watcher.zk.children.failed', zk],
  ['g', 'synapse.watcher.zk.children.bytes', 'zk_cluster:* zk_path:*'],
  ['t', 'synapse.watcher.zk.watch.elapsed_time', zkPath],
  ['i', 'synapse.watcher.zk.register_failed'],
  ['t', 'synapse.watcher.zk.get.elapsed_time', zk],
  ['i', 'synapse.watcher.zk.get_child_failed'],
  ['i', 'synapse.watcher.zk.parse_child_failed'],
  ['i', 'synapse.watcher.zk.get_config_failed'],
  ['t', 'synapse.watcher.zk.connect.elapsed_time', zk],
  ['i', 'synapse.watcher.zk.client.created', zk],
  ['i', 'synapse.watcher.zk.client.reused', zk],
  ['i', 'synapse.watcher.zk.session.expired', zk],
  ['i', 'synapse.watcher.zookeeper_poll.discover'],
  ['i', 'synapse.watcher.dns.resolve_failed', 'service_name:*'],
  ['i', `${multi}.start`],
  ['i', `${multi}.stop`],
  ['i', `${multi}.resolver.sequential.switch`, 'result:success watcher:*'],
  ['i', `${toggle}.switch`, 'result:success watcher:*', 'result:skip'],
  ['i', `${toggle}.switch`, 'result:fail reason:nil_weights', 'result:fail reason:zero_sum'],
  ['i', `${toggle}.switch`, 'result:fail reason:no_choice', 'result:fail reason:unknown_watcher'],
  ['i', `${toggle}.switch`, 'result:fail reason:watchers_missing'],
  ['i', `${toggle}.fetch_failure`, 'reason:s3_error', 'reason:parse_error', 'reason:invalid_schema'],
];

/** What cannot happen any more; docs/compatibility.md says why, and what to look at instead. */
const gone = [
  'i synapse.stop stop_avenue:abort stop_location:init',
  'i synapse.watcher.stop stop_avenue:exception',
  'i synapse.retry',
  't synapse.watcher.zk.create_path.elapsed_time',
  't synapse.watcher.zk.children.elapsed_time',
  't synapse.watcher.zk.watch.elapsed_time',
  'i synapse.watcher.zk.register_failed',
  't synapse.watcher.zk.get.elapsed_time',
  `i ${toggle}.switch result:fail reason:watchers_missing`,
];

/** The values that differ from call to call as asterisks. */
function general(line: string): string {
  const values = /((?:zk_cluster|zk_path|\w+_name|synapse_version|exception_message|watcher):)\S+/g;
  return line.replaceAll(values, '$1*');
}

describe('StatsdEvents', () => {
  it('has everything that Ruby’s synapse sends, and nothing else, but for what is gone', () => {
    const sent = new Set<string>();
    const note =
      (kind: 'i' | 't' | 'g') =>
      (name: string, ...rest: unknown[]): void => {
        const tags = rest.flat().filter((value) => typeof value === 'string');
        sent.add(general([kind, name, ...tags].join(' ')));
      };
    const events = new StatsdEvents({ increment: note('i'), gauge: note('g'), timing: note('t') });
    for (const [, act] of cases) act(events);
    const all = ruby.flatMap(([kind, name, ...tags]) =>
      tags.length === 0 ? [`${kind} ${name}`] : tags.map((each) => `${kind} ${name} ${each}`),
    );
    const isGone = (line: string): boolean =>
      gone.some((each) => line === each || line.startsWith(`${each} `));
    expect([...sent].toSorted()).toEqual(all.filter((line) => !isGone(line)).toSorted());
    expect(gone.filter((each) => !all.some((line) => line.startsWith(each)))).toEqual([]);
  });

  it('lacks what docs/compatibility.md says, with what to look at instead', () => {
    const page = readFileSync(new URL('../../../docs/compatibility.md', import.meta.url), 'utf8');
    const table = /\n## synapse: DogStatsD\n([^]*?)\n## /.exec(page)?.[1] ?? '';
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    const missing = gone.filter((each) => {
      const [, name = '', ...tags] = each.split(' ');
      const words = [name.replace(/^synapse\.watcher\.zk\.(?=(watch|get)\.)/, '.'), ...tags];
      return !rows.some((row) => words.every((word) => row.includes(word)));
    });
    expect(missing).toEqual([]);
  });

  it('is told of each of them by somebody', () => {
    const folder = new URL('.', import.meta.url);
    const code = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?<!\.test)\.ts$/.test(file) && !file.endsWith('statsdEvents.ts'))
      .map((file) => readFileSync(new URL(file, folder), 'utf8'))
      .join('\n');
    const methods = Object.getOwnPropertyNames(StatsdEvents.prototype).filter(
      (name) => !['constructor', 'isHeard'].includes(name),
    );
    expect(methods.filter((name) => !new RegExp(`[eE]vents\\??\\.${name}\\(`).test(code))).toEqual([]);
  });

  it.each(cases)("has Ruby's names and tags for %s", (_what, act, expected) => {
    const { sent, events } = setUp();
    act(events);
    expect(sent).toEqual(expected);
  });
});
