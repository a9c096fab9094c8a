import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { formatIssue } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { variantsOf } from '../variants.js';
import { loadConfiguration } from './load.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'synapse-config-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const haproxy = { check: () => [], checkService: () => [] } as never;

async function read(...service: readonly string[]) {
  const file = join(folder, 'synapse.yaml');
  const lines = ['haproxy: {}', 'services:', '  web:', ...service.map((line) => `    ${line}`)];
  writeFileSync(file, lines.join('\n'));
  const variants = variantsOf(new Map([['haproxy', haproxy]]));
  const { configuration, issues } = await loadConfiguration({ file, env: {}, variants });
  const told = issues.map((issue) => formatIssue(issue).replaceAll(`${folder}/synapse.yaml:`, ''));
  return { definition: configuration?.services.get('web'), told };
}

const zk = (path: string, more = '') => `{method: zookeeper, hosts: [a:1], path: ${path}${more}}`;

describe('a service with several watchers', () => {
  it('may have them in its discovery', async () => {
    const { definition, told } = await read(
      'discovery:',
      '  method: multi',
      '  label_filters: [{label: az, value: a, condition: equals}]',
      '  watchers:',
      `    old: ${zk('/old', ', label_filter: {label: x, value: 1, condition: equals}')}`,
      `    new: ${zk('/new')}`,
      '  resolver: {method: sequential, sequential_order: [old, new]}',
    );
    expect(told).toEqual([expect.stringMatching(/^8:60 .*watchers\.old\.label_filter: Deprecated/)]);
    expect(definition?.rules.labelFilters).toEqual([{ label: 'az', value: 'a', condition: 'equals' }]);
    expect(definition?.discovery).toEqual({
      method: 'multi',
      watchers: {
        old: {
          ...{ method: 'zookeeper', hosts: ['a:1'], path: '/old' },
          label_filter: { label: 'x', value: 1, condition: 'equals' },
        },
        new: { method: 'zookeeper', hosts: ['a:1'], path: '/new' },
      },
      resolver: { method: 'sequential', sequential_order: ['old', 'new'] },
    });
  });

  it('may have them beside its discovery, which is the primary one, with its own filters', async () => {
    const filters = '[{label: az, value: a, condition: equals}]';
    const { definition, told } = await read(
      `discovery: ${zk('/one', `, label_filters: ${filters}`)}`,
      'discovery_multi:',
      `  watchers: {secondary: ${zk('/two')}}`,
      '  resolver: {method: s3_toggle, s3_url: "s3://b/k", s3_polling_interval_seconds: 10}',
    );
    expect(told).toEqual([]);
    expect(definition?.rules.labelFilters).toEqual([]);
    expect(definition?.discovery).toMatchObject({
      method: 'multi',
      watchers: {
        secondary: { path: '/two' },
        primary: { path: '/one', label_filters: [{ label: 'az' }] },
      },
      resolver: { method: 's3_toggle' },
    });
  });

  // Trap 25: an example of Ruby's has a resolver, and its README a method, that do not exist.
  it('is told about a resolver and a method that only Ruby’s examples have (trap 25)', async () => {
    const { definition, told } = await read(
      'discovery: {method: awstag, tag_name: a, tag_value: b}',
      'discovery_multi:',
      `  watchers: {secondary: ${zk('/two')}}`,
      '  resolver: {method: fallback}',
    );
    expect(definition).toBeUndefined();
    expect(told).toEqual([
      expect.stringMatching(/^4:25 .*discovery\.method: There is no method awstag: .* mean ec2tag$/),
      expect.stringMatching(
        /^7:26 .*resolver\.method: There is no resolver fallback: expected union, .*use sequential with a sequential_order$/,
      ),
    ]);
  });

  it.each([
    [
      'an order that lacks primary',
      [
        `discovery: ${zk('/one')}`,
        'discovery_multi:',
        `  watchers: {b: ${zk('/two')}}`,
        '  resolver: {method: sequential, sequential_order: [b]}',
      ],
      /^7:\d+ .*discovery_multi\.resolver\.sequential_order: The watcher primary has no place in the order/,
    ],
    [
      'no watchers',
      ['discovery: {method: multi, watchers: {}, resolver: {method: union}}'],
      /watchers: Expected at least one watcher/,
    ],
    [
      'no resolver',
      [`discovery: {method: multi, watchers: {a: ${zk('/a')}}}`],
      /resolver: Required|resolver: .*expected/,
    ],
    [
      'a multi within a multi',
      ['discovery: {method: multi, watchers: {a: {method: multi}}, resolver: {method: union}}'],
      /watchers\.a\.method: There is no method multi: .*stand in one `multi`/,
    ],
    [
      'a multi beside discovery_multi',
      [
        `discovery: {method: multi, watchers: {a: ${zk('/a')}}, resolver: {method: union}}`,
        'discovery_multi: {resolver: {method: union}}',
      ],
      /discovery\.method: Beside discovery_multi this is one watcher/,
    ],
    [
      'a watcher with errors of its own',
      ['discovery: {method: multi, watchers: {a: {method: zookeeper, path: /a}}, resolver: {method: union}}'],
      /watchers\.a\.hosts: Required/,
    ],
  ])('is not used with %s', async (_, service, message) => {
    const { definition, told } = await read(...service);
    expect(told).toEqual([expect.stringMatching(message)]);
    expect(definition).toBeUndefined();
  });

  it('is warned of keys that nobody reads, and of advice, where they stand', async () => {
    const { definition, told } = await read(
      `discovery: ${zk('/one', ', discovery_jitter: 500')}`,
      'discovery_multi:',
      '  sort: true',
      `  watchers: {primary: ${zk('/x')}, b: ${zk('/two', ', hostz: 1')}}`,
      '  resolver: {method: union, order: [b]}',
    );
    expect(definition).toBeDefined();
    expect(told.map((line) => line.replace(/^\d+:\d+ services\.web\./, '').slice(0, 80))).toEqual([
      expect.stringMatching(/^discovery_multi\.watchers\.b\.hostz: Unknown key, did you mean "hosts"/),
      expect.stringMatching(/^discovery_multi\.sort: Unknown key/),
      expect.stringMatching(/^discovery_multi\.resolver\.order: Unknown key/),
      expect.stringMatching(/^discovery_multi\.watchers\.primary: Not used: primary/),
      expect.stringMatching(/^discovery\.discovery_jitter: A jitter beyond/),
    ]);
  });
});

describe('a dns server without a port', () => {
  it.each([
    ['discovery: {method: dns, servers: [{host: a}]}', 'discovery.servers[0].port'],
    [
      'discovery: {method: multi, watchers: {x: {method: dns, servers: [{host: a}]}}, resolver: {method: union}}',
      'discovery.watchers.x.servers[0].port',
    ],
  ])('of %s is an error, unless the service has one for all', async (discovery, path) => {
    const { told } = await read(discovery);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(`services.web.${path}: Required, unless the type is srv, or the service has`);
    const { definition, told: nothing } = await read(discovery, 'backend_port_override: 80');
    expect(nothing).toEqual([]);
    expect(definition).toBeDefined();
  });
});

describe('ec2tag', () => {
  it('needs a port, and whole keys', async () => {
    const without = await read('discovery: {method: ec2tag, tag_name: a, tag_value: b}');
    expect(without.told).toEqual([expect.stringMatching(/discovery\.method: EC2 knows no ports/)]);
    expect(without.definition).toBeUndefined();
    const half = await read(
      'discovery: {method: ec2tag, tag_name: a, tag_value: b, aws_access_key_id: k}',
      'backend_port_override: 80',
    );
    expect(half.told).toEqual([expect.stringMatching(/aws_access_key_id: Needs aws_secret_access_key/)]);
    const whole = await read(
      'discovery: {method: ec2tag, tag_name: a, tag_value: b}',
      'backend_port_override: "80"',
    );
    expect(whole.told).toEqual([]);
    expect(whole.definition?.rules.backendPortOverride).toBe(80);
  });
});
