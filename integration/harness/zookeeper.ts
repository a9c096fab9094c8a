import { mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { startProcess, type Child } from './childProcess.ts';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { makeTempDir, removeTempDir } from './tempDir.ts';

/** A real ZooKeeper server under the test's control. */
export interface ZooKeeperServer {
  readonly port: number;
  /** `127.0.0.1:port`, as an agent's configuration wants it. */
  readonly address: string;
  readonly pid: number;
  /** Starts it on its existing data and waits until it serves. */
  start(): Promise<void>;
  /** Starts it without waiting (a member of an ensemble serves only once there is a quorum). */
  launch(): void;
  ready(): Promise<void>;
  /** SIGTERM, and waits. */
  stop(): Promise<void>;
  /** SIGKILL, and waits. */
  kill(): Promise<void>;
  /** SIGSTOP: the kernel still accepts connections, nobody answers. */
  pause(): void;
  resume(): void;
  /** Throws all data away. Only while stopped. */
  wipe(): void;
  fourLetterWord(word: string): Promise<string>;
  /** Stops it and removes its files. */
  dispose(): Promise<void>;
}

export interface ZooKeeperOptions {
  readonly port?: number;
  /** Lines added to zoo.cfg. */
  readonly config?: readonly string[];
  /** Jars added to the class path, by path. */
  readonly jars?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  /** Member number in an ensemble. */
  readonly member?: number;
}

const baseConfig = [
  'tickTime=200',
  'initLimit=25',
  'syncLimit=10',
  'clientPortAddress=127.0.0.1',
  'maxClientCnxns=0',
  'minSessionTimeout=400',
  'maxSessionTimeout=60000',
  'admin.enableServer=false',
  '4lw.commands.whitelist=ruok,srvr,mntr,cons,wchs,dump',
];

const javaFlags = [
  '-Xms32m',
  '-Xmx128m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '-Dzookeeper.forceSync=no',
  '-Dzookeeper.preAllocSize=64',
  '-Dzookeeper.jmx.log4j.disable=true',
  '-Djava.net.preferIPv4Stack=true',
];

/** Sends one of ZooKeeper's four-letter words and returns the whole answer. */
export function fourLetterWord(port: number, word: string, timeoutMs = 2_000): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.write(word));
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer to ${word}`)));
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

/** Prepares a server; nothing runs before `start` or `launch`. */
export async function prepareZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeperServer> {
  const port = options.port ?? (await freePort());
  const folder = makeTempDir('zookeeper');
  const dataDir = join(folder, 'data');
  const configFile = join(folder, 'zoo.cfg');
  const lay = (): void => {
    mkdirSync(dataDir, { recursive: true });
    if (options.member !== undefined) writeFileSync(join(dataDir, 'myid'), `${options.member}\n`);
  };
  lay();
  writeFileSync(
    configFile,
    [...baseConfig, `dataDir=${dataDir}`, `clientPort=${port}`, ...(options.config ?? []), ''].join('\n'),
  );
  const mainClass =
    options.member === undefined
      ? 'org.apache.zookeeper.server.ZooKeeperServerMain'
      : 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
  const classPath = ['/usr/share/java/zookeeper.jar', ...(options.jars ?? [])].join(':');
  const properties = Object.entries(options.properties ?? {}).map(([key, value]) => `-D${key}=${value}`);
  let child: Child | undefined;
  const running = (): Child => {
    if (!child?.running) throw new Error('this ZooKeeper is not running');
    return child;
  };
  const server: ZooKeeperServer = {
    port,
    address: `127.0.0.1:${port}`,
    get pid() {
      return running().pid;
    },
    launch() {
      if (child?.running) throw new Error('this ZooKeeper is running already');
      child = startProcess('java', [...javaFlags, ...properties, '-cp', classPath, mainClass, configFile]);
    },
    async ready() {
      await eventually(
        async () => {
          if (!child?.running) throw new Error(`it exited: ${child?.output ?? ''}`);
          return /^Mode: (standalone|leader|follower)/m.test(await fourLetterWord(port, 'srvr', 500));
        },
        { what: `ZooKeeper on port ${port} serves`, timeoutMs: 30_000, intervalMs: 20 },
      );
    },
    async start() {
      server.launch();
      await server.ready();
    },
    stop: async () => child?.stop('SIGTERM'),
    kill: async () => child?.stop('SIGKILL'),
    pause: () => running().signal('SIGSTOP'),
    resume: () => running().signal('SIGCONT'),
    wipe() {
      if (child?.running) throw new Error('stop it before its data are wiped');
      removeTempDir(dataDir);
      lay();
    },
    fourLetterWord: (word) => fourLetterWord(port, word),
    async dispose() {
      await child?.stop('SIGKILL');
      removeTempDir(folder);
    },
  };
  return server;
}

/** Starts a standalone server on a fresh folder and waits until it serves. */
export async function startZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeperServer> {
  const server = await prepareZooKeeper(options);
  await server.start();
  return server;
}
