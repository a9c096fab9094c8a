import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatIssue } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultAgentSettings } from './config/agentFile.js';
import { loadConfiguration } from './config/load.js';
import { readHaproxyBlock, readServiceBlock } from './generators/haproxy/block/blocks.js';
import { readNginxBlock, readServiceBlock as readNginxServiceBlock } from './generators/nginx/blocks.js';
import { generators } from './generators/index.js';
import { variantsOf } from './variants.js';
import { pollingIntervalMs } from './watchers/znodes/keys.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ruby-keys-'))));
afterEach(() => rmSync(folder, { recursive: true }));

async function load(text: string) {
  const file = join(folder, 'synapse.yaml');
  writeFileSync(file, text);
  const { configuration, issues } = await loadConfiguration({
    file,
    env: {},
    variants: variantsOf(generators),
  });
  return { configuration, told: issues.map((issue) => formatIssue(issue).replace(`${folder}/`, '')) };
}

/** Each key that Ruby's synapse 0.18.9, or jolynch's synapse-nginx, reads, with a value that is not its default. */
const everything = `
statsd: {host: 10.9.9.9, port: 8126, sample_rate: {synapse.start: 0.5}}
haproxy:
  global: [maxconn 100]
  defaults: [mode http]
  do_writes: false
  do_socket: false
  do_reloads: false
  do_checks: true
  config_file_path: /etc/haproxy/haproxy.cfg
  socket_file_path: [/run/a.sock, /run/b.sock]
  reload_command: service haproxy reload
  check_command: haproxy -c -f /etc/haproxy/candidate.cfg
  candidate_config_file_path: /etc/haproxy/candidate.cfg
  extra_sections: {listen stats: ['bind :3212']}
  shared_frontend: ['bind :80']
  bind_address: 127.0.0.2
  restart_interval: 60
  restart_jitter: 0.1
  state_file_path: /var/lib/state.json
  state_file_ttl: 3600
  server_order_seed: 7
  max_server_id: 100
  use_nerve_weights: true
file_output: {output_directory: /run/instances}
nginx:
  contexts: {main: [worker_processes 2], events: [], http: [], stream: []}
  do_writes: false
  do_reloads: false
  config_file_path: /etc/nginx/nginx.conf
  check_command: nginx -t
  reload_command: nginx -s reload
  start_command: nginx
  restart_interval: 3
  restart_jitter: 1
  listen_address: 127.0.0.2
services:
  zookeeper:
    discovery:
      method: zookeeper
      hosts: [a:2181]
      path: /s/a
      decode: {method: serverset, endpoint_name: http}
      generator_config_path: disabled
      discovery_jitter: 5
      retry_policy: {max_attempts: 3, max_delay: 60, base_interval: 1, max_interval: 2}
      label_filters: [{label: az, value: a, condition: equals}, {label: x, value: y, condition: not-equals}]
    default_servers: [{name: d, host: 10.0.0.9, port: 80}]
    keep_default_servers: true
    use_previous_backends: false
    backend_port_override: 81
    leader_election: true
    load_test_concurrency: 2
    haproxy:
      disabled: false
      port: 3213
      bind_address: 127.0.0.3
      bind_options: ssl crt /etc/a.pem
      server_options: check inter 2s
      server_port_override: 82
      frontend: [timeout client 1s]
      backend: [mode http]
      listen: [option httpchk]
      backend_name: other
      backend_order: desc
      shared_frontend: ['acl a path /a']
      cookie_value_method: hash
    file_output: {disabled: true}
    nginx:
      disabled: true
      mode: tcp
      port: 3214
      listen_address: 127.0.0.3
      listen_options: reuseport
      server: [proxy_timeout 1s]
      upstream: [least_conn]
      upstream_name: u
      server_options: max_fails=2
      upstream_order: desc
  polled: {discovery: {method: zookeeper_poll, hosts: [a:2181], path: /s/b, polling_interval_sec: 30}}
  resolved: {discovery: {method: zookeeper_dns, hosts: [a:2181], path: /s/c, check_interval: 9, nameserver: 10.0.0.53}}
  both: {discovery: {method: zookeeper_dns_poll, hosts: [a:2181], path: /s/c, polling_interval_sec: 30, check_interval: 9}}
  dns: {discovery: {method: dns, servers: [{name: a, host: a.test, port: 80, labels: {az: a}}], check_interval: 9, nameserver: 10.0.0.53}}
  docker: {discovery: {method: docker, servers: [{name: a, host: a.test, port: 4244}], image_name: i, container_port: 80, check_interval: 9}}
  ec2tag:
    discovery: {method: ec2tag, tag_name: a, tag_value: b, aws_region: r, aws_access_key_id: k, aws_secret_access_key: s, check_interval: 9}
    backend_port_override: '80'
  marathon: {discovery: {method: marathon, marathon_api_url: 'http://m:8080', application_name: a, marathon_api_path: '/x/%{app}', port_index: 1, check_interval: 9}}
  base: {discovery: {method: base}, default_servers: [{name: d, host: 10.0.0.9, port: 80}]}
  union:
    discovery: {method: multi, watchers: {a: {method: zookeeper, hosts: [a:1], path: /s}, b: {method: base}}, resolver: {method: union}}
  sequential:
    discovery: {method: zookeeper, hosts: [a:1], path: /s}
    discovery_multi: {watchers: {b: {method: base}}, resolver: {method: sequential, sequential_order: [primary, b]}}
  toggle:
    discovery: {method: zookeeper, hosts: [a:1], path: /s}
    discovery_multi: {method: multi, watchers: {b: {method: base}}, resolver: {method: s3_toggle, s3_url: 's3://b/k', s3_polling_interval_seconds: 9}}
  nobody: {discovery: {method: multi, watchers: {b: {method: base}}, resolver: {method: base}}}
`;

describe('the keys of Ruby’s synapse', () => {
  it('are all known, on every level', async () => {
    const { configuration, told } = await load(everything);
    expect(told).toEqual([]);
    expect(configuration?.services.size).toBe(13);
    expect(configuration?.main.statsd).toEqual({
      ...{ host: '10.9.9.9', port: 8126, sampleRates: { 'synapse.start': 0.5 } },
    });
  });

  it('are missed where they are misspelt, on every level', async () => {
    const typo = everything
      .replace('restart_jitter: 0.1', 'restart_jiter: 0.1')
      .replace('bind_options:', 'bind_option:')
      .replace('polling_interval_sec: 30', 'polling_interval: 30')
      .replace('sequential_order: [primary, b]', 'sequential_order: [primary, b], order: x')
      .replace('keep_default_servers', 'keep_default_server');
    const { told } = await load(typo);
    expect(told.map((line) => line.replace(/^\S+ (\S+): .*$/s, '$1')).toSorted()).toEqual([
      'haproxy.restart_jiter',
      'services.polled.discovery.polling_interval',
      'services.sequential.discovery_multi.resolver.order',
      'services.zookeeper.haproxy.bind_option',
      'services.zookeeper.keep_default_server',
    ]);
  });
});

describe('what Ruby’s synapse does without them', () => {
  const paths = { config_file_path: '/h.cfg', socket_file_path: '/h.sock', reload_command: 'true' };

  it('is what is done here: the top-level block of haproxy', () => {
    const { config, issues } = readHaproxyBlock({ global: [], defaults: [], ...paths }, 'h');
    expect(issues).toEqual([]);
    expect(config).toMatchObject({
      ...{ doWrites: true, doSocket: true, doReloads: true, doChecks: false },
      ...{ candidateConfigFilePath: '/h.cfg.tmp', socketFilePaths: ['/h.sock'], bindAddress: 'localhost' },
      ...{ restartIntervalMs: 2_000, restartJitter: 0, stateFileTtlSeconds: 86_400, maxServerId: 65_535 },
      ...{ useNerveWeights: false, sectionKeywords: 'ruby', keepVanished: false },
    });
    expect([config?.sharedFrontend, config?.stateFilePath, config?.checkCommand]).toEqual([
      ...[undefined, undefined, undefined],
    ]);
    expect(config?.base.map(({ title }) => title)).toEqual(['global', 'defaults']);
  });

  it('is what is done here: the block of a service', () => {
    expect(readServiceBlock({}).config).toMatchObject({
      ...{ disabled: false, serverOptions: '', frontend: [], backend: [], listen: [] },
      ...{ backendOrder: 'shuffle', cookieValue: 'name' },
    });
    const { config } = readServiceBlock({});
    const absent = [
      'port',
      'bindAddress',
      'bindOptions',
      'backendName',
      'sharedFrontend',
      'serverPortOverride',
    ];
    for (const key of absent) expect(config?.[key as keyof typeof config]).toBeUndefined();
  });

  it('is what is done here: sources', async () => {
    expect(pollingIntervalMs({})).toBe(60_000);
    expect(defaultAgentSettings.zookeeper.sessionTimeoutMs).toBe(36_000);
    const { configuration } = await load('haproxy: {}\nstatsd: {}\nservices: {}');
    expect(configuration?.main.statsd).toEqual({ host: 'localhost', port: 8125 });
  });

  it('is what is done here: nginx, beside jolynch’s synapse-nginx', () => {
    const { config, issues } = readNginxBlock({
      ...{ contexts: { main: [], events: [] }, config_file_path: '/n.conf' },
    });
    expect(issues).toEqual([]);
    expect(config).toMatchObject({
      ...{ doWrites: true, doReloads: true, listenAddress: 'localhost' },
      ...{ restartIntervalMs: 2_000, restartJitter: 0 },
    });
    expect(readNginxServiceBlock({}).config).toMatchObject({
      ...{ mode: 'http', upstream: [], server: [], upstream_order: 'asc', disabled: false },
    });
    expect(readNginxBlock({ contexts: { main: [] } }).config).toBeUndefined();
  });
});
