import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority } from '../harness/certificates.ts';
import {
  account,
  type DatabaseServer,
  startMariadb,
  startPostgres,
  startRabbitmq,
  startRedis,
} from '../harness/databases.ts';
import { commandOf } from '../harness/commandOf.ts';
import { eventually } from '../harness/eventually.ts';
import { type GrpcServer, startGrpcServer } from '../harness/grpcHealth.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { type Nerve, startNerve } from './bed.ts';
import { freshPath, serviceAt, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const folder = makeTempDir('protocols');
const authority = makeAuthority(folder, 'ca');
const other = makeAuthority(folder, 'other');
const pair = authority.issue('server');
const passwordFile = join(folder, 'password');
writeFileSync(passwordFile, `${account.password}\n`);

let redis: DatabaseServer & { readonly tlsPort: number };
let rabbitmq: DatabaseServer & { readonly tlsPort: number };
let postgres: DatabaseServer;
let mysql: DatabaseServer;
let grpc: GrpcServer;
let grpcTls: GrpcServer;

beforeAll(async () => {
  const proto = resolve(import.meta.dirname, 'testdata/health.proto');
  [redis, rabbitmq, postgres, mysql, grpc, grpcTls] = await Promise.all([
    startRedis(pair),
    startRabbitmq(pair),
    startPostgres(pair),
    startMariadb(pair),
    startGrpcServer(proto),
    startGrpcServer(proto, pair),
  ]);
  grpc.statuses.set('web.Web', 'SERVING').set('web.Slow', 'NOT_SERVING');
});

afterAll(async () => {
  grpc.close();
  grpcTls.close();
  await Promise.all([redis, rabbitmq, postgres, mysql].map((server) => server.dispose()));
  removeTempDir(folder);
});

/** A check's options by a name for it, and why it fails; undefined: it passes. */
type Expected = Readonly<Record<string, readonly [options: object, why?: RegExp]>>;

interface Probed {
  readonly check: string;
  readonly steps: readonly { readonly step: string; readonly ok: boolean }[];
}

/** An agent with a service for each; waits until each has been judged. */
async function judged(checks: Expected, timeout = 5): Promise<Nerve> {
  const services = Object.entries(checks).map(([name, [check]]) => [
    name,
    serviceAt(bed.address, freshPath(), {
      check_interval: 0.3,
      checks: [{ host: '127.0.0.1', timeout, ...check }],
    }),
  ]);
  const nerve = await startNerve({ main: { services: Object.fromEntries(services) as object } });
  await eventually(async () => (await nerve.status()).services.every(({ health }) => health !== 'unknown'), {
    what: 'every service is judged',
    timeoutMs: 20_000,
  });
  return nerve;
}

async function verdicts(nerve: Nerve): Promise<Readonly<Record<string, string>>> {
  const { services } = await nerve.status();
  return Object.fromEntries(services.map(({ service, health, reason }) => [service, reason ?? health]));
}

const expected = (checks: Expected): object =>
  Object.fromEntries(
    Object.entries(checks).map(([name, [, why]]) => [name, why ? expect.stringMatching(why) : 'up']),
  );

const sockets = (nerve: Nerve): number =>
  readdirSync(`/proc/${nerve.pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${nerve.pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;

describe('checks of real servers', () => {
  const tls = { tls: true, tls_ca_file: authority.caFile };
  const known = { ...account };
  const byFile = { username: account.username, password_file: passwordFile };
  const wrong = { ...account, password: 'Not-it-at-all' };

  it('pass and fail for the right reasons, and tell no password', async () => {
    const checks: Expected = {
      redis: [{ type: 'redis', port: redis.port }],
      'redis-login': [{ type: 'redis', port: redis.port, ...byFile }],
      'redis-wrong': [{ type: 'redis', port: redis.port, ...wrong }, /AUTH: WRONGPASS/],
      'redis-tls': [{ type: 'redis', port: redis.tlsPort, ...known, ...tls }],
      'redis-tls-other': [
        { type: 'redis', port: redis.tlsPort, tls: true, tls_ca_file: other.caFile },
        /unable to verify|self.signed/,
      ],
      'redis-no-tls': [{ type: 'redis', port: redis.port, ...tls }, /TLS|SSL|wrong version/i],
      postgres: [{ type: 'postgres', port: postgres.port, ...known, database: 'postgres' }],
      'postgres-tls': [{ type: 'postgres', port: postgres.port, ...byFile, database: 'postgres', ...tls }],
      'postgres-name': [
        { type: 'postgres', port: postgres.port, ...known, ...tls, tls_server_name: 'db.internal' },
        /db\.internal/,
      ],
      'postgres-wrong': [
        { type: 'postgres', port: postgres.port, ...wrong },
        /password authentication failed/,
      ],
      'postgres-request': [
        { type: 'postgres', port: postgres.port, ...known, database: 'postgres', request: 'SELECT 1/0' },
        /division by zero/,
      ],
      'postgres-database': [
        { type: 'postgres', port: postgres.port, ...known, database: 'none' },
        /database "none" does not exist/,
      ],
      mysql: [{ type: 'mysql', port: mysql.port, ...known }],
      'mysql-tls': [{ type: 'mysql', port: mysql.port, ...byFile, ...tls }],
      'mysql-name': [
        { type: 'mysql', port: mysql.port, ...known, ...tls, tls_server_name: 'db.internal' },
        /db\.internal/,
      ],
      'mysql-wrong': [{ type: 'mysql', port: mysql.port, ...wrong }, /Access denied/],
      'mysql-request': [{ type: 'mysql', port: mysql.port, ...known, request: 'SELECT x' }, /Unknown column/],
      rabbitmq: [{ type: 'rabbitmq', port: rabbitmq.port }],
      'rabbitmq-vhost': [{ type: 'rabbitmq', port: rabbitmq.port, ...byFile, vhost: 'other/host' }],
      'rabbitmq-login': [{ type: 'rabbitmq', port: rabbitmq.port, queue: '' }],
      'rabbitmq-tls': [{ type: 'rabbitmq', port: rabbitmq.tlsPort, ...tls }],
      'rabbitmq-wrong': [{ type: 'rabbitmq', port: rabbitmq.port, ...wrong }, /ACCESS.REFUSED/],
      'rabbitmq-forbidden': [
        { type: 'rabbitmq', port: rabbitmq.port, vhost: 'other/host' },
        /does not let guest into other\/host/,
      ],
      grpc: [{ type: 'grpc', port: grpc.port }],
      'grpc-service': [{ type: 'grpc', port: grpc.port, grpc_service: 'web.Web' }],
      'grpc-down': [
        { type: 'grpc', port: grpc.port, grpc_service: 'web.Slow' },
        /the service is NOT_SERVING/,
      ],
      'grpc-unknown': [{ type: 'grpc', port: grpc.port, grpc_service: 'no' }, /NOT_FOUND: unknown service/],
      'grpc-tls': [{ type: 'grpc', port: grpcTls.port, ...tls }],
      'grpc-tls-other': [{ type: 'grpc', port: grpcTls.port, tls: true }, /unable to verify|self.signed/],
    };
    const nerve = await judged(checks);
    expect(await verdicts(nerve)).toEqual(expected(checks));
    const told = (await nerve.get('/status')).body + (await nerve.get('/metrics')).body + nerve.output;
    for (const password of [account.password, wrong.password]) expect(told).not.toContain(password);
  });

  it('show their steps when nerve probe runs them, and no password', async () => {
    const all = {
      redis: { type: 'redis', port: redis.tlsPort, ...byFile, ...tls },
      postgres: { type: 'postgres', port: postgres.port, ...byFile, database: 'postgres', ...tls },
      'postgres wrong': { type: 'postgres', port: postgres.port, ...wrong },
      mysql: { type: 'mysql', port: mysql.port, ...known, ...tls },
      'mysql request': { type: 'mysql', port: mysql.port, ...known, request: 'SELECT x' },
      rabbitmq: { type: 'rabbitmq', port: rabbitmq.port },
      'rabbitmq tls': { type: 'rabbitmq', port: rabbitmq.tlsPort, ...tls },
      'rabbitmq wrong': { type: 'rabbitmq', port: rabbitmq.port, ...wrong },
      grpc: { type: 'grpc', port: grpcTls.port, ...tls },
      'grpc down': { type: 'grpc', port: grpc.port, grpc_service: 'web.Slow' },
    };
    const checks = Object.entries(all).map(([name, check]) => ({
      ...{ name, host: '127.0.0.1', timeout: 5 },
      ...check,
    }));
    const web = serviceAt(bed.address, freshPath(), { checks });
    const file = join(folder, 'probe.json');
    writeFileSync(file, JSON.stringify({ instance_id: 'i', services: { web } }));
    const { code, stdout, stderr } = await commandOf('nerve', 'probe', 'web', '-c', file, '-o', 'json');
    expect([code, stderr]).toEqual([1, '']);
    const probed = JSON.parse(stdout) as { readonly checks: readonly Probed[] };
    const steps = probed.checks.map(({ check, steps }) => [
      check,
      steps.map(({ step, ok }) => `${step}${ok ? '' : '!'}`).join(' '),
    ]);
    expect(Object.fromEntries(steps)).toEqual({
      redis: 'password authorities connect tls AUTH PING EXISTS',
      postgres: 'password authorities connect login request',
      'postgres wrong': 'connect login!',
      mysql: 'authorities connect login request',
      'mysql request': 'connect login request!',
      rabbitmq: 'connect login channel queue message close',
      'rabbitmq tls': 'authorities connect login channel queue message close',
      'rabbitmq wrong': 'connect login!',
      grpc: 'authorities connect tls request answer',
      'grpc down': 'connect request answer!',
    });
    for (const password of [account.password, wrong.password]) expect(stdout).not.toContain(password);
  });

  it('fail against every server that speaks something else, and leave nothing behind', async () => {
    const ports = {
      redis: redis.port,
      postgres: postgres.port,
      mysql: mysql.port,
      rabbitmq: rabbitmq.port,
      grpc: grpc.port,
    };
    const pairs = Object.keys(ports).flatMap((type) =>
      Object.entries(ports).flatMap(([server, port]) =>
        type === server ? [] : [[`${type}-at-${server}`, [{ type, port }, /./]] as const],
      ),
    );
    const checks: Expected = Object.fromEntries(pairs);
    const nerve = await judged(checks, 0.2);
    expect(await verdicts(nerve)).toEqual(expected(checks));
    const rounds = async (): Promise<number> =>
      Math.min(...(await nerve.status()).services.map(({ checks: [check] }) => check?.last?.at ?? 0));
    const from = await rounds();
    await eventually(async () => (await rounds()) > from + 1_000, { what: 'some more rounds' });
    // One for each check that is at it, ZooKeeper's and those of the admin page.
    expect(sockets(nerve)).toBeLessThan(pairs.length + 10);
  });

  it('have PostgreSQL give up what they have given up', async () => {
    const server = { type: 'postgres', port: postgres.port, ...known, database: 'postgres' };
    const sleeping = "query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()";
    const forgotten = "query_start < now() - interval '1 second'";
    const checks: Expected = {
      sleeper: [
        { ...server, request: 'SELECT pg_sleep(30)', timeout: 0.2 },
        /no result within|statement timeout/,
      ],
      // Fails when a request is at it that was given up long ago.
      watcher: [
        {
          ...server,
          request: `SELECT 1 / (CASE WHEN count(*) > 0 THEN 0 ELSE 1 END) FROM pg_stat_activity WHERE ${sleeping} AND ${forgotten}`,
        },
      ],
    };
    const nerve = await judged(checks);
    const last = async (): Promise<number> => (await nerve.status()).services[0]?.checks[0]?.last?.at ?? 0;
    const from = await last();
    await eventually(async () => (await last()) > from + 2_500, { what: 'some more rounds' });
    expect(await verdicts(nerve)).toEqual(expected(checks));
    expect((await nerve.status()).services[1]?.transitions).toHaveLength(1);
  });

  it('fail while a server hangs, pass when it goes on, and leave it no connections', async () => {
    const slow: Expected = {
      redis: [{ type: 'redis', port: redis.port }],
      postgres: [{ type: 'postgres', port: postgres.port, ...known, database: 'postgres' }],
      mysql: [{ type: 'mysql', port: mysql.port, ...known }],
      rabbitmq: [{ type: 'rabbitmq', port: rabbitmq.port }],
    };
    const nerve = await judged(slow, 1);
    const hung = [redis, postgres, mysql, rabbitmq].map(({ process }) => process);
    await eventually(async () => Object.values(await verdicts(nerve)).every((is) => is === 'up'), {
      what: 'all are up',
      timeoutMs: 10_000,
    });
    for (const one of hung) one.signal('SIGSTOP');
    await eventually(
      async () => Object.values(await verdicts(nerve)).every((is) => is.endsWith('no result within 1 s')),
      { what: 'all are down', timeoutMs: 10_000 },
    );
    expect(sockets(nerve)).toBeLessThan(hung.length + 10);
    for (const one of hung) one.signal('SIGCONT');
    await eventually(async () => Object.values(await verdicts(nerve)).every((is) => is === 'up'), {
      what: 'all are up again',
      timeoutMs: 10_000,
    });
  });
});
