import { isDeepStrictEqual } from 'node:util';
import { describeError } from '@smartstack/agent';
import {
  aclEntry,
  credentialFiles,
  credentialProblem,
  type Instance,
  isZooKeeperError,
  codecOptions,
  createCodec,
  nodeNameFor,
  nodeNameProblem,
  type RegistrationHandle,
  type SessionLease,
  type ZkPath,
} from '@smartstack/registry';
import * as z from 'zod';
import type { Asked } from '../config/asked.js';
import type { CamelKeys } from '../config/camel.js';
import { optional, seconds, withDefault } from '../config/values.js';
import { ensembleKeys, placeOfEnsemble, sessionOptions } from './ensemble.js';
import { leftBehind } from './leftBehind.js';
import {
  defineReporter,
  type PlainState,
  type Registrant,
  type Reporter,
  type ReporterContext,
} from './reporter.js';
import { listNodes } from './zookeeperList.js';

const zkPath = z
  .string()
  .regex(/^\/+[^/]/, 'expected a path that starts with /')
  .transform((text) => text.replace(/\/+$/, '') as ZkPath)
  .superRefine((path, context) => {
    const problem = path.slice(1).split('/').map(nodeNameProblem).find(Boolean);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

const keys = {
  ...ensembleKeys,
  zk_path: zkPath.describe('The node under which the service is registered; created when first needed.'),
  use_path_encoding: withDefault(z.boolean(), false).describe('Put the data into the name of the node, too.'),
  zk_encode: withDefault(codecOptions, { method: 'nerve' }).describe(
    "The format of the node's data: nerve's own, or serverset (Twitter's), which synapse reads with `decode`.",
  ),
  node_type: withDefault(
    z.enum(['ephemeral_sequential', 'ephemeral', 'persistent', 'persistent_sequential']),
    'ephemeral_sequential',
  ).describe('The kind of node to create. Persistent ones outlive a crash of nerve.'),
  ttl_seconds: optional(seconds).describe('Rewrite a persistent node this often, so that its mtime tells.'),
  zk_acl: optional(z.array(aclEntry).min(1)).describe(
    'Who may do what with the node, each scheme:id:permissions; anyone anything by default.',
  ),
};

/** The keys of `reporter_type: zookeeper`, as the code sees them. */
export type ZooKeeperSettings = CamelKeys<z.output<z.ZodObject<typeof keys>>>;

/** Registers a service as a node of ZooKeeper, byte for byte as airbnb's nerve does. */
export const zookeeperReporter = defineReporter<'zookeeper', typeof keys, ZooKeeperSettings>({
  type: 'zookeeper',
  options: keys,
  required: ['zk_hosts', 'zk_path'],
  problems: async ({ zkAuthFile: authFile, zkTls: tls }, asked) => [
    ...(await problem('zk_auth_file', { authFile }, asked)),
    ...(await problem('zk_tls', { tls }, asked)),
  ],
  place: (settings) =>
    JSON.stringify([placeOfEnsemble(settings), settings.zkPath, settings.nodeType, settings.zkAcl]),
  // Without a sequence number both would be the same node, of which only one session can be the owner. A persistent
  // one has none: the later takes it as it is, unless its list of who may do what would have to be another.
  clash: (before, after) =>
    before.zkPath === after.zkPath &&
    [before, after].every(({ nodeType }) => !nodeType.endsWith('sequential')) &&
    !([before, after].every(({ nodeType }) => nodeType === 'persistent') && sameAccess(before, after)),
  create: (settings, context, registrant) => new ZooKeeperReporter(settings, context, registrant),
  list: (settings, { sessions, signal, timeoutMs, only }) =>
    listNodes(
      settings,
      sessions,
      { signal, timeoutMs },
      only && leftBehind(only, createCodec(settings.zkEncode)).name,
    ),
});

/** Whether the node of the one serves the other: under `auth::` it belongs to the identity of its session. */
function sameAccess(before: ZooKeeperSettings, after: ZooKeeperSettings): boolean {
  const access = ({ zkAcl, zkAuth, zkAuthFile, zkTls }: ZooKeeperSettings): unknown =>
    zkAcl && [zkAcl, zkAuth, zkAuthFile, zkTls];
  return isDeepStrictEqual(access(before), access(after));
}

async function problem(
  key: string,
  settings: Parameters<typeof credentialProblem>[0],
  asked: Asked,
): Promise<{ key: string; message: string }[]> {
  const message = await asked.ask(JSON.stringify(settings), credentialFiles(settings), () =>
    credentialProblem(settings),
  );
  return message === undefined ? [] : [{ key, message }];
}

/** How often to look whether a renewal is due, in milliseconds. */
const renewalTickMs = 500;

class ZooKeeperReporter implements Reporter<ZooKeeperSettings> {
  readonly #lease: SessionLease;
  readonly #handle: RegistrationHandle;
  readonly #context: ReporterContext;
  #settings: ZooKeeperSettings;
  #instance: Instance | undefined;

  constructor(settings: ZooKeeperSettings, context: ReporterContext, registrant: Registrant) {
    this.#settings = settings;
    this.#context = context;
    const known = context.sessions.sessions.size;
    this.#lease = context.sessions.acquire(sessionOptions(settings));
    context.statsd.zkClient(context.sessions.sessions.size > known ? 'created' : 'reused', settings.zkHosts);
    this.#handle = this.#lease.session.register({
      parent: settings.zkPath,
      mode: settings.nodeType,
      leftBehind: leftBehind(registrant, createCodec(settings.zkEncode)),
      ...(settings.zkAcl === undefined ? {} : { acl: settings.zkAcl }),
    });
  }

  get state(): PlainState {
    const state = this.#handle.state;
    return state.kind === 'present' ? { kind: 'present', place: state.path, since: state.since } : state;
  }

  get unreachable(): boolean {
    return this.#lease.session.state.kind !== 'connected';
  }

  report(instance: Instance | undefined): void {
    this.#instance = instance;
    if (instance === undefined) {
      this.#handle.want(undefined);
      return;
    }
    const data = createCodec(this.#settings.zkEncode).encode(instance);
    const { usePathEncoding: pathEncoding, zkHosts, zkPath: path } = this.#settings;
    if (pathEncoding) {
      const bytes = data.toString('base64').length;
      this.#context.statsd.zkChildBytes(bytes, zkHosts, path);
    }
    this.#handle.want({ name: nodeNameFor(instance.name ?? '', data, { pathEncoding }), data });
  }

  configure(settings: ZooKeeperSettings): void {
    this.#settings = settings;
    this.report(this.#instance);
  }

  settled(signal: AbortSignal): Promise<void> {
    return this.#handle.settled(signal);
  }

  onChange(listener: () => void): () => void {
    const stop = [this.#handle.onState(listener), this.#lease.session.onState(listener)];
    return () => stop.forEach((one) => one());
  }

  /** Renews a persistent node. The first time comes at random, so that a fleet's do not coincide. */
  async run(signal: AbortSignal): Promise<void> {
    if (!this.#settings.nodeType.startsWith('persistent')) return;
    const { clock, random, logger, statsd } = this.#context;
    let last = clock.monotonic() - random() * (this.#settings.ttlSeconds ?? 0) * 1000;
    while (!signal.aborted) {
      await clock.sleep(renewalTickMs, signal);
      const { ttlSeconds = Infinity, zkPath: path, zkHosts } = this.#settings;
      if (clock.monotonic() - last < ttlSeconds * 1000) continue;
      last = clock.monotonic();
      if (this.#handle.state.kind !== 'present') continue;
      try {
        await this.#handle.touch();
        statsd.zkRenewed(zkHosts);
      } catch (error) {
        statsd.zkRenewed(zkHosts, isZooKeeperError(error, 'NoNode') ? 'no_node' : 'connection_error');
        logger.info('could not renew a node', { path, error: describeError(error) });
      }
    }
  }

  async dispose(deadlineMs?: number): Promise<void> {
    this.#handle.dispose();
    await this.#lease.release(deadlineMs === undefined ? {} : { deadlineMs });
  }
}
