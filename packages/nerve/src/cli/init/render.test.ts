import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../config/load.js';
import { listener, machine, process } from '../../testing/machine.js';
import { type Listener, reachOf } from './listeners.js';
import { ownerOf } from './owner.js';
import { type Host, planFor } from './plan.js';
import { render } from './render.js';

const write = (host: Host, file?: string): string =>
  render(planFor(host), { hostName: host.name, interface: host.address?.interface, file });

/** What the agent itself makes of it; all that it complains of. */
function reader() {
  const folder = mkdtempSync(join(tmpdir(), 'nerve-init-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'nerve.yaml');
  return async (text: string) => {
    writeFileSync(file, text);
    return await loadConfig({ file });
  };
}

const busy = machine([
  [listener('0.0.0.0', 22), process('sshd', { pid: 1 })],
  [listener('0.0.0.0', 6379), process('redis-server', { pid: 812, unit: 'redis-server.service' })],
  [listener('10.0.0.5', 5432), process('postgres', { pid: 813 })],
  [listener('::', 3306), process('mariadbd', { pid: 814 })],
  [listener('::', 5672), process('beam.smp', { pid: 815, unit: 'rabbitmq-server.service' })],
  [
    listener('0.0.0.0', 8080),
    process('node', { pid: 816, argv: ['node', '/opt/web/server.js', '--password=s3cret'] }),
  ],
  [{ ...listener('0.0.0.0', 8081), uid: 33 }, undefined],
]);

describe('render', () => {
  it('writes a configuration that the agent takes without a word', async () => {
    const { issues, main, services } = await reader()(write(busy));
    expect(issues).toEqual([]);
    expect(main?.instanceId).toBe('vm1');
    const checks = [...services.values()].map(({ name, instance: { host, port }, checks: [check] }) => [
      ...[name, host, port, check?.type],
    ]);
    expect(checks).toEqual([
      ['mariadbd', '10.0.0.5', 3306, 'mysql'],
      ['postgres', '10.0.0.5', 5432, 'postgres'],
      ['rabbitmq-server', '10.0.0.5', 5672, 'rabbitmq'],
      ['redis-server', '10.0.0.5', 6379, 'redis'],
      ['web', '10.0.0.5', 8080, 'tcp'],
      ['www-data', '10.0.0.5', 8081, 'tcp'],
    ]);
  });

  it('has the alternatives in its comments valid as well', async () => {
    const text = write(busy).replaceAll(/^( *)# (- \{ type: .*)$/gm, '$1$2');
    const { issues, services } = await reader()(text);
    expect(issues).toEqual([]);
    expect([...services.values()].map(({ checks }) => checks.map(({ type }) => type))).toContainEqual([
      'tcp',
      'http',
    ]);
  });

  it('says why, what was left out, and what is to be done', () => {
    const text = write(busy, '/etc/nerve/nerve.yaml');
    for (const said of [
      'nerve --check-config --config /etc/nerve/nerve.yaml',
      'in place of zookeeper.invalid:2181',
      '# 0.0.0.0:6379: redis-server (process 812, redis-server.service).',
      'Its name says redis, and port 6379 is its usual one.',
      '# - 0.0.0.0:22, sshd (process 1): a way in for administrators',
      '# Who owns 1 of the 7 ports could not be seen',
      '# 0.0.0.0:8081: user www-data, its process could not be seen.',
    ])
      expect(text).toContain(said);
    expect(text).not.toContain('s3cret');
  });

  it('quotes the name of the file for a shell, and knows a name that is no name', () => {
    expect(write(busy, "it's mine.yaml")).toContain(`--config 'it'\\''s mine.yaml'`);
    expect(write({ ...busy, name: 'localhost.localdomain' })).toContain('choose another');
    expect(write(busy)).not.toContain('choose another');
  });

  it('uses the ZooKeeper that runs here', async () => {
    const zooKeeper = process('java', { pid: 5, unit: 'zookeeper.service' });
    const text = write(
      machine([
        [listener('::', 2181), zooKeeper],
        [listener('::', 80), process('web')],
      ]),
    );
    expect(text).toContain('Is 10.0.0.5:2181, which runs here,');
    expect((await reader()(text)).services.get('web')?.reporters).toMatchObject([
      { settings: { zkHosts: ['10.0.0.5:2181'] } },
    ]);
  });

  it('is valid where nothing listens, and without an address', async () => {
    const { issues, services } = await reader()(write(machine([])));
    expect({ issues, count: services.size }).toEqual({ issues: [], count: 0 });
    const alone = { ...machine([[listener('::', 80), process('web')]]), address: undefined };
    expect((await reader()(write(alone))).services.get('web')?.instance.host).toBe('127.0.0.1');
  });

  it('takes no time for thousands of ports', async () => {
    const ports = Array.from({ length: 20_000 }, (_, at) => at + 1);
    const one = process('mesh', { unit: 'mesh.service' });
    const host = machine(ports.map((port) => [listener('0.0.0.0', port), port % 2 === 0 ? one : undefined]));
    const started = performance.now();
    const text = write(host);
    // What grows with the square of their number takes a minute.
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(text.split('\n').length).toBeGreaterThan(100_000);
  });

  it('is valid whatever anybody calls a process, a unit, a user or the host', async () => {
    const read = reader();
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ unit: 'grapheme', maxLength: 4096 }),
      fc.constantFrom(
        ...[
          '\n',
          '\r',
          '\u0085',
          '\u2028',
          '\0',
          '\ufeff',
          '\ud800',
          '\uffff',
          "'",
          '"',
          '\\',
          ': ',
          ' #',
          '- ',
          '%YAML',
        ],
        ...[
          '\nservices: {}',
          '...\n---\n',
          '&a *a',
          '<<: *a',
          '!ruby/object:x',
          'yes',
          'null',
          '~',
          '1_000',
          '12:30',
          '0x1f',
          '.',
          '..',
        ],
        ...[
          '__proto__',
          'constructor',
          'toString',
          '<%= 1 %>',
          'a'.repeat(4096),
          'x/y',
          '/',
          '\u202e',
          'é'.repeat(4096),
        ],
      ),
    );
    const text = fc.oneof(
      hostile,
      fc.tuple(hostile, hostile, hostile).map((parts) => parts.join('')),
    );
    const argv = fc.oneof(
      fc.array(text, { maxLength: 4 }),
      text.map((script) => ['node', script]),
      text.map((jar) => ['java', '-jar', `${jar}.jar`]),
    );
    const owner = fc.tuple(text, argv, fc.option(text)).map(([comm, words, unit]) =>
      ownerOf(7, {
        comm: words[0] === 'node' || words[0] === 'java' ? words[0] : comm,
        cmdline: words.join('\0'),
        cgroup: unit === null ? '' : `0::/system.slice/${unit}.service\n`,
      }),
    );
    const address = fc.constantFrom(
      '0.0.0.0',
      '::',
      '10.0.0.9',
      '2001:db8::5',
      '127.0.0.1',
      '1:2:3:4:5:6:7:8',
    );
    const socket = fc
      .tuple(
        address,
        fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.constantFrom(6379, 5432, 3306, 5672, 2181)),
      )
      .map(([at, port]): Listener => ({ ...listener(at, port), uid: port }));
    const sockets = fc.uniqueArray(fc.tuple(socket, fc.option(owner, { nil: undefined })), {
      maxLength: 6,
      selector: ([{ port }]) => port,
    });
    await fc.assert(
      fc.asyncProperty(sockets, text, text, async (all, name, user) => {
        const host = { ...machine(all), name, users: new Map(all.map(([{ uid }]) => [uid, user])) };
        const plan = planFor(host);
        const written = write(host, name);
        const { issues, services, main } = await read(written);
        expect(issues).toEqual([]);
        expect(main?.instanceId).toBeTruthy();
        // The keys of a map that are numbers come first, whatever their order in the file.
        expect(new Set(services.keys())).toEqual(new Set(plan.proposals.map(({ service }) => service)));
        expect(services.size).toBe(plan.proposals.length);
        expect(plan.proposals.length + plan.skipped.length).toBe(all.length);
        for (const { service, port, addresses } of plan.proposals) {
          const definition = services.get(service);
          expect(definition?.instance.port).toBe(port);
          expect(definition?.reporters).toMatchObject([{ settings: { zkPath: `/services/${service}` } }]);
          expect(addresses.map(reachOf)).not.toEqual(['loopback']);
        }
        // What libyaml, which the Ruby nerve reads with, calls printable; and nobody's eyes are flooded.
        expect(written).toMatch(/^[\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u);
        expect(Math.max(...written.split('\n').map((line) => line.length))).toBeLessThan(700);
      }),
      { numRuns: 150 },
    );
  });
});
