import { formatIssue } from '@smartstack/agent';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configDir } from '../testing/configDir.js';
import { loadConfig } from './load.js';

const web = `host: 10.0.0.5
port: 8080
zk_hosts: [zk1:2181]
zk_path: /services/web
`;
const indented = web.replace(/^/gm, '    ').trimEnd();
const minimal = `instance_id: i-0abc\nservices:\n  web:\n${indented}\n`;

async function load(files: Readonly<Record<string, string>>, instanceId?: string) {
  const dir = await configDir(files);
  const loaded = await loadConfig({ file: join(dir, 'nerve.yaml'), instanceId });
  const short = (issue: Parameters<typeof formatIssue>[0]): string =>
    formatIssue(issue).replaceAll(`${dir}/`, '');
  return { ...loaded, dir, texts: loaded.issues.map(short), fatalTexts: loaded.fatal.map(short) };
}

describe('loadConfig', () => {
  it("gives airbnb's defaults to a minimal file", async () => {
    const { main, services, texts } = await load({ 'nerve.yaml': minimal });
    expect(texts).toEqual([]);
    expect(main).toMatchObject({
      instanceId: 'i-0abc',
      admin: { listen: [{ host: '127.0.0.1', port: 3454 }], access: {} },
      stopTimeout: 10,
      drainOnStop: false,
      maxConcurrentChecks: 256,
    });
    expect(services.get('web')).toEqual({
      name: 'web',
      source: 'web',
      instance: { host: '10.0.0.5', port: 8080, name: 'i-0abc' },
      checkIntervalMs: 500,
      ...{ mocked: false, checks: [] },
      rateLimit: { shadow: true, averageRate: Infinity, maxBurst: Infinity },
      lifecycle: {
        ...{ checkJitter: 0, startupGraceMs: 0 },
        drain: { minMs: 3000, maxMs: 60_000, doneIntervalMs: 1000 },
        ignoresHostDrain: false,
      },
      reporters: [
        {
          name: 'zookeeper',
          type: 'zookeeper',
          at: [],
          settings: {
            ...{ zkHosts: ['zk1:2181'], zkPath: '/services/web' },
            ...{ nodeType: 'ephemeral_sequential', usePathEncoding: false, zkEncode: { method: 'nerve' } },
          },
        },
      ],
    });
  });

  it("takes airbnb's own example, but for the check that is not there yet", async () => {
    const example = {
      instance_id: 'mymachine',
      max_repeated_report_failures: 10,
      statsd: { host: 'localhost', port: 8125 },
      heartbeat_path: '/run/nerve.heartbeat',
      services: {
        your_http_service: {
          host: '1.2.3.4',
          port: 3000,
          reporter_type: 'zookeeper',
          zk_hosts: ['localhost:2181'],
          zk_path: '/nerve/services/your_http_service/services',
          check_interval: 2,
          weight: 2,
          checks: [{ type: 'http', uri: '/health', timeout: 0.2, rise: 3, fall: 2 }],
        },
      },
    };
    const { services, texts } = await load({ 'nerve.yaml': JSON.stringify(example) });
    expect(texts).toEqual([]);
    expect(services.get('your_http_service')?.checks).toMatchObject([
      {
        type: 'http',
        uri: '/health',
        timeout: 0.2,
        openTimeout: 0.2,
        rise: 3,
        fall: 2,
        ssl: false,
        headers: {},
      },
    ]);
  });

  it('takes numbers in quotes where Ruby converts them, and keeps the type of a port', async () => {
    const { services, texts } = await load({
      'nerve.yaml': minimal
        .replace('port: 8080', 'port: "8080"')
        .concat(
          '    weight: "7"\n    checks: [{type: tcp, timeout: "0.2", rise: "3", fall: 2.0, port: "81"}]\n',
        ),
    });
    expect(services.get('web')?.instance).toEqual({
      host: '10.0.0.5',
      port: 8080,
      portAsText: true,
      name: 'i-0abc',
      weight: 7,
    });
    expect(services.get('web')?.checks).toMatchObject([{ timeout: 0.2, rise: 3, fall: 2, port: 81 }]);
    expect(texts).toEqual([
      'nerve.yaml:5:11 services.web.port: A quoted port is published as text, which Prometheus cannot read: remove the quotes (warning)',
    ]);
  });

  it('tells every issue with its place', async () => {
    const { main, texts, broken, services } = await load({
      'nerve.yaml': `instance_id: i-0abc
services:
  web:
    host: 10.0.0.5
    port: 70000
    zk_hosts: [zk1:2181]
    zk_path: services/web
    weight: -1
    checks:
      - type: http
      - type: ldap
      - {type: tcp, rise: 0}
  other:
    zk_hosts: []
`,
    });
    expect(texts).toMatchInlineSnapshot(`
      [
        "nerve.yaml:5:11 services.web.port: Too big: expected number to be <=65535",
        "nerve.yaml:7:14 services.web.zk_path: expected a path that starts with /",
        "nerve.yaml:8:13 services.web.weight: Too small: expected number to be >=0",
        "nerve.yaml:10:9 services.web.checks[0].uri: Required: expected string",
        "nerve.yaml:11:15 services.web.checks[1].type: Unknown type: expected http, tcp, exec, systemd, redis, rabbitmq, postgres, mysql, grpc, ttl, noop, or a module",
        "nerve.yaml:12:27 services.web.checks[2].rise: Too small: expected number to be >=1",
        "nerve.yaml:13:3 services.other.host: Required: expected string",
        "nerve.yaml:13:3 services.other.port: Required",
        "nerve.yaml:14:5 services.other.zk_path: Required",
        "nerve.yaml:14:15 services.other.zk_hosts: Too small: expected array to have >=1 items",
      ]
    `);
    expect([...broken]).toEqual(['web', 'other']);
    expect(services.size).toBe(0);
    // Nothing is wrong with the main file's own keys: a reload may go on with the other services.
    expect(main).toBeDefined();
  });

  it('ignores unknown keys with a warning, as Ruby does silently', async () => {
    const { services, texts, fatalTexts } = await load({
      'nerve.yaml': minimal.concat(
        '    chekcs: []\n    checks: [{type: tcp, timout: 1}]\nservice_conf_dri: x\nx-defaults: {a: 1}\n',
      ),
    });
    expect(texts).toMatchInlineSnapshot(`
      [
        "nerve.yaml:10:1 service_conf_dri: Unknown key is ignored; did you mean "service_conf_dir"? (warning)",
        "nerve.yaml:11:1 x-defaults: Unknown key is ignored (warning)",
        "nerve.yaml:8:5 services.web.chekcs: Unknown key is ignored; did you mean "checks"? (warning)",
        "nerve.yaml:9:26 services.web.checks[0].timout: Unknown key is ignored; did you mean "timeout"? (warning)",
      ]
    `);
    expect(fatalTexts).toEqual([]);
    expect(services.get('web')?.checks).toHaveLength(1);
  });

  it('lets a file of the directory go before the main file, whose definition may even be wrong', async () => {
    const { services, texts } = await load({
      'nerve.yaml': minimal.replace('port: 8080', 'port: wrong').concat('service_conf_dir: services.d\n'),
      'services.d/web.yaml': web.replace('8080', '9090'),
      'services.d/foo.bar.json': JSON.stringify({ host: 'h', port: 1, zk_hosts: ['z:1'], zk_path: '/p' }),
      'services.d/ignored.yml': 'not: read',
      'services.d/README': 'no',
    });
    expect(texts).toEqual([]);
    expect([...services.keys()]).toEqual(['web', 'foo.bar']);
    expect(services.get('web')?.instance.port).toBe(9090);
  });

  it('does not let a broken file of the directory touch the others', async () => {
    const { main, services, broken, texts, fatalTexts } = await load({
      'nerve.yaml': minimal.concat('service_conf_dir: services.d\n'),
      'services.d/bad.yaml': 'host: [unclosed',
      'services.d/empty.yaml': '',
      'services.d/good.yaml': web,
      'services.d/worse.yaml': web.replace('port: 8080', 'port: 0'),
    });
    expect(main).toBeDefined();
    expect([...services.keys()]).toEqual(['web', 'good']);
    expect([...broken]).toEqual(['bad', 'empty', 'worse']);
    expect(texts.every((text) => /^services\.d\/(bad|empty|worse)\.yaml/.test(text))).toBe(true);
    expect(fatalTexts).toEqual([]);
  });

  it('knows nothing when the main file or its directory cannot be read', async () => {
    const broken = await load({ 'nerve.yaml': 'instance_id: [\n' });
    expect(broken.main).toBeUndefined();
    expect(broken.fatalTexts).toHaveLength(1);
    const missing = await load({ 'nerve.yaml': minimal.concat('service_conf_dir: gone\n') });
    expect(missing.main).toBeUndefined();
    expect(missing.fatalTexts[0]).toMatch(/gone: The directory does not exist/);
    const none = await load({});
    expect(none.fatalTexts).toEqual(['nerve.yaml: The file does not exist']);
  });

  it('lets -i or the environment name the instance, unless it is empty', async () => {
    expect((await load({ 'nerve.yaml': minimal }, 'i-1')).services.get('web')?.instance.name).toBe('i-1');
    expect((await load({ 'nerve.yaml': minimal }, '')).main?.instanceId).toBe('i-0abc');
    const nameless = minimal.replace('instance_id: i-0abc\n', '');
    expect((await load({ 'nerve.yaml': nameless }, 'i-1')).main?.instanceId).toBe('i-1');
    expect((await load({ 'nerve.yaml': nameless })).fatalTexts).toEqual([
      'nerve.yaml:1:1 instance_id: Required, here or with -i or NERVE_INSTANCE_ID',
    ]);
    expect(
      (await load({ 'nerve.yaml': minimal.replace('i-0abc', '12345678901234567890') })).main?.instanceId,
    ).toBe('12345678901234567890');
  });

  it.each(['a/b', '\u0007', 'x\u0000'])(
    'refuses the instance id %j, which could not name a node',
    async (id) => {
      expect((await load({ 'nerve.yaml': minimal }, id)).main).toBeUndefined();
    },
  );

  it('makes the copies of a load test', async () => {
    const { services } = await load({ 'nerve.yaml': minimal.concat('    load_test_concurrency: 3\n') });
    expect([...services.keys()]).toEqual(['web_0', 'web_1', 'web_2']);
    expect([...services.values()].map(({ source }) => source)).toEqual(['web', 'web', 'web']);
  });

  it('refuses key files that are not there', async () => {
    const { texts, broken } = await load({
      'nerve.yaml': minimal.concat(
        '    zk_auth_file: /no/such/file\n    zk_tls: {ca_file: /no/such/ca.pem}\n',
      ),
    });
    expect(texts).toEqual([
      expect.stringMatching(/^nerve.yaml:8:19 services.web.zk_auth_file: ENOENT/),
      expect.stringMatching(/^nerve.yaml:9:13 services.web.zk_tls: ENOENT/),
    ]);
    expect([...broken]).toEqual(['web']);
  });

  it('warns of what has no effect', async () => {
    const { texts } = await load({
      'nerve.yaml': minimal.concat(
        '    rate_limiting: {average_rate: 1}\n    ttl_seconds: 60\n    weight: 300\n',
      ),
    });
    expect(texts.map((text) => text.split(' ')[1])).toEqual([
      'services.web.rate_limiting.shadow_mode:',
      'services.web.ttl_seconds:',
      'services.web.weight:',
    ]);
  });

  it.each([
    ['host', '"a b"'],
    ['host', '"a\\nserver evil"'],
    ['zk_path', '/a//b'],
    ['zk_path', '/a/../b'],
    ['zk_path', '"/a\\nb"'],
    ['zk_path', '/'],
    ['zk_hosts', '[":2181"]'],
    ['zk_hosts', '["zk:70000"]'],
    ['zk_hosts', '["zk:0"]'],
    ['zk_hosts', '[]'],
    ['port', '08080'],
    ['port', '1.5'],
    ['port', '"80 80"'],
    ['check_interval', '0'],
    ['check_interval', '.inf'],
    ['labels', '{a: .nan}'],
    ['labels', '[a]'],
    ['node_type', 'container'],
    ['reporter_type', 'consul'],
    ['checks', '[{type: http, uri: "/a b"}]'],
    ['checks', '[{type: http, uri: "/a\\r\\nHost: x"}]'],
    ['checks', '[{type: http, uri: /, headers: {"a b": c}}]'],
    ['checks', '[{type: http, uri: /, headers: {a: "c\\nd: e"}}]'],
    ['checks', '[{type: exec}]'],
    ['checks', '[{type: exec, command: []}]'],
    ['checks', '[tcp]'],
  ])('refuses %s: %s', async (key, value) => {
    const lines = web.split('\n').filter((line) => !line.startsWith(`${key}:`));
    const { broken, texts } = await load({
      'nerve.yaml': 'instance_id: i\nservice_conf_dir: d\n',
      'd/web.yaml': [...lines, `${key}: ${value}`].join('\n'),
    });
    expect([...broken]).toEqual(['web']);
    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(new RegExp(`^d/web.yaml:\\d+:\\d+ ${key}`));
  });
});
