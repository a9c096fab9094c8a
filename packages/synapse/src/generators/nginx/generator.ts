import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, type Logger, untilAborted, writeFileAtomic } from '@smartstack/agent';
import { FileClaim } from '@smartstack/agent/fileClaim';
import type { BlockIssue, CatalogView, Generator, ReconcileOutcome } from '../../catalog/types.js';
import { HostResolver } from '../hosts.js';
import { type NginxConfig, readNginxBlock, readServiceBlock } from './blocks.js';
import { Checker, type Verdict } from './checker.js';
import { type Desired, desiredSections, type NginxIssue, type Section } from './desired.js';
import type { NginxMetrics } from './nginxMetrics.js';
import { NginxProcess } from './nginxProcess.js';
import { Quarantine } from './quarantine.js';
import { sectionsIn } from './render.js';
import { settle } from './settle.js';

/** What the generator works with. */
export interface NginxOptions {
  readonly config: NginxConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: NginxMetrics;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Keeps an nginx.conf in step with the catalog, and has nginx reload it. */
export class NginxGenerator implements Generator {
  readonly name = 'nginx';
  readonly #options: NginxOptions;
  readonly #claim: FileClaim;
  readonly #hosts: HostResolver;
  readonly #quarantine: Quarantine;
  #config: NginxConfig;
  #checker: Checker;
  #process: NginxProcess;
  /** By service: the lines that were accepted last, at first those that an earlier process left. */
  #old: ReadonlyMap<string, Section> | undefined;
  #accepted: string | undefined;
  #desired: Desired | undefined;
  /** Nobody knows what an nginx that was there before us runs. */
  #needsReload = true;
  #reloadAfter = -Infinity;
  #reported = new Set<string>();
  #wake: () => void = () => undefined;

  constructor(options: NginxOptions) {
    const { clock, logger, config } = options;
    this.#options = options;
    this.#config = config;
    this.#claim = new FileClaim(clock);
    this.#hosts = new HostResolver({ clock, onChange: () => this.#wake() });
    this.#quarantine = new Quarantine(clock);
    this.#checker = new Checker(config, clock);
    this.#process = new NginxProcess(config, { clock, logger });
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    this.#wake = wake;
    await untilAborted(signal);
    await this.#hosts.resolve([]);
    await this.#claim.release();
  }

  configure(block: unknown): void {
    const { config } = readNginxBlock(block);
    if (config === undefined) return;
    const { clock, logger } = this.#options;
    if (config.configFilePath !== this.#config.configFilePath) this.#needsReload = true;
    this.#config = config;
    this.#checker = new Checker(config, clock);
    this.#process = new NginxProcess(config, { clock, logger });
    this.#accepted = undefined;
  }

  checkBlock(_service: string, block: unknown): readonly BlockIssue[] {
    return readServiceBlock(block).issues;
  }

  status(): unknown {
    return {
      file: this.#config.configFilePath,
      services: this.#old?.size ?? 0,
      reloadPending: this.#needsReload && this.#config.doReloads,
      issues: this.#desired?.issues ?? [],
      quarantined: this.#quarantine.entries,
      unresolvedHosts: Object.fromEntries(this.#hosts.problems),
    };
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    const config = this.#config;
    // As in Ruby: nothing is written, so that there is nothing to reload.
    if (!config.doWrites) return { outcome: 'noop' };
    await mkdir(dirname(config.configFilePath), { recursive: true });
    await this.#claim.take(config.configFilePath);
    const onDisk = await readFile(config.configFilePath, 'utf8').catch(() => undefined);
    this.#old ??= sectionsIn(onDisk ?? '');
    const names = view.services.flatMap(({ instances }) => instances.map(({ host }) => host));
    const desired = desiredSections(config, view, await this.#hosts.resolve(names));
    this.#desired = desired;
    const { text, sections } = await settle({
      ...{ config, old: this.#old, quarantine: this.#quarantine, paths: this.#checker.paths },
      sections: withKept(desired, this.#old),
      accepted: this.#accepted ?? onDisk,
      check: (candidate) => this.#check(candidate, signal),
    });
    this.#report(desired.issues);
    this.#options.metrics.quarantined(this.#quarantine.entries.length);
    this.#accepted = text;
    this.#old = new Map(sections.map((section) => [section.service, section]));
    const writes = (await readFile(config.configFilePath, 'utf8').catch(() => undefined)) !== text;
    if (writes) await writeFileAtomic(config.configFilePath, text);
    if (writes || onDisk !== text) this.#needsReload = true;
    if (!config.doReloads || !this.#needsReload) return { outcome: writes ? 'write' : 'noop' };
    return this.#reload(config, signal);
  }

  async #reload(config: NginxConfig, signal: AbortSignal): Promise<ReconcileOutcome> {
    const { clock, logger, metrics, random } = this.#options;
    const waitMs = this.#reloadAfter - clock.monotonic();
    if (waitMs > 0) return { outcome: 'waiting', againInMs: waitMs };
    const startedAt = clock.monotonic();
    this.#reloadAfter = startedAt + config.restartIntervalMs * (1 + config.restartJitter * random());
    try {
      const outcome = await this.#process.reload(signal);
      this.#needsReload = false;
      metrics.reloaded('success');
      const seconds = (clock.monotonic() - startedAt) / 1000;
      logger.info(outcome === 'start' ? 'nginx started' : 'nginx reloaded', { seconds });
      return { outcome };
    } catch (error) {
      metrics.reloaded('failure');
      throw error;
    }
  }

  async #check(text: string, signal: AbortSignal): Promise<Verdict> {
    const verdict = await this.#checker.check(text, signal);
    const result = verdict.unchecked !== undefined ? 'unchecked' : verdict.valid ? 'valid' : 'invalid';
    this.#options.metrics.checked(result);
    return verdict;
  }

  /** Each thing that is left out is told once, when that begins; the status always has them all. */
  #report(issues: readonly NginxIssue[]): void {
    const { logger } = this.#options;
    const now = new Map([...issues, ...this.#quarantine.entries].map((one) => [JSON.stringify(one), one]));
    for (const [key, issue] of now)
      if (!this.#reported.has(key)) logger.warn('something is left out of nginx.conf', { ...issue });
    this.#reported = new Set(now.keys());
  }
}

/** The sections to write: of services that nobody knows, those that the file has already. */
function withKept({ sections, kept }: Desired, old: ReadonlyMap<string, Section>): readonly Section[] {
  const keep = new Set(kept);
  const there = new Set(sections.map(({ service }) => service));
  const missing = kept.filter((service) => !there.has(service));
  return [
    ...sections.map((section) =>
      keep.has(section.service) ? (old.get(section.service) ?? section) : section,
    ),
    ...missing.flatMap((service) => old.get(service) ?? []),
  ];
}
