import { openSession, type Stat, type ZkPath, type ZkSession } from '@smartstack/registry';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Child, startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';

const built = resolve(import.meta.dirname, '../../packages/nerve/bin/nerve.js');

/** A file's content: text as it is, anything else as JSON, which is YAML. */
type Content = string | object;

/** A registrar on a folder of its own. */
export interface Nerve extends Child {
  readonly folder: string;
  readonly admin: number;
  /** Writes a file below the folder, by rename as good editors do. */
  write(name: string, content: Content): void;
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
  /** /status, parsed. */
  status(): Promise<Status>;
}

/** What the tests look at of /status. */
interface Status {
  readonly config: { readonly valid: boolean; readonly issues: readonly string[] };
  readonly services: readonly {
    readonly service: string;
    readonly health: string;
    readonly reason?: string;
    readonly registration: { readonly kind: string; readonly place?: string; readonly error?: string };
    readonly drain?: { readonly phase: string };
    readonly checks: readonly { readonly last?: { readonly at: number } }[];
    readonly transitions: readonly { readonly to: string }[];
  }[];
}

export interface NerveOptions {
  readonly main: object;
  readonly files?: Readonly<Record<string, Content>>;
  readonly env?: NodeJS.ProcessEnv;
  readonly args?: readonly string[];
  /** The executable; the one that was built by default. */
  readonly program?: string;
  /** Put before Node and its arguments: a program that runs what follows. */
  readonly wrapper?: readonly string[];
  /** Runs in the folder of another one, on its files. */
  readonly folder?: string;
}

/** Starts nerve with `main` as its main file. Killed when the test ends. */
export async function startNerve(options: NerveOptions): Promise<Nerve> {
  const { main, files = {}, env, args = [], folder, program = built, wrapper = [] } = options;
  const admin = await freePort();
  const home = folder ?? makeTempDir('nerve');
  const write = (name: string, content: Content): void => {
    const path = join(home, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, typeof content === 'string' ? content : JSON.stringify(content));
    renameSync(`${path}.new`, path);
  };
  write('nerve.yaml', { instance_id: 'i-0abc', admin: { listen: `127.0.0.1:${admin}` }, ...main });
  for (const [name, content] of Object.entries(files)) write(name, content);
  const words = [...wrapper, process.execPath, program, '-c', join(home, 'nerve.yaml'), ...args];
  const child = startProcess(words[0] ?? '', words.slice(1), {
    cwd: home,
    env: { ...process.env, ...env },
  });
  onTestFinished(async () => {
    await child.stop('SIGKILL');
    // Too many listeners, deprecations, and whatever else Node has to say of a program.
    expect(child.output.split('\n').filter((line) => /^\(node:\d+\)/.test(line))).toEqual([]);
    if (folder === undefined) removeTempDir(home);
  });
  const get: Nerve['get'] = async (path) => {
    const response = await fetch(`http://127.0.0.1:${admin}${path}`);
    return { status: response.status, body: await response.text() };
  };
  return {
    ...child,
    get running() {
      return child.running;
    },
    get output() {
      return child.output;
    },
    folder: home,
    admin,
    write,
    get,
    status: async () => JSON.parse((await get('/status')).body) as Status,
  };
}

/** Waits until the agent says that the registry holds what it should. */
export async function ready(nerve: Nerve): Promise<void> {
  await eventually(
    async () => {
      if (!nerve.running) throw new Error(`nerve exited: ${nerve.output}`);
      const { status, body } = await nerve.get('/readyz');
      if (status !== 200) throw new Error(body);
      return true;
    },
    { what: 'nerve is ready', timeoutMs: 15_000, intervalMs: 20 },
  );
}

/** A client of its own to look at ZooKeeper with; closed when the test ends. */
export function observe(address: string): ZkSession {
  const session = openSession({ hosts: [address], sessionTimeoutMs: 10_000 });
  onTestFinished(() => session.close({ deadlineMs: 500 }));
  return session;
}

/** A node as it stands in ZooKeeper. */
export interface Node {
  readonly path: ZkPath;
  readonly data: string;
  readonly stat: Stat;
}

/** The children of a node with their data; none if the node is not there. */
export async function children(session: ZkSession, parent: ZkPath): Promise<readonly Node[]> {
  if ((await session.exists(parent)) === undefined) return [];
  const { children: names } = await session.getChildren(parent);
  const nodes = names.map(async (name) => {
    const path: ZkPath = parent === '/' ? `/${name}` : `${parent}/${name}`;
    const { data, stat } = await session.getData(path);
    return { path, data: data.toString(), stat };
  });
  return await Promise.all(nodes);
}

/** Everything below a node, itself included, sorted by path. */
export async function tree(session: ZkSession, root: ZkPath): Promise<readonly Node[]> {
  if ((await session.exists(root)) === undefined) return [];
  const { data, stat } = await session.getData(root);
  const below = await Promise.all((await children(session, root)).map(({ path }) => tree(session, path)));
  const all = [{ path: root, data: data.toString(), stat }, ...below.flat()];
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Waits until `parent` has `count` children, and returns them. */
export async function childrenOf(
  session: ZkSession,
  parent: ZkPath,
  count: number,
): Promise<readonly Node[]> {
  return await eventually(
    async () => {
      const found = await children(session, parent);
      return found.length === count ? found : undefined;
    },
    { what: `${parent} has ${count} children`, timeoutMs: 15_000, intervalMs: 10 },
  );
}
