import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { executableOf, startAgent } from '../harness/agents.ts';
import type { Child } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { haproxyBinary, startHaproxy } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = makeTempDir('cli');
  file = join(folder, 'synapse.yaml');
});
afterEach(() => removeTempDir(folder));

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [executableOf('synapse'), ...args], {
    ...{ encoding: 'utf8', env: { ...process.env, ...env }, timeout: 20_000 },
  });
  return { status, stdout, stderr };
}

const service = [
  'services:',
  '  web:',
  "    discovery: {method: zookeeper, hosts: ['127.0.0.1:1'], path: /s/web}",
  '    haproxy: {port: 3213}',
  '    default_servers: [{host: 10.0.0.1, port: 80, name: spare}]',
  '',
].join('\n');

describe('synapse', () => {
  it('-k says what is wrong, with its place, and exits with 0 or 1', () => {
    writeFileSync(file, `haproxy: {}\n${service}`);
    expect(run(['-k', '-c', file])).toMatchObject({ status: 0, stderr: '' });
    writeFileSync(file, `haproxy: {}\nhaproxi: {}\n${service.replace('port: 80', 'port: 80000')}`);
    const bad = run(['-k'], { SYNAPSE_CONFIG: file });
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain(`${file}:2:1 haproxi: Unknown key, did you mean "haproxy"?`);
    expect(bad.stderr).toContain(`${file}:7:46 services.web.default_servers[0].port: `);
    expect(bad.stderr).toContain('2 errors');
  });

  it('exits with 78 for a configuration that it cannot use, and 64 for a command line', () => {
    writeFileSync(file, 'haproxy: {');
    expect(run(['-c', file]).status).toBe(78);
    expect(run(['-c', join(folder, 'missing.yaml')]).status).toBe(78);
    writeFileSync(file, 'haproxy: {}');
    writeFileSync(join(folder, 'agent.yaml'), 'admin: {listen: none}');
    const agent = run(['-c', file]);
    expect(agent.status).toBe(78);
    expect(agent.stderr).toContain('agent.yaml:1:17');
    expect(run(['--nonsense', '-c', file]).status).toBe(64);
    expect(run([], { SYNAPSE_CONFIG: '' }).status).toBe(64);
  });

  it('tells of two services on one port by both names, and that the HAProxy that runs may open too few files', async () => {
    const block = 'discovery: {method: base}, default_servers: [{name: a, host: 10.0.0.1, port: 80}]';
    const two = ['a', 'b'].map((name) => `  ${name}: {${block}, haproxy: {port: 3299}}`).join('\n');
    const top = (maxconn: number): string =>
      `haproxy: {presets: {maxconn: ${maxconn}}, master_socket_path: ${folder}/master.sock}\nservices:\n${two}\n`;
    const config = ['global', `stats socket ${folder}/admin.sock`, 'maxconn 100', 'listen a', 'mode http'];
    const lines = [...config, 'timeout client 1s', 'timeout server 1s', 'timeout connect 1s'];
    const listen = [...lines, `bind 127.0.0.1:${await freePort()}`, ''].join('\n');
    const haproxy = await startHaproxy({ dir: folder, config: listen, openFiles: 1_000 });
    try {
      writeFileSync(file, top(2000));
      const { status, stderr } = run(['-k', '-c', file]);
      expect(status).toBe(0);
      expect(stderr).toContain('b: 127.0.0.1:3299 already belongs to service a');
      expect(stderr).toMatch(/needs at least 40\d\d file descriptors .* may open 1000/);
      writeFileSync(file, top(300));
      expect(run(['-k', '-c', file]).stderr).not.toContain('file descriptors');
    } finally {
      await haproxy.stop();
    }
    writeFileSync(file, top(2000));
    expect(run(['-k', '-c', file]).stderr).not.toContain('file descriptors');
  });

  it('renders the haproxy.cfg that a catalog leads to', () => {
    writeFileSync(file, `haproxy: {}\n${service}`);
    const empty = run(['render', '-c', file]);
    expect(empty.status).toBe(0);
    expect(empty.stdout).toContain('server spare_10.0.0.1:80 10.0.0.1:80 id 1\n');
    const catalog = join(folder, 'catalog.yaml');
    writeFileSync(catalog, "web: [{host: 10.1.1.1, port: 81, name: a}, {host: 'x y', port: 1}]");
    const { status, stdout, stderr } = run(['render', '-c', file, '--catalog', catalog]);
    expect(status).toBe(0);
    expect(stdout).toContain('server a_10.1.1.1:81 10.1.1.1:81 id 1\n');
    expect(stdout).not.toContain('spare');
    expect(stderr).toContain('x y');
    const config = join(folder, 'rendered.cfg');
    writeFileSync(config, stdout);
    const haproxy = spawnSync(haproxyBinary, ['-c', '-f', config], { encoding: 'utf8' });
    expect({ status: haproxy.status, stderr: haproxy.stderr }).toMatchObject({ status: 0 });
    writeFileSync(catalog, 'web: [{host: h}]');
    expect(run(['render', '-c', file, '--catalog', catalog]).status).toBe(78);
  });
});

describe('synapse -k', () => {
  const missing = 'haproxy_binary: /no/such/haproxy';

  it('says that there is no HAProxy: a warning, and an error where synapse is to start it', () => {
    writeFileSync(file, `haproxy: {${missing}}\n${service}`);
    const external = run(['-k', '-c', file]);
    expect(external.status).toBe(0);
    expect(external.stderr).toContain(
      `${file}:1:27 haproxy.haproxy_binary: /no/such/haproxy -v does not run, so that new files are not checked`,
    );
    expect(external.stderr).toContain('(warning)');
    writeFileSync(file, `haproxy: {${missing}, managed: true}\n${service}`);
    const managed = run(['-k', '-c', file]);
    expect(managed.status).toBe(1);
    expect(managed.stderr).toContain('so that there is no HAProxy to start (spawn /no/such/haproxy ENOENT)');
    writeFileSync(file, `haproxy: {${missing}, do_writes: false}\n${service}`);
    expect(run(['-k', '-c', file])).toMatchObject({ status: 0, stderr: '' });
  });

  it('gives the place of each socket whose path is too long', () => {
    const long = `/${'s'.repeat(120)}`;
    writeFileSync(
      file,
      `haproxy:\n  managed: true\n  master_socket_path: ${long}\n  socket_file_path:\n    - /a\n    - ${long}\n${service}`,
    );
    writeFileSync(join(folder, 'agent.yaml'), `admin:\n  listen: [127.0.0.1:1, ${long}]\n`);
    const { status, stderr } = run(['-k', '-c', file]);
    expect(status).toBe(1);
    const said = 'too long for the path of a socket: 121 bytes, at most';
    expect(stderr).toContain(`${file}:3:23 haproxy.master_socket_path: ${said} 97`);
    expect(stderr).toContain(`${file}:6:7 haproxy.socket_file_path[1]: ${said} 97`);
    expect(stderr).toContain(`${folder}/agent.yaml:2:25 admin.listen[1]: ${said} 107`);
  });
});

describe('synapse render', () => {
  it('knows where this host is, and says so where it does not', () => {
    const near = '{host: 10.0.0.1, port: 80, labels: {zone: a}}';
    writeFileSync(
      file,
      [
        'haproxy: {}',
        'services:',
        '  web:',
        '    discovery: {method: base}',
        `    default_servers: [${near}, {host: 10.0.0.2, port: 80}]`,
        '    haproxy: {port: 3213, locality: {levels: [zone]}}',
      ].join('\n'),
    );
    const missing = run(['render', '-c', file]);
    expect(missing.stderr).toContain('the location of this host (agent.yaml) has no `zone`');
    expect(missing.stdout).not.toContain('web.zone');
    writeFileSync(join(folder, 'agent.yaml'), 'location: {zone: {env: ZONE}}');
    const { stdout, stderr } = run(['render', '-c', file], { ZONE: 'a' });
    expect(stderr).toBe('');
    expect(stdout).toContain('\tuse_backend web.zone if { nbsrv(web.zone) ge 2 }');
    expect(stdout.split('backend web.zone from synapse-counted\n')[1]).not.toContain('10.0.0.2');
    expect(run(['-k', '-c', file])).toMatchObject({ status: 1 });
  });

  it('resolves host names, and says which have no address', () => {
    writeFileSync(file, `haproxy: {}\n${service}`);
    const catalog = join(folder, 'catalog.yaml');
    writeFileSync(
      catalog,
      'web: [{host: localhost, port: 81, name: a}, {host: no-such-host.invalid, port: 82, name: b}]',
    );
    const { status, stdout, stderr } = run(['render', '-c', file, '--catalog', catalog]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/server a_localhost:81 (127\.0\.0\.1|\[?::1\]?):81 /);
    expect(stdout).not.toContain('no-such-host');
    expect(stderr).toMatch(/cannot resolve no-such-host\.invalid: getaddrinfo/);
  });
});

describe('the process', () => {
  let synapse: Child | undefined;
  afterEach(() => synapse?.stop());

  /** Without reloads, sockets or a HAProxy: what matters here is the process. */
  async function start(env: NodeJS.ProcessEnv = {}, given?: number): Promise<number> {
    const port = given ?? (await freePort());
    writeFileSync(
      file,
      `haproxy: {do_socket: false, do_reloads: false, config_file_path: ${folder}/haproxy.cfg}\n${service}`,
    );
    writeFileSync(
      join(folder, 'agent.yaml'),
      `admin: {listen: "127.0.0.1:${port}"}\nreconcile: {startup_deadline: 0.2}\nlog: {format: json}\n`,
    );
    synapse = startAgent('synapse', ['-c', file], { env: { ...process.env, ...env } });
    return port;
  }
  const ready = (port: number) =>
    eventually(async () => (await get({ port, path: '/readyz' })).status === 200, {
      what: 'ready',
      timeoutMs: 20_000,
    });

  it('starts and stops without ZooKeeper; default servers stand in', async () => {
    const port = await start();
    await ready(port);
    expect(readFileSync(join(folder, 'haproxy.cfg'), 'utf8')).toContain('server spare_10.0.0.1:80');
    // go-synapse's names for the same. Of web's registry nothing is known.
    expect(await get({ port, path: '/ready' })).toMatchObject({ status: 200, body: 'true' });
    const { body } = await get({ port, path: '/metrics?compat=go-synapse' });
    expect(body).toContain('synapse_router_update_failure{type="haproxy"} 0\n');
    expect(body).not.toContain('web');
    synapse!.signal('SIGTERM');
    expect(await synapse!.exited).toBe(0);
    expect(synapse!.output).toContain('synapse has exited');
  });

  it('keeps the routes although its admin address is taken, and serves it once it is free', async () => {
    const squatter = createServer((_, response) => response.writeHead(418).end());
    const taken = await freePort();
    await new Promise<void>((done) => squatter.listen(taken, '127.0.0.1', done));
    await start({}, taken);
    await eventually(() => synapse!.output.includes('"message":"ready"'), {
      what: 'it is ready',
      timeoutMs: 20_000,
    });
    await eventually(() => synapse!.output.includes('in use by another process'), {
      what: 'it tells why there is no API',
      timeoutMs: 20_000,
    });
    await new Promise((done) => squatter.close(done));
    squatter.closeAllConnections();
    await ready(taken);
  });

  it('tells systemd that it is ready, that it reloads, that it lives and that it stops', async () => {
    // systemd-notify itself is tested in a real systemd; here it only writes down what it was asked.
    const bin = join(folder, 'bin');
    const said = join(folder, 'said');
    mkdirSync(bin);
    writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${said}\n`);
    chmodSync(join(bin, 'systemd-notify'), 0o755);
    writeFileSync(said, '');
    const port = await start({
      NOTIFY_SOCKET: join(folder, 'socket'),
      WATCHDOG_USEC: '200000',
      PATH: `${bin}:${process.env.PATH ?? ''}`,
    });
    const hears = (what: RegExp) =>
      eventually(() => what.test(readFileSync(said, 'utf8')), { what: String(what), timeoutMs: 20_000 });
    await hears(/^READY=1 STATUS=1 service \(1 without a live source\), 1 instance$/m);
    await hears(/^WATCHDOG=1$/m);
    await ready(port);
    synapse!.signal('SIGHUP');
    await hears(/^RELOADING=1 MONOTONIC_USEC=\d+(.|\n)*^READY=1/m);
    synapse!.signal('SIGTERM');
    await hears(/^STOPPING=1/m);
    expect(await synapse!.exited).toBe(0);
  });
});
