import { type Timer, untilAborted } from '@smartstack/agent';
import {
  carriesData,
  type ChildrenSnapshot,
  type ChildrenWatch,
  type ChildrenWatchOptions,
  createCodec,
  decodeChild,
  type ZkPath,
  type ZkSession,
} from '@smartstack/registry';

import type { GeneratorBlocks, Snapshot, SourceProblem, Watcher } from '../../catalog/types.js';
import { notedChildren } from '../../zkEvents.js';
import type { WatcherContext } from '../types.js';
import { ChildReader } from '../source/childReader.js';
import { parseGeneratorConfig } from './generatorConfig.js';
import { jitterMsOf, type ZnodeOptions } from './keys.js';

/** How long known instances wait for a generator configuration that cannot be read, in milliseconds. */
const configPatienceMs = 3_000;

/** A node whose children are known, and will be told of. */
export type FollowedChildren = Pick<ChildrenWatch, 'freshness' | 'dispose'>;

/** What whoever follows a node's children is told. */
export interface FollowOptions extends ChildrenWatchOptions {
  /** Called before each reading, where these are not events of ZooKeeper. */
  readonly onLook?: () => void;
}

/** How a node's children are followed: by watches, or by asking now and then. */
export type OpenChildren = (session: ZkSession, path: ZkPath, options: FollowOptions) => FollowedChildren;

/** By ZooKeeper's watches. */
export const watchChildren: OpenChildren = (session, path, options) => session.watchChildren(path, options);

/** A watcher of the znodes of a service, each followed by what `open` makes. */
export function znodeWatcher(given: ZnodeOptions, open: OpenChildren, context: WatcherContext): Watcher {
  const state = new ZookeeperSnapshot(given, context);
  return {
    run: (emit, signal) => follow(state, given, open, context, emit, signal),
    entries: () => state.reader.entries(given.path),
  };
}

/** Follows the znodes of a service and emits what they tell until `signal` aborts. */
export function followService(
  given: ZnodeOptions,
  open: OpenChildren,
  context: WatcherContext,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  return follow(new ZookeeperSnapshot(given, context), given, open, context, emit, signal);
}

async function follow(
  state: ZookeeperSnapshot,
  given: ZnodeOptions,
  open: OpenChildren,
  context: WatcherContext,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const lease = context.acquireSession(given.hosts);
  const jitterMs = jitterMsOf(given);
  const configPath = given.generator_config_path ?? given.path;
  let config: FollowedChildren | undefined;
  let patience: Timer | undefined;
  const show = (): void => {
    // A configuration that was never read (no permission, say) does not make its service stale.
    const live = instances.freshness === 'live' && config?.freshness !== 'stale';
    const snapshot = state.current(live ? 'live' : 'stale');
    if (snapshot !== undefined) emit(snapshot);
    else if (state.waitsForConfig) {
      patience ??= context.clock.setTimeout(() => {
        context.logger.warn('generator configuration cannot be read, going on without', { path: configPath });
        state.giveUpConfig();
        show();
      }, configPatienceMs);
    }
  };
  const told: FollowOptions = {
    // To have thousands of plain names decoded in vain would cost more than to read them.
    skipChildData: (name) => carriesData(name) && state.reader.namesAll(name),
    jitterMs,
    ...(context.onEvent && { onEvent: context.onEvent }),
    onSnapshot: (snapshot) => {
      state.takeInstances(snapshot);
      if (configPath === given.path) state.takeConfig(snapshot);
      show();
    },
    onFreshness: show,
  };
  const { events, clock, service } = context;
  const place = { hosts: given.hosts, service };
  const noted = events === undefined ? told : notedChildren(given.path, told, place, { events, clock });
  const instances = open(lease.session, given.path, noted);
  if (configPath !== given.path && configPath !== 'disabled') {
    config = open(lease.session, configPath, {
      skipChildData: () => true,
      jitterMs,
      onSnapshot: (snapshot) => {
        state.takeConfig(snapshot);
        show();
      },
      onFreshness: show,
    });
  }
  try {
    await untilAborted(signal);
  } finally {
    patience?.cancel();
    instances.dispose();
    config?.dispose();
    await lease.release();
  }
}

/** Puts together what the two watched nodes tell. */
class ZookeeperSnapshot {
  readonly reader: ChildReader;
  readonly #given: ZnodeOptions;
  readonly #context: WatcherContext;
  #instances: Extract<Snapshot, { status: 'live' | 'stale' }>['instances'] | undefined;
  #configKnown: boolean;
  #config: GeneratorBlocks | undefined;
  /** Problem of the configuration told last, so that it is told once. */
  #toldConfig = '';

  constructor(given: ZnodeOptions, context: WatcherContext) {
    this.#given = given;
    this.#context = context;
    this.#configKnown = given.generator_config_path === 'disabled';
    const codec = createCodec(given.decode ?? undefined);
    this.reader = new ChildReader((name, data) => decodeChild(name, data, codec));
  }

  takeInstances({ children }: ChildrenSnapshot): void {
    const { instances, newlyBad } = this.reader.read(children);
    this.#instances = instances;
    for (const { name, reason, kept } of newlyBad) {
      this.#context.metrics.undecodable(this.#context.service);
      this.#context.logger.warn(kept ? 'bad registration, its last good version stays' : 'bad registration', {
        path: `${this.#given.path}/${name}`,
        reason,
      });
    }
  }

  /** No data, or bad ones, leave what is in force: the last good configuration, at first the local one. */
  takeConfig({ data }: ChildrenSnapshot): void {
    this.#configKnown = true;
    const parsed = parseGeneratorConfig(data, this.#context.generators);
    if (parsed.kind === 'blocks') this.#config = parsed.blocks;
    const problems = parsed.kind === 'invalid' ? [`not used: ${parsed.reason}`] : parsed.warnings;
    const told = problems.join('; ');
    if (told !== '' && told !== this.#toldConfig) {
      this.#context.events?.zkGetConfigFailed();
      this.#context.logger.warn('bad generator configuration in the registry', {
        path: this.#configPath,
        reason: told,
      });
    }
    this.#toldConfig = told;
  }

  get waitsForConfig(): boolean {
    return this.#instances !== undefined && !this.#configKnown;
  }

  giveUpConfig(): void {
    this.#configKnown = true;
  }

  current(status: 'live' | 'stale'): Snapshot | undefined {
    if (this.#instances === undefined || !this.#configKnown) return undefined;
    const problems = this.#problems();
    return {
      status,
      instances: this.#instances,
      ...(this.#config !== undefined && { generatorConfig: this.#config }),
      ...(problems.length > 0 && { problems }),
    };
  }

  #problems(): readonly SourceProblem[] {
    const { path } = this.#given;
    const bad = [...this.reader.bad].map(([name, reason]) => ({ path: `${path}/${name}`, reason }));
    return this.#toldConfig === '' ? bad : [{ path: this.#configPath, reason: this.#toldConfig }, ...bad];
  }

  get #configPath(): string {
    return this.#given.generator_config_path ?? this.#given.path;
  }
}
