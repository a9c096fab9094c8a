import { type Clock, describeError, type Logger } from '@smartstack/agent';
import {
  createCodec,
  decodeChild,
  type Instance,
  isZooKeeperError,
  type SessionOptions,
  SessionPool,
  type Stat,
  type ZkPath,
  type ZkSession,
} from '@smartstack/registry';

import type { AgentSettings } from '../config/agentFile.js';
import type { ServiceDefinition } from '../config/service.js';
import type { Discovery } from '../watchers/index.js';
import { type ZnodeOptions, znodeOptionsOf } from './znodeOptions.js';

/** A znode below the path of a service. */
export interface ChildReading {
  readonly name: string;
  /** Undefined where it could not be read. */
  readonly stat?: Stat;
  readonly instance?: Instance;
  /** Why it is no instance. */
  readonly problem?: string;
  /** We may not read it. */
  readonly isForbidden: boolean;
}

/** The znodes of a service, or of one of its watchers. */
export interface PathReading {
  /** `web`, or `web (east)` of a watcher by that name. */
  readonly service: string;
  /** The service has no other watcher. */
  readonly isOnly: boolean;
  readonly hosts: readonly string[];
  readonly path: ZkPath;
  readonly exists: boolean;
  readonly problem?: string;
  readonly isForbidden: boolean;
  readonly children: readonly ChildReading[];
}

/** An ensemble, as far as it was reached. */
export interface EnsembleReading {
  readonly hosts: readonly string[];
  /** Undefined: there is none, and `problem` says why. */
  readonly session?: ZkSession;
  readonly server?: string;
  readonly problem?: string;
}

export interface RegistryReading {
  readonly ensembles: readonly EnsembleReading[];
  readonly paths: readonly PathReading[];
}

/** What reading the registry needs. */
export interface ReadRegistryOptions {
  readonly services: ReadonlyMap<string, ServiceDefinition<Discovery>>;
  readonly settings: Pick<AgentSettings, 'zookeeper'>;
  readonly openSession: (options: SessionOptions & { readonly logger: Logger }) => ZkSession;
  readonly clock: Clock;
}

/** So long an ensemble is waited for, in milliseconds. */
const connectMs = 5_000;

/** Reads the znodes of all services that have any. What cannot be read is said in its place. */
export async function readRegistry(
  options: ReadRegistryOptions,
): Promise<{ readonly reading: RegistryReading; readonly close: () => Promise<void> }> {
  const { services, settings, openSession } = options;
  const { sessionTimeoutMs, auth, tls } = settings.zookeeper;
  const credentials = auth.map(({ scheme, data }) => ({ scheme, data: Buffer.from(data) }));
  const reasons = new Map<ZkSession, () => string | undefined>();
  const pool = new SessionPool((given) => {
    const { logger, reason } = listener();
    const session = openSession({ ...given, logger });
    reasons.set(session, reason);
    return session;
  });
  const wanted = [...services.values()].flatMap(({ name, discovery }) => znodeOptionsOf(name, discovery));
  const leases = wanted.map(({ znodes }) =>
    pool.acquire({ hosts: znodes.hosts, sessionTimeoutMs, auth: credentials, ...(tls && { tls }) }),
  );
  const ensembles = new Map<ZkSession, Promise<EnsembleReading>>();
  const paths = leases.map(async ({ session }, index): Promise<PathReading | undefined> => {
    const each = wanted[index];
    if (each === undefined) return undefined;
    const { service, isOnly, znodes } = each;
    const ensemble =
      ensembles.get(session) ?? reach(session, znodes.hosts, reasons.get(session), options.clock);
    ensembles.set(session, ensemble);
    const about = { service, isOnly, hosts: znodes.hosts, path: znodes.path };
    const { problem } = await ensemble;
    return { ...about, ...(problem === undefined ? await readPath(session, znodes) : unread(problem)) };
  });
  const read = (await Promise.all(paths)).filter((each) => each !== undefined);
  return {
    reading: { ensembles: await Promise.all(ensembles.values()), paths: read },
    close: async () => {
      await Promise.all(leases.map((lease) => lease.release({ deadlineMs: 1_000 })));
    },
  };
}

/** Hears why there is no connection, which a session tells its log only. */
function listener(): { readonly logger: Logger; readonly reason: () => string | undefined } {
  let reason: string | undefined;
  const hear: Logger['warn'] = (_message, fields) => {
    const said = fields?.problem ?? fields?.reason ?? fields?.error;
    if (said !== undefined) reason = typeof said === 'string' ? said : describeError(said);
  };
  const logger: Logger = { debug: hear, info: hear, warn: hear, error: hear, child: () => logger };
  return { logger, reason: () => reason };
}

async function reach(
  session: ZkSession,
  hosts: readonly string[],
  reason: (() => string | undefined) | undefined,
  clock: Clock,
): Promise<EnsembleReading> {
  const settled = (): boolean => session.state.kind === 'connected' || session.state.kind === 'auth-failed';
  const late = new AbortController();
  const stop = session.onState(() => settled() && late.abort());
  if (!settled()) await clock.sleep(connectMs, late.signal).catch(() => undefined);
  stop();
  const { state } = session;
  if (state.kind === 'connected') return { hosts, session, server: state.server };
  const said = reason?.();
  const why =
    state.kind === 'auth-failed'
      ? 'the server refuses our credentials'
      : `no session within ${connectMs / 1000} s${said === undefined ? '' : ` (${said})`}`;
  return { hosts, problem: why };
}

type Read = Pick<PathReading, 'exists' | 'problem' | 'isForbidden' | 'children'>;

function unread(problem: string): Read {
  return { exists: false, problem, isForbidden: false, children: [] };
}

async function readPath(session: ZkSession, { path, decode }: ZnodeOptions): Promise<Read> {
  const options = { timeoutMs: connectMs };
  try {
    const { children: names } = await session.getChildren(path, options);
    const codec = createCodec(decode ?? undefined);
    const children = names.map(async (name): Promise<ChildReading | undefined> => {
      let read;
      try {
        read = await session.getData(`${path}/${name}`, options);
      } catch (error) {
        // It left in between.
        if (isZooKeeperError(error, 'NoNode')) return undefined;
        return { name, problem: describeError(error), isForbidden: isZooKeeperError(error, 'NoAuth') };
      }
      try {
        return { name, stat: read.stat, instance: decodeChild(name, read.data, codec), isForbidden: false };
      } catch (error) {
        return { name, stat: read.stat, problem: describeError(error), isForbidden: false };
      }
    });
    const found = (await Promise.all(children)).filter((child) => child !== undefined);
    return { exists: true, isForbidden: false, children: found };
  } catch (error) {
    if (isZooKeeperError(error, 'NoNode')) return { exists: false, isForbidden: false, children: [] };
    return { ...unread(describeError(error)), isForbidden: isZooKeeperError(error, 'NoAuth') };
  }
}
