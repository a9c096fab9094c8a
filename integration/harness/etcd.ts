import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Child, startProcess } from './childProcess.ts';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { makeTempDir, removeTempDir } from './tempDir.ts';

export interface EtcdOptions {
  /** A certificate and the authority whose clients are let in: then it speaks TLS only. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
}

/** Who a member is in its cluster: its name, and where the others find each of all. */
interface EtcdMember {
  readonly name: string;
  /** By name. */
  readonly peerPorts: ReadonlyMap<string, number>;
}

/** One etcd, of one member where nothing else is said, on a folder of its own. */
export interface EtcdServer {
  /** host:port for clients. */
  readonly address: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Deletes its data; it must not run. */
  wipe(): void;
  /** Asks its JSON gateway. */
  ask(path: string, body: object, token?: string): Promise<Record<string, unknown>>;
  /** Keys below a prefix with their values and leases, sorted. */
  keys(prefix: string): Promise<readonly EtcdKey[]>;
  dispose(): Promise<void>;
}

export interface EtcdKey {
  readonly key: string;
  readonly value: string;
  readonly lease: string;
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64');
const text = (encoded = ''): string => Buffer.from(encoded, 'base64').toString();

/** Prepares a server; nothing runs before `start`. */
export async function prepareEtcd({ tls }: EtcdOptions = {}, member?: EtcdMember): Promise<EtcdServer> {
  const port = await freePort();
  const { name, peerPorts } = member ?? { name: 'e1', peerPorts: new Map([['e1', await freePort()]]) };
  const folder = makeTempDir('etcd');
  const data = join(folder, 'data');
  const scheme = tls === undefined ? 'http' : 'https';
  const client = `${scheme}://127.0.0.1:${port}`;
  const peers = [...peerPorts].map(([one, at]) => [one, `http://127.0.0.1:${at}`] as const);
  const peer = new Map(peers).get(name) ?? '';
  const cluster = peers.map(([one, url]) => `${one}=${url}`).join(',');
  const args = [
    ...['--name', name, '--data-dir', data, '--unsafe-no-fsync'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', cluster],
    ...(tls === undefined
      ? []
      : ['--cert-file', tls.certFile, '--key-file', tls.keyFile, '--trusted-ca-file', tls.caFile]),
    ...(tls === undefined ? [] : ['--client-cert-auth']),
  ];
  let child: Child | undefined;
  const curlTls =
    tls === undefined ? [] : ['--cacert', tls.caFile, '--cert', tls.certFile, '--key', tls.keyFile];
  const server: EtcdServer = {
    address: `127.0.0.1:${port}`,
    async start() {
      child = startProcess('etcd', args);
      const started = child;
      await eventually(
        () => {
          if (!started.running) throw new Error(`etcd exited: ${started.output}`);
          const health = execFileSync('curl', ['-sS', '-m', '1', ...curlTls, `${client}/health`], {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'pipe'],
          });
          return health.includes('"true"');
        },
        { what: 'etcd serves', timeoutMs: 20_000, intervalMs: 20 },
      );
    },
    kill: async () => child?.stop('SIGKILL'),
    wipe: () => removeTempDir(data),
    async ask(path, body, token) {
      const response = await fetch(`${client}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        ...(token === undefined ? {} : { headers: { authorization: token } }),
      });
      return (await response.json()) as Record<string, unknown>;
    },
    async keys(prefix) {
      const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
      const answer = await server.ask('/v3/kv/range', { key: base64(prefix), range_end: base64(end) });
      const kvs = (answer.kvs ?? []) as Record<string, string>[];
      return kvs.map(({ key, value, lease = '0' }) => ({ key: text(key), value: text(value), lease }));
    },
    async dispose() {
      await child?.stop('SIGKILL');
      removeTempDir(folder);
    },
  };
  return server;
}

/** Starts a server and waits until it serves. */
export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdServer> {
  const server = await prepareEtcd(options);
  await server.start();
  return server;
}

/** Starts a cluster of so many members, and waits until all serve. */
export async function startEtcdCluster(size: number): Promise<readonly EtcdServer[]> {
  const names = Array.from({ length: size }, (_, n) => `e${n + 1}`);
  const peerPorts = new Map<string, number>();
  for (const name of names) peerPorts.set(name, await freePort());
  const members = await Promise.all(names.map((name) => prepareEtcd({}, { name, peerPorts })));
  await Promise.all(members.map((member) => member.start()));
  return members;
}
