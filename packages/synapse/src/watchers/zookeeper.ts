import { describeError, type Timer } from '@smartstack/agent';
import {
  carriesData,
  codecOptions,
  createCodec,
  decodeChild,
  parseHosts,
  type ChildrenSnapshot,
  type ChildrenWatch,
  type ZkPath,
} from '@smartstack/registry';
import * as z from 'zod';

import type { GeneratorBlocks, Snapshot, SourceProblem } from '../catalog/types.js';
import { discoveryBase, oneOrMore } from '../config/fields.js';
import { ChildReader } from './childReader.js';
import { parseGeneratorConfig } from './generatorConfig.js';
import { defineWatcher, type WatcherContext } from './types.js';

/** Ruby ignores a jitter beyond this, in seconds. */
const maxJitter = 120;

/** How long known instances wait for a generator configuration that cannot be read, in milliseconds. */
const configPatienceMs = 3_000;

const path = z
  .string()
  .regex(/^\/./, 'expected an absolute path')
  .transform(
    (text): ZkPath =>
      `/${text
        .split('/')
        .filter((part) => part !== '')
        .join('/')}`,
  );

/** The last host may carry a chroot: `b:2181/smartstack`. */
const hosts = oneOrMore(z.string().min(1)).superRefine((list, context) => {
  if (list.length === 0) return;
  try {
    parseHosts(list);
  } catch (error) {
    context.addIssue({ code: 'custom', message: describeError(error) });
  }
});

const options = z.object({
  method: z.literal('zookeeper'),
  hosts: hosts.describe('host:port of each server of the ensemble; the last may end in a chroot.'),
  path: path.describe("The znode whose children are the service's instances."),
  decode: codecOptions.nullish().describe('The format of the instances; default: that of nerve.'),
  generator_config_path: z
    .union([z.literal('disabled'), path])
    .nullish()
    .describe("The znode whose data hold the service's generator blocks (default: `path`), or disabled."),
  discovery_jitter: z
    .number()
    .min(0)
    .nullish()
    .describe('Seconds; reading after a change waits up to so long, at random (0 to 120).'),
  retry_policy: z
    .unknown()
    .optional()
    .describe("Limits of the Ruby pair's attempts. Ignored: ours never gives up."),
  ...discoveryBase,
});

type Options = z.output<typeof options>;

/** Instances from the children of a znode, which nerve or a serverset writer registers. */
export const zookeeperWatcher = defineWatcher({
  method: 'zookeeper',
  options,
  lint: ({ discovery_jitter: jitter }) =>
    typeof jitter === 'number' && jitter > maxJitter
      ? [
          {
            path: ['discovery_jitter'],
            message: `A jitter beyond ${maxJitter} seconds is ignored, as Ruby does`,
            severity: 'warning',
          },
        ]
      : [],
  create: (given, context) => {
    const state = new ZookeeperSnapshot(given, context);
    return {
      run: (emit, signal) => watch(given, state, context, emit, signal),
      entries: () => state.reader.entries(given.path),
    };
  },
});

async function watch(
  given: Options,
  state: ZookeeperSnapshot,
  context: WatcherContext,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const lease = context.acquireSession(given.hosts);
  const jitterMs = (given.discovery_jitter ?? 0) <= maxJitter ? (given.discovery_jitter ?? 0) * 1000 : 0;
  const configPath = given.generator_config_path ?? given.path;
  let config: ChildrenWatch | undefined;
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
  const instances = lease.session.watchChildren(given.path, {
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
  });
  if (configPath !== given.path && configPath !== 'disabled') {
    config = lease.session.watchChildren(configPath, {
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
    await aborted(signal);
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
  readonly #given: Options;
  readonly #context: WatcherContext;
  #instances: Extract<Snapshot, { status: 'live' | 'stale' }>['instances'] | undefined;
  #configKnown: boolean;
  #config: GeneratorBlocks | undefined;
  /** Problem of the configuration told last, so that it is told once. */
  #toldConfig = '';

  constructor(given: Options, context: WatcherContext) {
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
