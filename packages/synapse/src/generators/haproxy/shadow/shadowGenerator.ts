import { readFile } from 'node:fs/promises';
import { type Clock, describeError, type Gauge, type Logger } from '@smartstack/agent';
import type {
  BlockIssue,
  CatalogView,
  Generator,
  GeneratorPlan,
  GeneratorTrace,
  ReconcileOutcome,
  TraceSubject,
} from '../../../catalog/types.js';
import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import { type Desire, desire } from '../desire.js';
import { emptyMemory, parseMemory } from '../desired/memory.js';
import { withoutBudgets, withoutBudgetText } from '../desired/budgetLines.js';
import { withoutLatencyText } from '../desired/latencyLines.js';
import { render } from '../desired/render.js';
import { withoutSharedText } from '../desired/sharedRules.js';
import { withoutTapText } from '../desired/tapLines.js';
import { HostResolver } from '../../hosts.js';
import { compareSections } from '../live/compare.js';
import { withoutHarmless } from '../live/harmless.js';
import { parseSections } from '../live/sections.js';
import { defaultProbe, Prober } from '../runtime/probe.js';
import { lookAt } from '../runtime/look.js';
import { RuntimeTarget } from '../runtime/runtimeTarget.js';
import { Timeline } from '../trace/timeline.js';
import { seenOf, trace } from '../trace/trace.js';
import { Differences } from '../../differences.js';
import { fileDifferences, runningDifferences } from './compare.js';

/** What a generator that only compares works with. */
export interface ShadowOptions {
  readonly config: HaproxyConfig;
  /** Reads a new top-level block; undefined when it has errors. */
  readonly readConfig: (block: unknown) => HaproxyConfig | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly gauge: Gauge;
}

/** How often what runs is compared, in milliseconds. */
const lookMs = 5_000;
/** For one answer of HAProxy, in milliseconds. */
const answerMs = 2_000;

/**
 * Runs beside another synapse: works out what ours would write and do, compares it with the live file and with what
 * HAProxy runs, and reports what differs for longer than that needs to follow. Writes nothing, and only asks HAProxy.
 */
export class ShadowGenerator implements Generator {
  readonly name = 'haproxy';
  readonly #options: ShadowOptions;
  readonly #hosts: HostResolver;
  readonly #timeline = new Timeline();
  readonly #differences: Differences;
  #config: HaproxyConfig;
  #targets: readonly RuntimeTarget[];
  #wake: () => void = () => undefined;
  #desire: Desire | undefined;
  #problem: string | undefined;

  constructor(options: ShadowOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#targets = this.#targetsOf(options.config);
    this.#differences = new Differences({ ...options, generator: this.name });
    this.#hosts = new HostResolver({ clock: options.clock, onChange: () => this.#wake() });
  }

  configure(block: unknown): void {
    const config = this.#options.readConfig(block);
    if (config === undefined) return;
    this.#config = config;
    this.#targets = this.#targetsOf(config);
  }

  checkBlock(_service: string, block: unknown): readonly BlockIssue[] {
    return readServiceBlock(block).issues;
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    this.#wake = wake;
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(lookMs, signal).catch(() => undefined);
      wake();
    }
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    const wanted = await this.#want(view);
    this.#desire = wanted;
    this.#timeline.desired.note(wanted.desired, this.#options.clock.now());
    const looks = await Promise.all(this.#targets.map((target) => lookAt(target, undefined, signal)));
    signal.throwIfAborted();
    const running = runningDifferences(wanted.desired, looks);
    this.#differences.note([...fileDifferences(await this.#changes(wanted)), ...running]);
    return { outcome: 'noop' };
  }

  async plan(view: CatalogView): Promise<GeneratorPlan> {
    const changes = await this.#changes(await this.#want(view));
    const lines = changes.flatMap(({ title, changes: each, notes }) => [
      ...each.map(({ op, text }) => `${op} ${title}: ${text}`),
      ...notes.map((note) => `${title === '' ? '' : `${title}: `}${note}`),
    ]);
    const { configFilePath: path } = this.#config;
    return {
      commands: [],
      reload: [],
      files: lines.length === 0 ? [] : [{ path, changes: lines }],
      notes: ['--shadow: nothing of this is ever done'],
    };
  }

  async trace(subjects: readonly TraceSubject[], signal: AbortSignal): Promise<readonly GeneratorTrace[]> {
    const looks = await Promise.all(this.#targets.map((target) => lookAt(target, undefined, signal)));
    const desired = this.#desire?.desired;
    const issues = this.#desire?.issues ?? [];
    return subjects.map((subject) => {
      const backend =
        desired?.services.find(({ service }) => service === subject.service)?.backend.name ?? subject.service;
      const seen = looks.map((look) => seenOf(look, backend));
      return trace({
        ...{ ...subject, backend, desired, issues, seen, timeline: this.#timeline },
        ...{ held: [], reasons: [], location: this.#config.location, now: this.#options.clock.now() },
        // What the other one wrote is compared as a whole.
        file: { path: this.#config.configFilePath, written: undefined, problem: 'not written (--shadow)' },
      });
    });
  }

  status(): unknown {
    return {
      shadow: true,
      file: this.#config.configFilePath,
      problem: this.#problem,
      differences: this.#differences.all,
      issues: this.#desire?.issues ?? [],
      unresolvedHosts: Object.fromEntries(this.#hosts.problems),
    };
  }

  #targetsOf({ doSocket, socketFilePaths, probeNewServers }: HaproxyConfig): readonly RuntimeTarget[] {
    const { clock } = this.#options;
    const prober = new Prober({ ...defaultProbe, mode: probeNewServers }, clock);
    return (doSocket ? socketFilePaths : []).map(
      (socketPath) =>
        new RuntimeTarget({ clock, prober, socketPath, deadlineMs: answerMs, observeAgainMs: 0 }),
    );
  }

  /** From the memory that the other synapse keeps, so that ids are those that a takeover would find. */
  async #want(view: CatalogView): Promise<Desire> {
    const { stateFilePath, keepVanished } = this.#config;
    const path = keepVanished ? stateFilePath : undefined;
    const state = path === undefined ? undefined : await readFile(path, 'utf8').catch(() => undefined);
    return desire(view, {
      ...{ config: this.#config, hosts: this.#hosts, lastGood: undefined },
      memory: state === undefined ? emptyMemory : parseMemory(state),
      now: this.#options.clock.now(),
    });
  }

  async #changes({ desired }: Desire) {
    const { configFilePath: path } = this.#config;
    try {
      // Which stick counter is free for a budget depends on what is counted.
      const text = await readFile(path, 'utf8');
      const live = withoutTapText(withoutBudgetText(withoutLatencyText(withoutSharedText(text))));
      const wanted = render(withoutBudgets(desired));
      this.#problem = undefined;
      return withoutHarmless(compareSections(parseSections(live), parseSections(wanted))).changes;
    } catch (error) {
      const problem = `the live file cannot be read: ${describeError(error)}`;
      if (problem !== this.#problem) this.#options.logger.warn('nothing to compare with', { problem });
      this.#problem = problem;
      return [];
    }
  }
}
