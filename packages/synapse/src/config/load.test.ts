import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { fingerprint, formatIssue } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { BlockIssue } from '../catalog/types.js';
import {
  type Discovery,
  discoveryKeys,
  discoveryMultiSchema,
  discoverySchema,
  lintDiscovery,
  portlessIn,
} from '../watchers/index.js';
import { resolverKeys } from '../resolvers/index.js';
import { type Configuration, expandCopies, loadConfiguration } from './load.js';
import type { GeneratorRules, Variants } from './serviceReader.js';

const badPort = (block: unknown): readonly BlockIssue[] =>
  (block as { port?: unknown }).port === 'bad'
    ? [{ path: ['port'], message: 'bad port', severity: 'error' }]
    : [];

const variants: Variants<Discovery> = {
  discovery: discoverySchema,
  discoveryMulti: discoveryMultiSchema,
  resolverKeys,
  discoveryKeys,
  lintDiscovery,
  portlessIn,
  generators: new Map<string, GeneratorRules>([
    [
      'haproxy',
      {
        check: badPort,
        checkService: (_, block) => badPort(block),
        portOverride: (block) => (block as { server_port_override?: number }).server_port_override,
      },
    ],
    ['nginx', { check: () => [], checkService: () => [] }],
  ]),
};

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'synapse-config-'));
  file = join(folder, 'synapse.yaml');
  mkdirSync(join(folder, 'services'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const zk = '{discovery: {method: zookeeper, hosts: [a:2181], path: /s}}';
const put = (name: string, text: string) => writeFileSync(join(folder, 'services', name), text);
const main = (text: string) => writeFileSync(file, `${text}\nservice_conf_dir: ${folder}/services\n`);

async function load(previous?: Configuration<Discovery>, env: Record<string, string> = {}) {
  const { configuration, issues } = await loadConfiguration({ file, env, variants, previous });
  const told = issues.map((issue) => formatIssue(issue).replaceAll(`${folder}/`, ''));
  return { configuration, told };
}

describe('loadConfiguration', () => {
  it('reads services of the main file and of the directory (trap 4: .yml is not read), with their defaults', async () => {
    main(`haproxy: {}\nservices: {inline: ${zk}}`);
    put('web.v2.yaml', zk);
    put('skipped.yml', 'not: read');
    const { configuration, told } = await load();
    expect(told).toEqual([]);
    expect([...(configuration?.services.keys() ?? [])]).toEqual(['inline', 'web.v2']);
    expect(configuration?.services.get('inline')).toEqual({
      name: 'inline',
      discovery: { method: 'zookeeper', hosts: ['a:2181'], path: '/s' },
      copies: undefined,
      rules: {
        defaultServers: [],
        keepDefaultServers: false,
        usePreviousBackends: true,
        leaderElection: false,
        labelFilters: [],
        blocks: { haproxy: {} },
      },
    });
    expect(configuration?.paths).toEqual([file, join(folder, 'services')]);
    // Nothing changed since, so that nothing has to be read again.
    expect(configuration?.seen).toBe(await fingerprint(configuration?.paths ?? []));
  });

  it('a file overrides its inline namesake, and yaml overrides json (trap 4)', async () => {
    main(`haproxy: {}\nservices: {web: ${zk}, other: ${zk}}`);
    put('web.yaml', zk.replace('/s', '/yaml'));
    put('web.json', '{"discovery": {"method": "zookeeper", "hosts": ["a:1"], "path": "/json"}}');
    const { configuration } = await load();
    expect(configuration?.services.get('web')?.discovery).toMatchObject({ path: '/yaml' });
    expect([...(configuration?.services.keys() ?? [])]).toEqual(['web', 'other']);
  });

  it('accepts what Ruby users write: scalars, quoted ports, deprecated keys', async () => {
    main('haproxy:');
    put(
      'web.yaml',
      [
        'discovery:',
        '  method: zookeeper',
        '  hosts: a:2181',
        '  path: //s/web/',
        '  discovery_jitter: 500',
        '  label_filter: {label: az, value: a, condition: equals}',
        '  label_filters: [{label: x, value: 1, condition: not-equals}]',
        "default_servers: [{host: 10.0.0.1, port: '80', haproxy_server_options: backup, extra: 1}]",
        'keep_default_servers: yes',
        'haproxy: {server_port_override: 8080}',
        'nginx: {}',
        'leader_electon: true',
      ].join('\n'),
    );
    const { configuration, told } = await load();
    expect(configuration?.services.get('web')).toMatchObject({
      discovery: { method: 'zookeeper', hosts: ['a:2181'], path: '/s/web', discovery_jitter: 500 },
      rules: {
        defaultServers: [{ host: '10.0.0.1', port: 80, haproxyServerOptions: 'backup' }],
        backendPortOverride: 8080,
        labelFilters: [{ label: 'az' }, { label: 'x' }],
      },
    });
    expect(told).toEqual([
      'services/web.yaml:12:1 leader_electon: Unknown key, did you mean "leader_election"? (warning)',
      'services/web.yaml:6:3 discovery.label_filter: Deprecated: use label_filters, a list (warning)',
      'services/web.yaml:5:21 discovery.discovery_jitter: A jitter beyond 120 seconds is ignored, as Ruby does (warning)',
    ]);
  });

  it('expands the environment in both kinds of file', async () => {
    main("haproxy: {}\nservices: {<%= ENV['NAME'] %>: " + zk + '}');
    put('web.yaml', zk.replace('a:2181', "<%= ENV.fetch('ZK', 'z:1') %>"));
    const { configuration, told } = await load(undefined, { NAME: 'fromenv' });
    expect(told).toEqual([]);
    expect(configuration?.services.get('web')?.discovery).toMatchObject({ hosts: ['z:1'] });
    expect(configuration?.services.has('fromenv')).toBe(true);
  });

  it('tells every issue of every file at once, each with its place, keys that nobody knows (trap 22) too', async () => {
    put('broken.yaml', 'a: [');
    put('ruby.yaml', 'host: <%= `id` %>');
    put('dns.yaml', '{discovery: {method: dns, servers: []}}');
    put('multi.yaml', '{discovery_multi: {}}');
    put('typo.yaml', '{discovery: {method: zookeper, hosts: [a], path: /s}}');
    put(
      'wrong.yaml',
      'discovery: {method: zookeeper, hosts: [], path: s}\ndefault_servers: [{host: h, port: 70000}]',
    );
    main('haproxy: {port: bad}\nhaproxi: {}\nservices:\n  a: 5');
    const { configuration, told } = await load();
    expect(configuration).toBeUndefined();
    expect(told.map((line) => /^\S+( [\w.[\]]+(?=:))?/.exec(line)?.[0])).toEqual([
      'synapse.yaml:2:1 haproxi',
      'synapse.yaml:1:17 haproxy.port',
      'synapse.yaml:4:6 services.a',
      'services/broken.yaml:1:5',
      'services/dns.yaml:1:36 discovery.servers',
      'services/multi.yaml:1:1 discovery',
      'services/multi.yaml:1:2 discovery_multi.resolver',
      'services/ruby.yaml:1:7',
      'services/typo.yaml:1:22 discovery.method',
      'services/wrong.yaml:1:39 discovery.hosts',
      'services/wrong.yaml:1:49 discovery.path',
      'services/wrong.yaml:2:35 default_servers[0].port',
    ]);
  });

  it('needs a generator', async () => {
    main('services: {}');
    expect((await load()).told).toEqual([
      'synapse.yaml:1:1 No generator is configured: add haproxy or nginx',
    ]);
  });

  it('keeps the old definition of what turned bad, and takes the rest', async () => {
    main('haproxy: {port: 1}');
    put('a.yaml', zk);
    put('b.yaml', zk);
    const first = await load();
    put('a.yaml', 'nonsense');
    put('b.yaml', zk.replace('/s', '/new'));
    put('c.yaml', '{discovery: {}}');
    main('haproxy: {port: bad}');
    const second = await load(first.configuration);
    expect(second.told).toHaveLength(3);
    expect(second.configuration?.services.get('a')).toEqual(first.configuration?.services.get('a'));
    expect(second.configuration?.services.get('b')?.discovery).toMatchObject({ path: '/new' });
    expect(second.configuration?.services.has('c')).toBe(false);
    expect(second.configuration?.main.generators.get('haproxy')).toEqual({ port: 1 });
  });

  it('tells which services exist without anything known of them, until their files go', async () => {
    main('haproxy: {}');
    put('a.yaml', zk);
    put('broken.yaml', '{discovery: ');
    put('wrong.yaml', '{discovery: {method: zookeeper}}');
    const first = await load();
    expect(first.configuration?.unreadable).toEqual(['broken', 'wrong']);
    put('broken.yaml', zk);
    rmSync(join(folder, 'services', 'a.yaml'));
    const second = await load(first.configuration);
    expect(second.configuration?.unreadable).toEqual(['wrong']);
    rmSync(join(folder, 'services'), { recursive: true });
    const third = await load(second.configuration);
    expect(third.configuration?.unreadable).toEqual(['wrong']);
    mkdirSync(join(folder, 'services'));
    expect((await load(third.configuration)).configuration?.unreadable).toEqual([]);
  });

  it('keeps everything while the main file or the directory cannot be read', async () => {
    main('haproxy: {}');
    put('a.yaml', zk);
    const first = await load();
    writeFileSync(file, 'haproxy: {');
    put('b.yaml', zk);
    const second = await load(first.configuration);
    expect([...(second.configuration?.services.keys() ?? [])]).toEqual(['a', 'b']);
    rmSync(join(folder, 'services'), { recursive: true });
    main('haproxy: {}');
    const third = await load(second.configuration);
    expect([...(third.configuration?.services.keys() ?? [])]).toEqual(['a', 'b']);
    expect(third.told[0]).toMatch(/^synapse.yaml:2:19 service_conf_dir: .*does not exist/);
  });

  it('drops a service whose file is gone', async () => {
    main('haproxy: {}');
    put('a.yaml', zk);
    const first = await load();
    rmSync(join(folder, 'services', 'a.yaml'));
    expect((await load(first.configuration)).configuration?.services.size).toBe(0);
  });

  it('warns of a service without any source of instances', async () => {
    main('haproxy: {}');
    put('a.yaml', 'discovery: {method: base}');
    expect((await load()).told).toEqual([
      'services/a.yaml:1:12 discovery: Without default_servers this service has no instance (warning)',
    ]);
  });

  it('multiplies a service for load tests', async () => {
    main('haproxy: {}');
    put('a.yaml', `{load_test_concurrency: 2, ${zk.slice(1)}`);
    const { configuration } = await load();
    const names = [...expandCopies(configuration?.services ?? new Map()).values()].map(({ name }) => name);
    expect(names).toEqual(['a_0', 'a_1']);
  });
});
