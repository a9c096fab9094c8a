import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHaproxyBlock } from '../block/blocks.js';
import { haproxyPoints } from './index.js';

let folder: string;
let servers: Server[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'checkup-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true });
});

const points = haproxyPoints((block, host) => {
  const { config, issues } = readHaproxyBlock(block, 'host', host);
  if (config === undefined) throw new Error(JSON.stringify(issues));
  return config;
});

function examine(id: string, block: object, host = {}) {
  const subject = { services: new Map(), view: { services: [] }, host, clock: systemClock, block };
  const point = points.find((each) => each.id === id);
  if (point === undefined) throw new Error(`there is no ${id}`);
  return point.examine(subject, new AbortController().signal);
}

/** A socket that answers whatever it is asked with this; undefined: with nothing. */
async function answering(name: string, answer: string | undefined): Promise<string> {
  const path = join(folder, name);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => answer !== undefined && socket.end(answer));
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(path, done));
  return path;
}

/** An executable that says that it is this version. */
function haproxyOf(line: string): string {
  const file = join(folder, 'haproxy');
  writeFileSync(file, `#!/bin/sh\necho '${line}'\n`);
  chmodSync(file, 0o755);
  return file;
}

describe('the version', () => {
  const traffic = { traffic: { latencies: true, stickCounter: 2 } };

  it.each([
    ['HA-Proxy version 1.8.27 2020/11/06', 'failed', /nothing before 2\.4/],
    ['HA-Proxy version 2.2.9-2 2021/05/17', 'failed', /nothing before 2\.4/],
    ['HAProxy version 2.4.30-1 2025/01/01', 'warning', /is a reload\n.*latencies cannot be counted/],
    ['HAProxy version 2.6.12-1+deb12u3 2025/10/03', 'passed', /^$/],
    ['HAProxy version 3.4-dev2-1234 2026/01/01', 'passed', /^$/],
    ['Segmentation fault', 'failed', /says nothing/],
  ])('%s: %s', async (line, outcome, details) => {
    const result = await examine('haproxy-version', { haproxy_binary: haproxyOf(line) }, traffic);
    expect(result.outcome).toBe(outcome);
    expect((result.details ?? []).join('\n')).toMatch(details);
  });

  it('is missing with the executable', async () => {
    const result = await examine('haproxy-version', { haproxy_binary: join(folder, 'none') });
    expect(result).toMatchObject({ outcome: 'failed', details: [expect.stringContaining('ENOENT')] });
  });
});

describe('the listeners', () => {
  const own = (socket: string) => ({
    ...{ global: ['maxconn 100', socket], config_file_path: '/f' },
    ...{ socket_file_path: '/s', master_socket_path: '/m' },
  });

  it.each([
    [{}, 'passed'],
    [own('stats socket /s level admin expose-fd listeners'), 'passed'],
    [own('stats socket /s level admin'), 'warning'],
    [own('# stats socket /s expose-fd listeners'), 'warning'],
  ])('%j: %s', async (block, outcome) => {
    expect((await examine('haproxy-expose-fd', block)).outcome).toBe(outcome);
  });
});

describe('the admin socket', () => {
  it.each([
    ['admin\n\n', 'passed', undefined],
    ['operator\n\n', 'failed', /level is operator/],
    ['HTTP/1.1 400 Bad request\r\n\r\n', 'failed', /level is HTTP/],
  ])('that answers %j: %s', async (answer, outcome, details) => {
    const path = await answering('admin.sock', answer);
    const result = await examine('haproxy-admin', { socket_file_path: path });
    expect(result.outcome).toBe(outcome);
    if (details) expect(result.details?.[0]).toMatch(details);
  });

  it('fails where nobody is, or somebody is silent', async () => {
    const none = await examine('haproxy-admin', { socket_file_path: join(folder, 'none') });
    expect(none).toMatchObject({ outcome: 'failed', details: [expect.stringContaining('ENOENT')] });
    const silent = await answering('silent.sock', undefined);
    const both = await examine('haproxy-admin', {
      socket_file_path: [await answering('a.sock', 'admin\n\n'), silent],
    });
    expect(both.outcome).toBe('failed');
    expect(both.details?.[0]).toContain(silent);
  });
});

describe('the ring of the tap', () => {
  const on = { traffic: { latencies: false, stickCounter: 2, tap: true } };
  const list = (...names: readonly string[]): string =>
    [
      'Supported events sinks are listed below.',
      ...names.map((name) => `    ${name} : type=buffer, 0 dropped,`),
    ]
      .join('\n')
      .concat('\n\n');
  const withRing = 'global\n\nring synapse-tap\n\tformat raw\n';

  it.each([
    ['there', withRing, list('buf0', 'synapse-tap'), on, 'passed'],
    ['not there yet', withRing, list('buf0', 'my-synapse-tap'), on, 'warning'],
    ['not in the file', 'global\n', list('buf0'), on, 'unknown'],
    ['not wanted', withRing, list('buf0'), {}, 'passed'],
    ['not told of', withRing, undefined, on, 'unknown'],
  ])('is %s', async (_, file, answer, host, outcome) => {
    const configFile = join(folder, 'haproxy.cfg');
    writeFileSync(configFile, file);
    const socket = await answering('ring.sock', answer);
    const block = { config_file_path: configFile, socket_file_path: socket };
    expect((await examine('observability-tap-ring', block, host)).outcome).toBe(outcome);
  });
});

const showProc = (failed: number, workers: readonly string[], old: readonly string[]): string =>
  [
    '#<PID>          <type>          <reloads>       <uptime>        <version>',
    `10              master          3 [failed: ${failed}]   0d00h10m00s     2.6.12`,
    ...['# workers', ...workers, '# old workers', ...old, '# programs', '', ''],
  ].join('\n');
const row = (pid: number, reloads: number, uptime: string): string =>
  `${pid}              worker          ${reloads}               ${uptime}     2.6.12`;

describe('the master', () => {
  it.each([
    ['is well', showProc(0, [row(11, 0, '0d00h05m00s')], []), 'passed', 'passed'],
    ['failed to reload', showProc(2, [row(11, 2, '0d00h05m00s')], []), 'failed', 'passed'],
    ['has no worker', showProc(0, [], []), 'failed', 'passed'],
    [
      'has old workers that hard-stop-after should have ended',
      showProc(0, [row(12, 0, '0d02h00m00s')], [row(11, 1, '0d03h00m00s')]),
      ...(['passed', 'failed'] as const),
    ],
    [
      'has many old workers',
      showProc(
        0,
        [row(99, 0, '0d00h00m01s')],
        [1, 2, 3, 4, 5, 6].map((n) => row(n, n, '0d00h01m00s')),
      ),
      ...(['passed', 'warning'] as const),
    ],
    ['is none', 'Unknown command\n', 'failed', 'unknown'],
  ])('%s', async (_what, answer, master, old) => {
    const block = { master_socket_path: await answering('master.sock', answer) };
    expect((await examine('haproxy-master', block)).outcome).toBe(master);
    expect((await examine('haproxy-old-workers', block)).outcome).toBe(old);
  });

  it('may be missing where a command reloads', async () => {
    const ruby = {
      ...{ global: ['stats socket /s'], config_file_path: '/f', socket_file_path: '/s' },
      reload_command: 'service haproxy reload',
    };
    expect((await examine('haproxy-master-worker', {})).outcome).toBe('passed');
    expect((await examine('haproxy-master-worker', ruby)).outcome).toBe('warning');
    expect((await examine('haproxy-master', ruby)).outcome).toBe('unknown');
  });
});
