import { readFile, stat } from 'node:fs/promises';
import { AgentError, type Clock, describeError, type Logger, writeFileAtomic } from '@smartstack/agent';
import { FileClaim } from '@smartstack/agent/fileClaim';
import type {
  BlockIssue,
  CatalogView,
  GeneratorPlan,
  GeneratorTrace,
  ReconcileOutcome,
  TraceSubject,
} from '../../catalog/types.js';
import { hostNamesOf } from '../hostNames.js';
import { HostResolver } from '../hosts.js';
import { type NginxConfig, readNginxBlock, readServiceBlock } from './blocks.js';
import { type Desired, desiredSections, withKept } from './desired.js';
import { Checker, type Verdict } from './file/checker.js';
import { makeFolderOf } from './file/folder.js';
import { Quarantine } from './file/quarantine.js';
import { renderFile, sectionsIn } from './file/render.js';
import { holdBy, settle, type Settled, type SettleInput } from './file/settle.js';
import { planOf } from './generatorPlan.js';
import { NginxTimeline, traceOf } from './generatorTrace.js';
import { takenAddress } from './listens.js';
import type { NginxMetrics } from './nginxMetrics.js';
import { masterStatus } from './process/master.js';
import { NginxProcess, ReloadError } from './process/nginxProcess.js';
import { NginxWatch } from './process/watch.js';
import type { Section } from './sections.js';
import { TellOnce } from '../tellOnce.js';
import type { Planning } from '../planShadow.js';

/** What the generator works with. */
export interface NginxOptions {
  readonly config: NginxConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: NginxMetrics;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** So often in one pass at most, what keeps nginx from loading a file is set aside. */
const maxLoads = 5;

type Sections = ReadonlyMap<string, Section>;

/** Keeps an nginx.conf in step with the catalog, and has nginx reload it. */
export class NginxGenerator implements Planning {
  readonly name = 'nginx';
  readonly #options: NginxOptions;
  readonly #claim: FileClaim;
  readonly #hosts: HostResolver;
  readonly #quarantine: Quarantine;
  readonly #watch: NginxWatch;
  #config: NginxConfig;
  #checker: Checker;
  #process: NginxProcess;
  /** By service: the lines that were accepted last, at first those that an earlier process left. */
  #old: Sections | undefined;
  /** Those that nginx runs. */
  #loaded: Sections = new Map();
  #accepted: { readonly text: string; readonly contexts: NginxConfig['contexts'] } | undefined;
  #desired: Desired | undefined;
  #addresses: ReadonlyMap<string, string> = new Map();
  readonly #timeline = new NginxTimeline();
  #unchecked: string | undefined;
  #contextsProblem: string | undefined;
  /** The text that nginx runs; undefined when that is not known. */
  #running: string | undefined;
  #reloadAfter = -Infinity;
  readonly #reported: TellOnce;
  #wake: () => void = () => undefined;

  constructor(options: NginxOptions) {
    const { clock, logger, config, metrics } = options;
    this.#options = options;
    this.#config = config;
    this.#claim = new FileClaim(clock);
    this.#reported = new TellOnce((issue) =>
      logger.warn('something is left out of nginx.conf', { ...issue }),
    );
    this.#hosts = new HostResolver({ clock, onChange: () => this.#wake() });
    this.#quarantine = new Quarantine(clock);
    this.#checker = new Checker(config, clock);
    this.#process = new NginxProcess(config, { clock, logger });
    this.#watch = new NginxWatch({
      ...{ clock, logger, metrics },
      process: () => (this.#config.doWrites && this.#config.doReloads ? this.#process : undefined),
      onGone: () => {
        this.#running = undefined;
        this.#loaded = new Map();
        this.#wake();
      },
    });
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    this.#wake = wake;
    await this.#watch.run(signal);
    await this.#hosts.resolve([]);
    await this.#claim.release();
  }

  configure(block: unknown): void {
    const { config } = readNginxBlock(block);
    if (config === undefined) return;
    const { clock, logger } = this.#options;
    if (config.configFilePath !== this.#config.configFilePath) this.#running = undefined;
    this.#config = config;
    this.#checker = new Checker(config, clock);
    this.#process = new NginxProcess(config, { clock, logger });
  }

  checkBlock(_service: string, block: unknown): readonly BlockIssue[] {
    return readServiceBlock(block).issues;
  }

  status(): unknown {
    const { master } = this.#watch;
    return {
      file: {
        path: this.#config.configFilePath,
        unchecked: this.#unchecked,
        problem: this.#contextsProblem,
      },
      services: this.#old?.size ?? 0,
      process: master === undefined ? (this.#process.wasSeen ? 'gone' : 'unknown') : masterStatus(master),
      reloadPending: this.#config.doReloads && this.#running !== this.#accepted?.text,
      issues: this.#desired?.issues ?? [],
      quarantined: this.#quarantine.entries,
      unresolvedHosts: Object.fromEntries(this.#hosts.problems),
    };
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    const config = this.#config;
    // As in Ruby: nothing is written, so that there is nothing to reload.
    if (!config.doWrites) return { outcome: 'noop' };
    await this.#open(config);
    const old = (this.#old ??= await this.#earlier(config));
    const desired = await this.#want(view);
    this.#timeline.note('desired', desired.sections, this.#options.clock.now());
    const sections = withKept(desired, old);
    let wrote = false;
    for (let load = 1; ; load += 1) {
      const input: SettleInput = {
        ...{ config, sections, old, quarantine: this.#quarantine, paths: this.#checker.paths },
        accepted: this.#accepted?.text,
        check: (text) => this.#check(text, sections, signal),
      };
      const settled = await this.#settle(input);
      wrote = (await this.#write(config, settled)) || wrote;
      if (!config.doReloads || this.#running === settled.text) return { outcome: wrote ? 'write' : 'noop' };
      const waitMs = this.#reloadAfter - this.#options.clock.monotonic();
      if (waitMs > 0 && (this.#watch.master !== undefined || !this.#process.wasSeen))
        return { outcome: 'waiting', againInMs: waitMs };
      try {
        return await this.#reload(config, settled, signal);
      } catch (error) {
        const { text } = settled;
        const rendered = { ...input, sections: settled.sections };
        const isHeld =
          error instanceof ReloadError &&
          load < maxLoads &&
          holdBy(error.output, renderFile(this.#accepted ?? config, settled.sections), rendered);
        if (!isHeld) throw error;
        this.#options.logger.warn('nginx cannot load a file that it found to be valid', {
          ...{ error: describeError(error), bytes: text.length },
        });
        this.#accepted = undefined;
        this.#reloadAfter = -Infinity;
      }
    }
  }

  async plan(view: CatalogView): Promise<GeneratorPlan> {
    const config = this.#config;
    const disk = await readFile(config.configFilePath, 'utf8').catch(() => undefined);
    const good = this.#contextsProblem === undefined ? undefined : this.#accepted?.contexts;
    return planOf({
      ...{ config, contexts: good ?? config.contexts, desired: await this.#want(view), disk },
      ...{ old: this.#old ?? sectionsIn(disk ?? ''), loaded: this.#loaded, quarantine: this.#quarantine },
      ...{ running: this.#running, isGone: this.#isGone },
      waitMs: this.#reloadAfter - this.#options.clock.monotonic(),
    });
  }

  trace(subjects: readonly TraceSubject[]): Promise<readonly GeneratorTrace[]> {
    const state = {
      ...{ config: this.#config, desired: this.#desired, addresses: this.#addresses },
      ...{ old: this.#old ?? new Map<string, Section>(), loaded: this.#loaded, isGone: this.#isGone },
      ...{ held: this.#quarantine.entries, contextsProblem: this.#contextsProblem, timeline: this.#timeline },
    };
    return Promise.resolve(subjects.map((subject) => traceOf(subject, state)));
  }

  get #isGone(): boolean {
    return this.#process.wasSeen && this.#watch.master === undefined;
  }

  async #want(view: CatalogView): Promise<Desired> {
    this.#addresses = await this.#hosts.resolve(view.services.flatMap(hostNamesOf));
    this.#desired = desiredSections(this.#config, view, this.#addresses);
    return this.#desired;
  }

  /** Throws AgentError: `in-use`, or `file_write`. */
  async #open({ configFilePath }: NginxConfig): Promise<void> {
    await makeFolderOf(configFilePath);
    await this.#claim.take(configFilePath);
  }

  /** What an earlier process wrote. An nginx that loaded it since runs it. */
  async #earlier({ configFilePath, doReloads }: NginxConfig): Promise<Sections> {
    const text = await readFile(configFilePath, 'utf8').catch(() => '');
    const found = sectionsIn(text);
    const mtimeMs = (await stat(configFilePath).catch(() => undefined))?.mtimeMs ?? 0;
    this.#timeline.note('file', found.values(), mtimeMs);
    const master = doReloads && text !== '' ? await this.#process.look() : undefined;
    if (master === undefined) return found;
    this.#loaded = found;
    this.#timeline.note('running', found.values(), master.loadedAt ?? mtimeMs);
    if ((master.loadedAt ?? 0) > mtimeMs) this.#running = text;
    return found;
  }

  /** Contexts that nginx rejects do not keep the services from being followed. */
  async #settle(input: SettleInput): Promise<Settled> {
    const { logger, metrics } = this.#options;
    const { contexts } = input.config;
    const good = this.#accepted?.contexts;
    let settled: Settled;
    try {
      settled = await settle(input);
      this.#contextsProblem = undefined;
      this.#accepted = { text: settled.text, contexts };
    } catch (error) {
      const isRejected = error instanceof AgentError && error.code === 'check-failed';
      if (!isRejected || good === undefined || good === contexts) throw error;
      settled = await settle({ ...input, config: { contexts: good } });
      if (this.#contextsProblem === undefined)
        logger.error('nginx rejects the new contexts: those from before stay', { error: error.message });
      this.#contextsProblem = error.message;
      this.#accepted = { text: settled.text, contexts: good };
    } finally {
      metrics.quarantined(this.#quarantine.entries.length);
      this.#reported.note([...(this.#desired?.issues ?? []), ...this.#quarantine.entries]);
    }
    this.#old = new Map(settled.sections.map((section) => [section.service, section]));
    return settled;
  }

  /** True when the file was written. */
  async #write({ configFilePath }: NginxConfig, { text, sections }: Settled): Promise<boolean> {
    const onDisk = await readFile(configFilePath, 'utf8').catch(() => undefined);
    if (onDisk !== text) await writeFileAtomic(configFilePath, text);
    this.#timeline.note('file', sections, this.#options.clock.now());
    return onDisk !== text;
  }

  async #reload(config: NginxConfig, settled: Settled, signal: AbortSignal): Promise<ReconcileOutcome> {
    const { clock, logger, metrics, random } = this.#options;
    const startedAt = clock.monotonic();
    this.#reloadAfter = startedAt + config.restartIntervalMs * (1 + config.restartJitter * random());
    try {
      const outcome = await this.#process.reload(signal);
      this.#running = settled.text;
      this.#loaded = new Map(settled.sections.map((section) => [section.service, section]));
      this.#timeline.note('running', settled.sections, clock.now());
      await this.#watch.look();
      metrics.reloaded('success');
      const seconds = (clock.monotonic() - startedAt) / 1000;
      logger.info(outcome === 'start' ? 'nginx started' : 'nginx reloaded', { seconds });
      return { outcome };
    } catch (error) {
      if (!signal.aborted) metrics.reloaded('failure');
      throw error;
    }
  }

  async #check(text: string, sections: readonly Section[], signal: AbortSignal): Promise<Verdict> {
    const verdict = await this.#checker.check(text, signal);
    const result = verdict.unchecked !== undefined ? 'unchecked' : verdict.valid ? 'valid' : 'invalid';
    this.#options.metrics.checked(result);
    this.#unchecked = verdict.unchecked;
    // Of one that does not run, or is not seen, nobody knows what it has; and that says itself what it cannot have.
    if (!verdict.valid || this.#watch.master === undefined) return verdict;
    const tried = this.#quarantine.apply(sections, this.#old ?? new Map());
    const taken = await takenAddress(tried, this.#loaded);
    return taken === undefined ? verdict : { valid: false, output: taken };
  }
}
