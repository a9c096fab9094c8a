import { execFile } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Child, startProcess } from './childProcess.ts';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { makeTempDir, removeTempDir } from './tempDir.ts';

/** Whom all of these servers let in. */
export const account = { username: 'nerve', password: 'Tr0ub4dor-and-3' } as const;

/** A certificate for a server, as PEM files. */
export interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A real server on a port of the loopback. */
export interface DatabaseServer {
  readonly port: number;
  readonly process: Child;
  dispose(): Promise<void>;
}

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

/** The command that runs as another user, when this one may. */
function as(user: string, command: readonly string[]): readonly string[] {
  return isRoot ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', ...command] : command;
}

function start(command: readonly string[], env?: NodeJS.ProcessEnv): Child {
  const [program = '', ...args] = command;
  return startProcess(program, args, env === undefined ? {} : { env });
}

async function serving(child: Child, port: number, greeting: string, answers: RegExp): Promise<void> {
  const ask = (): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(greeting, 'latin1'));
      socket.setTimeout(500, () => socket.destroy());
      socket.on('error', reject);
      socket.on('close', () => resolve(false));
      socket.on('data', (chunk) => {
        resolve(answers.test(chunk.toString('latin1')));
        socket.destroy();
      });
    });
  await eventually(
    async () => {
      if (!child.running) throw new Error(`it exited: ${child.output}`);
      return await ask();
    },
    { what: `the server on port ${port} serves`, timeoutMs: 50_000, intervalMs: 20 },
  );
}

function running(port: number, child: Child, folder: string): DatabaseServer {
  const dispose = async (): Promise<void> => {
    await child.stop('SIGKILL');
    removeTempDir(folder);
  };
  return { port, process: child, dispose };
}

/** Starts Redis, with the account; on a second port with TLS. */
export async function startRedis(pair: Pair): Promise<DatabaseServer & { readonly tlsPort: number }> {
  const [port, tlsPort, folder] = [await freePort(), await freePort(), makeTempDir('redis')];
  const child = start([
    ...['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
    ...['--save', '', '--appendonly', 'no', '--daemonize', 'no'],
    ...['--tls-port', String(tlsPort), '--tls-cert-file', pair.certFile, '--tls-key-file', pair.keyFile],
    ...['--tls-ca-cert-file', pair.certFile, '--tls-auth-clients', 'no'],
    ...['--user', account.username, 'on', `>${account.password}`, '~*', '+@all'],
  ]);
  await serving(child, port, 'PING\r\n', /^\+PONG/);
  return { ...running(port, child, folder), tlsPort };
}

/** Starts PostgreSQL, with the account and TLS. */
export async function startPostgres(pair: Pair): Promise<DatabaseServer> {
  const [port, folder] = [await freePort(), makeTempDir('postgres')];
  const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a));
  const program = (name: string): string => `/usr/lib/postgresql/${versions[0] ?? ''}/bin/${name}`;
  const data = join(folder, 'data');
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(join(folder, 'password'), account.password);
  copyFileSync(pair.certFile, certFile);
  copyFileSync(pair.keyFile, keyFile);
  if (isRoot) {
    const owner = async (flag: string): Promise<number> =>
      Number((await run('id', [flag, 'postgres'])).stdout);
    const [user, group] = [await owner('-u'), await owner('-g')];
    for (const file of [folder, certFile, keyFile, join(folder, 'password')]) chownSync(file, user, group);
  }
  const init = [program('initdb'), '-D', data, '-A', 'scram-sha-256', '-U', account.username, '-N'];
  const [first = '', ...rest] = as('postgres', [...init, '--pwfile', join(folder, 'password')]);
  await run(first, rest, { cwd: folder });
  const settings = ['ssl=on', `ssl_cert_file=${certFile}`, `ssl_key_file=${keyFile}`];
  const child = start(
    as('postgres', [
      ...[program('postgres'), '-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F'],
      ...settings.flatMap((setting) => ['-c', setting]),
    ]),
  );
  // Whether it takes TLS: it says so before anyone logs in.
  await serving(child, port, '\0\0\0\x08\x04\xd2\x16\x2f', /^S/);
  return running(port, child, folder);
}

/** Starts MariaDB, with the account and TLS. */
export async function startMariadb(pair: Pair): Promise<DatabaseServer> {
  const [port, folder] = [await freePort(), makeTempDir('mariadb')];
  const data = join(folder, 'data');
  const user = isRoot ? ['--user=root'] : [];
  const setUp = ['--auth-root-authentication-method=normal', '--skip-test-db', ...user];
  await run('mariadb-install-db', ['--no-defaults', `--datadir=${data}`, ...setUp]);
  const created = `CREATE USER '${account.username}'@'%' IDENTIFIED BY '${account.password}';\n`;
  writeFileSync(join(folder, 'init.sql'), created);
  const child = start([
    ...['mariadbd', '--no-defaults', `--datadir=${data}`, `--port=${port}`, '--bind-address=127.0.0.1'],
    ...[`--socket=${join(folder, 'socket')}`, `--pid-file=${join(folder, 'pid')}`, '--skip-name-resolve'],
    ...[`--init-file=${join(folder, 'init.sql')}`, '--innodb-buffer-pool-size=8M', ...user],
    ...[`--ssl-cert=${pair.certFile}`, `--ssl-key=${pair.keyFile}`, '--innodb-flush-method=nosync'],
  ]);
  await serving(child, port, '', /mysql_native_password/);
  return running(port, child, folder);
}

/** Starts RabbitMQ, with guest and the account; on a second port with TLS. Takes some seconds. */
export async function startRabbitmq(pair: Pair): Promise<DatabaseServer & { readonly tlsPort: number }> {
  const [port, tlsPort, folder] = [await freePort(), await freePort(), makeTempDir('rabbitmq')];
  const at = (name: string): string => join(folder, name);
  const definitions = {
    users: [
      { name: account.username, password: account.password, tags: [] },
      { name: 'guest', password: 'guest', tags: [] },
    ],
    vhosts: [{ name: '/' }, { name: 'other/host' }],
    permissions: [
      { user: 'guest', vhost: '/', configure: '.*', write: '.*', read: '.*' },
      { user: account.username, vhost: 'other/host', configure: '.*', write: '.*', read: '.*' },
    ],
  };
  mkdirSync(at('home'));
  writeFileSync(at('definitions.json'), JSON.stringify(definitions));
  writeFileSync(at('plugins'), '[].\n');
  writeFileSync(
    at('rabbitmq.conf'),
    [
      `listeners.tcp.default = 127.0.0.1:${port}`,
      `listeners.ssl.default = 127.0.0.1:${tlsPort}`,
      `ssl_options.cacertfile = ${pair.certFile}`,
      `ssl_options.certfile = ${pair.certFile}`,
      `ssl_options.keyfile = ${pair.keyFile}`,
      'ssl_options.verify = verify_none',
      `load_definitions = ${at('definitions.json')}`,
      '',
    ].join('\n'),
  );
  // Whom it would start otherwise, as a daemon that stays.
  const epmdPort = String(await freePort());
  const epmd = start(['epmd', '-port', epmdPort, '-address', '127.0.0.1']);
  const child = start(['/usr/lib/rabbitmq/bin/rabbitmq-server'], {
    ...process.env,
    HOME: at('home'),
    RABBITMQ_CONF_ENV_FILE: at('none'),
    RABBITMQ_MNESIA_BASE: at('mnesia'),
    RABBITMQ_LOG_BASE: at('log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: at('plugins'),
    RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
    RABBITMQ_PID_FILE: at('pid'),
    RABBITMQ_NODENAME: `nerve${port}@localhost`,
    RABBITMQ_DIST_PORT: String(await freePort()),
    ERL_EPMD_PORT: epmdPort,
    // The server itself, not a script that waits for it.
    RUNNING_UNDER_SYSTEMD: '1',
    NOTIFY_SOCKET: '',
  });
  await serving(child, port, 'AMQP\0\0\x09\x01', /^\x01/);
  const server = running(port, child, folder);
  const dispose = async (): Promise<void> => {
    await server.dispose();
    await epmd.stop('SIGKILL');
  };
  return { ...server, tlsPort, dispose };
}
