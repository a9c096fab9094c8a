import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readHaproxyBlock, readServiceBlock, seedOfHost } from './blocks.js';
import { haproxySchema } from './schema.js';
import { haproxyServiceSchema } from './serviceSchema.js';

const ruby = {
  global: ['maxconn 100'],
  defaults: ['mode http'],
  config_file_path: '/etc/haproxy/haproxy.cfg',
  socket_file_path: '/var/haproxy/stats.sock',
  reload_command: 'service haproxy reload',
};

/** What a block does not pass for, as `path message`. */
function problems(block: unknown): readonly string[] {
  return readHaproxyBlock(block, 'h').issues.map(({ path, message }) => `${path.join('.')} ${message}`);
}
const config = (block: unknown) => readHaproxyBlock(block, 'host-1').config!;

describe('the top-level haproxy block', () => {
  it.each([{}, null, undefined])('stands on our presets when it says nothing (%j)', (block) => {
    const { base, ...rest } = config(block);
    expect(base.map(({ title }) => title)).toEqual(['global', 'defaults', 'listen synapse-stats']);
    expect(base[0]?.lines).toContain(
      'stats socket /run/synapse/haproxy-admin.sock mode 660 level admin expose-fd listeners',
    );
    expect(base[1]?.lines).toContain('option idle-close-on-response');
    expect(base[2]?.lines).toContain('bind 127.0.0.1:3212');
    expect(rest).toMatchObject({
      configFilePath: '/var/lib/synapse/haproxy.cfg',
      candidateConfigFilePath: '/var/lib/synapse/haproxy.cfg.tmp',
      socketFilePaths: ['/run/synapse/haproxy-admin.sock'],
      masterSocketPath: '/run/synapse/haproxy-master.sock',
      stateFilePath: '/var/lib/synapse/haproxy-state.json',
      keepVanished: false,
      restartIntervalMs: 2000,
      sectionKeywords: 'modern',
      doChecks: false,
    });
  });

  it('takes a Ruby file as it is', () => {
    expect(problems(ruby)).toEqual([]);
    expect(config(ruby)).toMatchObject({
      base: [
        { title: 'global', lines: ['maxconn 100'] },
        { title: 'defaults', lines: ['mode http'] },
      ],
      bindAddress: 'localhost',
      masterSocketPath: undefined,
      stateFilePath: undefined,
      sectionKeywords: 'ruby',
    });
  });

  it('gives a Ruby file the stats page only by its key', () => {
    const titles = (stats: unknown) => config({ ...ruby, stats }).base.map(({ title }) => title);
    expect(titles(true)).toEqual(['global', 'defaults', 'listen synapse-stats']);
    expect(titles(false)).toEqual(['global', 'defaults']);
    expect(config({ ...ruby, stats: '127.0.0.1:9' }).base.at(-1)?.lines).toContain('bind 127.0.0.1:9');
    expect(config({ stats: false }).base).toHaveLength(2);
  });

  it.each([
    [
      { config_file_path: undefined },
      'config_file_path `config_file_path` is required when `do_writes` is true',
    ],
    [{ config_file_path: undefined, do_writes: false }, undefined],
    [
      { socket_file_path: undefined },
      'socket_file_path `socket_file_path` is required when `do_socket` is true and `global` is given (its `stats socket`)',
    ],
    [{ socket_file_path: undefined, do_socket: false }, undefined],
    [
      { reload_command: undefined },
      'reload_command `reload_command` is required when `do_reloads` is true, unless there is a `master_socket_path`',
    ],
    [{ reload_command: undefined, master_socket_path: '/m' }, undefined],
    [{ reload_command: undefined, do_reloads: false }, undefined],
    [{ do_checks: true }, 'check_command `check_command` is required when `do_checks` is true'],
    [{ do_checks: true, check_command: 'true' }, undefined],
    [{ restart_interval: -1 }, 'restart_interval must not be negative'],
    [{ max_server_id: 0 }, 'max_server_id must be an integer from 1 to 2147483647'],
    [{ global: ['maxconn 1\nuser root'] }, 'global.0 must be a single line without control characters'],
  ])('with %j: %s', (change, problem) => {
    expect(problems({ ...ruby, ...change })).toEqual(problem === undefined ? [] : [problem]);
  });

  it('refuses sockets that HAProxy could not bind, or nobody connect to', () => {
    const path = (bytes: number): string => `/${'s'.repeat(bytes - 1)}`;
    const tooLong = (key: string, bytes: number, most: number): string =>
      `${key} too long for the path of a socket: ${bytes} bytes, at most ${most}`;
    expect(problems({ socket_file_path: path(97) })).toEqual([]);
    expect(problems({ socket_file_path: path(98) })).toEqual([tooLong('socket_file_path', 98, 97)]);
    expect(problems({ socket_file_path: `/${'é'.repeat(49)}` })).toEqual([
      tooLong('socket_file_path', 99, 97),
    ]);
    expect(problems({ ...ruby, socket_file_path: ['/a', path(107), path(108)] })).toEqual([
      tooLong('socket_file_path.2', 108, 107),
    ]);
    expect(problems({ managed: true, master_socket_path: path(98) })).toEqual([
      tooLong('master_socket_path', 98, 97),
    ]);
    expect(problems({ ...ruby, master_socket_path: path(107) })).toEqual([]);
    expect(problems({ ...ruby, master_socket_path: path(108) })).toEqual([
      tooLong('master_socket_path', 108, 107),
    ]);
  });

  it('reads what Ruby coerces, scalars for lists, and seeds of 128 bits (trap 2)', () => {
    const seed = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdefn;
    const block = {
      ...ruby,
      socket_file_path: ['/a', '/b'],
      restart_interval: '10',
      restart_jitter: '0.1',
      global: 'maxconn 5',
      do_checks: null,
    };
    expect(config({ ...block, server_order_seed: seed })).toMatchObject({
      serverOrderSeed: seed,
      socketFilePaths: ['/a', '/b'],
      restartIntervalMs: 10_000,
      restartJitter: 0.1,
    });
    expect(config({ ...block, server_order_seed: String(seed) }).serverOrderSeed).toBe(seed);
    expect(problems({ ...ruby, server_order_seed: 2 ** 60 })).toEqual([
      'server_order_seed lost digits beyond 2^53 on its way here; write it as a string',
    ]);
  });

  it('draws a seed that stays with the host', () => {
    expect(config(ruby).serverOrderSeed).toBe(seedOfHost('host-1'));
    expect(readHaproxyBlock(ruby, 'host-2').config?.serverOrderSeed).not.toBe(seedOfHost('host-1'));
    expect(config({ ...ruby, server_order_seed: 0 }).serverOrderSeed).toBe(0n);
  });

  it('reports unknown keys without refusing the file, and all errors at once', () => {
    expect(readHaproxyBlock({ ...ruby, doo_writes: true }, 'h')).toMatchObject({
      config: { doWrites: true },
      issues: [{ path: ['doo_writes'], message: 'unknown key, ignored', severity: 'warning' }],
    });
    expect(problems({ ...ruby, x: 1, managed: 5, stats: {}, socket_file_path: 5 })).toEqual(
      expect.arrayContaining([
        'x unknown key, ignored',
        'stats must be an address, true or false',
        'socket_file_path must be a path or a list of paths',
      ]),
    );
    expect(problems('text')).toHaveLength(1);
  });

  it('spares HAProxy the certificates that only its own HTTP client needs, unless something may use it', () => {
    const line = 'httpclient.ssl.verify none';
    const global = (block: object) => config(block).base[0]!.lines;
    expect(global({})).toContain(line);
    for (const each of ['lua-load /etc/x.lua', 'httpclient.retries 3', 'ocsp-update.mindelay 300'])
      expect(global({ presets: { extra_global: each } })).not.toContain(line);
    const asking = [
      'bind :443 ssl crt /etc/a.pem ocsp-update on',
      'bind :443 ssl crt-list /etc/certificates',
    ];
    expect(global({ extra_sections: { 'acme le': ['directory https://ca.example/'] } })).not.toContain(line);
    for (const bind of asking)
      expect(global({ extra_sections: { 'frontend tls': ['mode http', bind] } })).not.toContain(line);
    expect(global({ extra_sections: { 'frontend tls': ['bind :443 ssl crt /etc/a.pem'] } })).toContain(line);
    expect(global(ruby)).not.toContain(line);
  });

  it('changes single presets by key', () => {
    const { base } = config({
      presets: { maxconn: 99, timeout_tunnel: '2h', log: null, extra_global: 'user x' },
    });
    expect(base[0]?.lines).toEqual(expect.arrayContaining(['maxconn 99', 'user x']));
    expect(base[1]?.lines).toContain('timeout tunnel 2h');
    expect(base.flatMap(({ lines }) => lines).filter((line) => line.startsWith('log'))).toEqual([]);
    expect(problems({ presets: { timeout_tunnel: '1h\nuser root' } })).toEqual([
      'presets.timeout_tunnel must be a duration such as 500ms, 10s, 5m or 1h',
    ]);
  });

  it('has a JSON schema for editors, with a description on every key', () => {
    for (const schema of [haproxySchema, haproxyServiceSchema]) {
      const { properties } = z.toJSONSchema(schema, { io: 'input' });
      const silent = Object.entries(properties ?? {}).filter(
        ([, value]) => typeof value !== 'object' || value.description === undefined,
      );
      expect(silent).toEqual([]);
    }
  });
});

describe("a service's haproxy block", () => {
  const service = (block: unknown) => readServiceBlock(block);

  it('tells an absent port from a null one (trap 11)', () => {
    expect(service({}).config?.port).toBeUndefined();
    expect(service({ port: null }).config?.port).toBeNull();
    expect(service({ port: 80 }).config?.port).toBe('80');
    expect(service({ port: '8000-8010' }).config?.port).toBe('8000-8010');
    expect(service({ port: 70_000 }).issues).toHaveLength(1);
  });

  it.each([
    ['port', 1.5, 'must be a port from 1 to 65535, or a range of ports as text'],
    ['port', 70_000, 'must be a port from 1 to 65535, or a range of ports as text'],
    ['port', '80; evil', 'must be a port from 1 to 65535, or a range of ports as text'],
    ['port', [80], 'must be a port from 1 to 65535, or a range of ports as text'],
    ['server_port_override', true, 'must be an integer from 1 to 65535'],
    ['backend', { mode: 'tcp' }, 'must be a line or a list of lines, each without control characters'],
  ])('says what %s must be, instead of %j', (key, value, message) => {
    expect(service({ [key]: value }).issues).toEqual([{ path: [key], message, severity: 'error' }]);
  });

  it('takes a single line for a list (trap 13)', () => {
    expect(service({ listen: 'mode tcp', frontend: null }).config).toMatchObject({
      listen: ['mode tcp'],
      frontend: [],
    });
  });

  it('refuses templates that cannot be expanded (trap 12), and lines that are two', () => {
    expect(service({ server_options: 'check %{hots}' }).issues).toEqual([
      {
        path: ['server_options'],
        message: "stray % at '%{hots}': write %% for a percent sign, or one of %{host}, %{port}, %{name}",
        severity: 'error',
      },
    ]);
    expect(service({ server_options: 'check\nuser root' }).config).toBeUndefined();
    expect(service({ backend: ['mode tcp\nserver evil 1.2.3.4:5'] }).config).toBeUndefined();
    expect(service({ backend: ['mode tcp\n'] }).config?.backend).toEqual(['mode tcp']);
  });

  it('warns of what has no effect, as in Ruby (trap 14)', () => {
    expect(service({ use_nerve_weights: true }).issues).toMatchObject([{ severity: 'warning' }]);
    expect(service({ backend_order: 'alphabetical' })).toMatchObject({
      config: { backendOrder: 'shuffle' },
      issues: [{ path: ['backend_order'], severity: 'warning' }],
    });
  });
});

describe('callers of a service', () => {
  it.each<[unknown, string | undefined]>([
    [[{ name: 'batch', port: 81 }], undefined],
    [[{ name: 'a:b.c-d_e', socket: '/run/a.sock', bind_options: 'mode 660' }], undefined],
    [null, undefined],
    [[{ name: 'batch', port: 80 }], 'callers.0.port is that of the service itself'],
    [[{ name: 'batch' }], 'callers.0 needs a `port` or a `socket`'],
    [[{ name: 'batch', port: 81, socket: '/a' }], 'callers.0 needs a `port` or a `socket`'],
    [[{ name: 'a b', port: 81 }], 'callers.0.name must be'],
    [[{ name: 'a', socket: '/run/a b' }], 'callers.0.socket must be an absolute path'],
    [[{ name: 'a', socket: `/${'x'.repeat(97)}` }], 'callers.0.socket too long'],
    [[{ name: 'a', port: 81, bind_options: 'ssl\nbind :1' }], 'callers.0.bind_options must be a single line'],
    [
      [
        { name: 'a', port: 81 },
        { name: 'b', port: 81 },
      ],
      'callers must not have one address twice',
    ],
  ])('%j: %s', (callers, problem) => {
    const { config: read, issues } = readServiceBlock({ port: 80, callers });
    const told = issues.map(({ path, message }) => `${path.join('.')} ${message}`);
    if (problem === undefined) expect([told, read?.callers]).toEqual([[], callers ?? []]);
    else expect(told.join('; ')).toContain(problem);
  });
});
