import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  AgentError,
  type Clock,
  describeError,
  type Logger,
  makeDirectory,
  writeFileAtomic,
} from '@smartstack/agent';
import { FileClaim } from '@smartstack/agent/fileClaim';
import type { BlockIssue, CatalogView, Generator, ReconcileOutcome } from '../../catalog/types.js';
import { hostNamesOf } from '../hostNames.js';
import { HostResolver } from '../hosts.js';
import { type NginxConfig, readNginxBlock, readServiceBlock } from './blocks.js';
import { type Desired, desiredSections, withKept } from './desired.js';
import { Checker, type Verdict } from './file/checker.js';
import { Quarantine } from './file/quarantine.js';
import { renderFile, sectionsIn } from './file/render.js';
import { holdBy, settle, type Settled, type SettleInput } from './file/settle.js';
import { takenAddress } from './listens.js';
import type { NginxMetrics } from './nginxMetrics.js';
import { NginxProcess, ReloadError } from './process/nginxProcess.js';
import { NginxWatch } from './process/watch.js';
import type { Section } from './sections.js';

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
export class NginxGenerator implements Generator {
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
  #unchecked: string | undefined;
  #contextsProblem: string | undefined;
  /** The text that nginx runs; undefined when that is not known. */
  #running: string | undefined;
  #reloadAfter = -Infinity;
  #reported = new Set<string>();
  #wake: () => void = () => undefined;

  constructor(options: NginxOptions) {
    const { clock, logger, config, metrics } = options;
    this.#options = options;
    this.#config = config;
    this.#claim = new FileClaim(clock);
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
      process: master === undefined ? (this.#process.wasSeen ? 'gone' : 'unknown') : processOf(master),
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
    const addresses = await this.#hosts.resolve(view.services.flatMap(hostNamesOf));
    const desired = desiredSections(config, view, addresses);
    this.#desired = desired;
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

  /** Throws AgentError: `in-use`, or `file_write`. */
  async #open({ configFilePath }: NginxConfig): Promise<void> {
    try {
      await makeDirectory(dirname(configFilePath));
    } catch (error) {
      const message = `cannot make the folder of ${configFilePath}: ${describeError(error)}`;
      throw new AgentError('file_write', message, { cause: error, retriable: true });
    }
    await this.#claim.take(configFilePath);
  }

  /** What an earlier process wrote. An nginx that loaded it since runs it. */
  async #earlier({ configFilePath, doReloads }: NginxConfig): Promise<Sections> {
    const text = await readFile(configFilePath, 'utf8').catch(() => '');
    const found = sectionsIn(text);
    const master = doReloads && text !== '' ? await this.#process.look() : undefined;
    if (master === undefined) return found;
    this.#loaded = found;
    const { mtimeMs } = await stat(configFilePath);
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
      this.#report();
    }
    this.#old = new Map(settled.sections.map((section) => [section.service, section]));
    return settled;
  }

  /** True when the file was written. */
  async #write({ configFilePath }: NginxConfig, { text }: Settled): Promise<boolean> {
    const onDisk = await readFile(configFilePath, 'utf8').catch(() => undefined);
    if (onDisk === text) return false;
    await writeFileAtomic(configFilePath, text);
    return true;
  }

  async #reload(config: NginxConfig, settled: Settled, signal: AbortSignal): Promise<ReconcileOutcome> {
    const { clock, logger, metrics, random } = this.#options;
    const startedAt = clock.monotonic();
    this.#reloadAfter = startedAt + config.restartIntervalMs * (1 + config.restartJitter * random());
    try {
      const outcome = await this.#process.reload(signal);
      this.#running = settled.text;
      this.#loaded = new Map(settled.sections.map((section) => [section.service, section]));
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

  /** Each thing that is left out is told once, when that begins; the status always has them all. */
  #report(): void {
    const { logger } = this.#options;
    const all = [...(this.#desired?.issues ?? []), ...this.#quarantine.entries];
    const now = new Map(all.map((one) => [JSON.stringify(one), one]));
    for (const [key, issue] of now)
      if (!this.#reported.has(key)) logger.warn('something is left out of nginx.conf', { ...issue });
    this.#reported = new Set(now.keys());
  }
}

function processOf({ pid, workers, loadedAt }: NonNullable<NginxWatch['master']>): unknown {
  return {
    ...{ pid, loadedAt: loadedAt === undefined ? undefined : new Date(loadedAt).toISOString() },
    workers: workers.filter(({ isLeaving }) => !isLeaving).length,
    oldWorkers: workers.filter(({ isLeaving }) => isLeaving).length,
  };
}
