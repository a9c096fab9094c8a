import { describeError, run } from '@smartstack/agent';
import type {
  BlockIssue,
  CatalogView,
  Generator,
  GeneratorPlan,
  GeneratorTrace,
  ReconcileOutcome,
  TraceSubject,
} from '../../catalog/types.js';
import { readServiceBlock } from './block/blocks.js';
import { Clients } from './clients.js';
import { Converger } from './converge.js';
import { type Desire, desire, type DesireContext } from './desire.js';
import { entrancesOf } from './entrances.js';
import { FileClaim } from '@smartstack/agent/fileClaim';
import { traceServices } from './generatorTrace.js';
import { statusOf } from './generatorStatus.js';
import { IssueLog } from './issueLog.js';
import { HaproxyWatch } from './process/haproxyWatch.js';
import { hardStopAfterMs } from './process/oldWorkers.js';
import type { TapSource } from '../../tap/types.js';
import type { TrafficView } from '../../traffic/types.js';
import { HostResolver, type Lookup } from '../hosts.js';
import { noLatencies } from './desired/latencyIssues.js';
import { foreignIds } from './loaded/strangers.js';
import { addLastKnown, type Memory } from './desired/memory.js';
import { SectionCache } from './desired/sectionCache.js';
import { whyNotTapped } from './desired/tapClashes.js';
import { commonAbilities } from './plan/capabilities.js';
import type { HaproxyConfig } from './block/schema.js';
import { Timeline } from './trace/timeline.js';
import { wire, type Wiring, type WiringContext, wiringKey } from './wiring.js';

/** What the generator works with. */
export interface HaproxyGeneratorOptions extends WiringContext {
  readonly config: HaproxyConfig;
  /** Reads a new top-level block; undefined when it has errors. */
  readonly readConfig: (block: unknown) => HaproxyConfig | undefined;
  readonly lookup?: Lookup;
}

/** The parts built from one configuration; they begin to exist with the first IO. */
interface Parts {
  readonly wiring: Wiring;
  readonly converger: Converger;
  readonly watch: HaproxyWatch;
}

/** Keeps HAProxy in step with the catalog: servers through its Runtime API, everything else through its file. */
export class HaproxyGenerator implements Generator {
  readonly name = 'haproxy';
  readonly #options: HaproxyGeneratorOptions;
  readonly #hosts: HostResolver;
  readonly #claim: FileClaim;
  #config: HaproxyConfig;
  #parts: Promise<Parts> | undefined;
  #ready: Parts | undefined;
  /** Of the parts that were built last. */
  #converger: Converger | undefined;
  #replaced = new AbortController();
  /** What the last pass is doing, if it still runs. */
  #passing: Promise<unknown> | undefined;
  #memory: Memory | undefined;
  readonly #sections = new SectionCache();
  #desire: Desire | undefined;
  readonly #timeline = new Timeline();
  readonly #issues: IssueLog;
  readonly #clients = new Clients();
  #wake: () => void = () => undefined;
  /** Aborts when `run` is to end. */
  #stopped: AbortSignal | undefined;

  constructor(options: HaproxyGeneratorOptions) {
    this.#options = options;
    this.#config = options.config;
    const { clock, lookup, logger } = options;
    this.#issues = new IssueLog(logger);
    this.#claim = new FileClaim(clock);
    this.#hosts = new HostResolver({ clock, onChange: () => this.#wake(), ...(lookup && { lookup }) });
  }

  configure(block: unknown): void {
    const read = this.#options.readConfig(block);
    if (read === undefined) return;
    const config = this.#withFileInUse(read);
    const before = wiringKey(this.#config);
    this.#config = config;
    if (wiringKey(config) === before) return;
    this.#parts = undefined;
    this.#ready = undefined;
    this.#replaced.abort();
    this.#replaced = new AbortController();
  }

  /** The file of a managed HAProxy is named on its command line: another one is for the next that is started. */
  #withFileInUse(config: HaproxyConfig): HaproxyConfig {
    const { managed, configFilePath, candidateConfigFilePath } = this.#config;
    if (!managed || !config.managed || config.configFilePath === configFilePath) return config;
    this.#options.logger.error('config_file_path of a managed haproxy does not change while synapse runs', {
      ...{ inUse: configFilePath, configured: config.configFilePath },
      hint: 'stop synapse and HAProxy, then start synapse',
    });
    return { ...config, configFilePath, candidateConfigFilePath };
  }

  checkBlock(_service: string, block: unknown): readonly BlockIssue[] {
    return readServiceBlock(block).issues;
  }

  get traffic(): TrafficView {
    return this.#options.traffic.view;
  }

  readonly entrances = () => entrancesOf(this.#desire?.desired);
  readonly clients = (active: ReadonlySet<string>, signal: AbortSignal) =>
    this.#clients.look(
      { active, desired: this.#desire?.desired, targets: this.#ready?.wiring.targets ?? [] },
      signal,
    );
  get tap(): TapSource {
    return this.#options.tap;
  }

  status(): unknown {
    const { wiring, watch, converger } = this.#ready ?? {};
    return statusOf({
      ...{ desire: this.#desire, report: converger?.report, wiring, watch },
      ...{ traffic: this.#options.traffic, tap: this.#options.tap, budgets: this.#options.budgets },
      ...{ hosts: this.#hosts, statsAddress: this.#config.statsAddress },
    });
  }

  trace(subjects: readonly TraceSubject[], signal: AbortSignal): Promise<readonly GeneratorTrace[]> {
    const { wiring, converger } = this.#ready ?? {};
    const { clock, budgets } = this.#options;
    const all = { budgets, timeline: this.#timeline };
    const context = { wiring, desire: this.#desire, report: converger?.report, ...all };
    const { configFilePath: configPath, location } = this.#config;
    return traceServices(subjects, { ...context, configPath, location, clock }, signal);
  }

  async plan(view: CatalogView, signal: AbortSignal): Promise<GeneratorPlan> {
    const { planPass } = await import('./generatorPlan.js');
    const { wiring } = await this.#wire();
    const look = await this.#known(wiring, this.#memory ?? (await this.#remembered(wiring)));
    return planPass(view, { config: this.#config, wiring, look, clock: this.#options.clock }, signal);
  }

  /** HAProxy says who it is while the change is read. */
  expect(): void {
    // What is asked of the registry in this turn of the event loop leaves in the next: that goes first.
    setImmediate(() => setImmediate(() => this.#greet()));
  }

  #greet(): void {
    const signal = this.#stopped;
    if (signal === undefined || signal.aborted) return;
    for (const target of this.#ready?.wiring.targets ?? []) target.greet(signal);
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    this.#wake = wake;
    this.#stopped = signal;
    while (!signal.aborted) {
      const replaced = this.#replaced.signal;
      const { wiring, watch, converger } = await this.#wire();
      const both = AbortSignal.any([signal, replaced]);
      await run(
        [
          (inner) => watch.run(inner),
          (inner) => wiring.process.run(wake, inner),
          (inner) => wiring.counters.run(wake, inner),
          (inner) => wiring.taps.run(inner),
          (inner) => wiring.steering.run(wake, inner),
          (inner) => this.#refreshState(wiring, inner),
        ],
        both,
      );
      await this.#passing?.catch(() => undefined);
      // What was decided last reaches the disk even if we are told to stop meanwhile.
      await converger.idle();
      await wiring.beliefs.close();
    }
    await this.#claim.release();
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    const { wiring, converger } = await this.#wire();
    // Where synapse writes nothing, two of them may well run side by side to compare.
    if (this.#config.doWrites) await this.#claim.take(this.#config.configFilePath);
    this.#memory ??= await this.#remembered(wiring);
    const known = await this.#known(wiring, this.#memory);
    const { targets } = wiring;
    // HAProxy says who it is while we find out what it should be.
    for (const target of targets) target.greet(signal);
    try {
      const wanted = await desire(view, { ...known, cache: this.#sections });
      this.#memory = wanted.memory;
      this.#desire = wanted;
      this.#options.traffic.serve(wanted.desired.services, (service) => noLatencies(wanted.issues, service));
      this.#options.tap.serve(wanted.desired.services, whyNotTapped(wanted.desired, this.#config));
      this.#issues.tell(wanted.issues);
      this.#options.steering.serve(wanted.desired.services);
      this.#options.budgets.serve(wanted.desired.services);
      const pass = converger.converge(wanted, this.#config, signal);
      this.#passing = pass;
      return await pass;
    } finally {
      for (const target of targets) target.dismiss();
      this.#noteTimes(wiring);
    }
  }

  #noteTimes({ keeper, targets }: Wiring): void {
    const now = this.#options.clock.now();
    if (this.#desire !== undefined) this.#timeline.desired.note(this.#desire.desired, now);
    if (keeper.written !== undefined) this.#timeline.file.note(keeper.written.desired, keeper.written.at);
    const [seen] = targets.flatMap(({ observation }) => observation ?? []);
    if (seen !== undefined) this.#timeline.observed(seen.state, now);
  }

  async #remembered({ stateFile, beliefs }: Wiring): Promise<Memory> {
    const now = this.#options.clock.now();
    return addLastKnown(await stateFile.read(), beliefs.lastServers, Math.floor(now / 1000));
  }

  /** What wanting begins with. */
  async #known(wiring: Wiring, memory: Memory): Promise<Omit<DesireContext, 'cache'>> {
    const { targets, beliefs, keeper } = wiring;
    const running = targets.flatMap(({ socketPath, observation: seen }) =>
      seen === undefined ? [] : [{ state: seen.state, loaded: beliefs.running(socketPath, seen.identity) }],
    );
    return {
      ...{ config: this.#config, memory, hosts: this.#hosts, now: this.#options.clock.now() },
      ...{ lastGood: keeper.written?.desired, toldLast: (service) => beliefs.serversOf(service) },
      ...(await this.#abilities(wiring)),
      foreignIds: foreignIds(running),
    };
  }

  /** The file must suit the process that runs, and the one that the next start brings. */
  async #abilities({ installed, targets }: Wiring): Promise<ReturnType<typeof commonAbilities>> {
    const versions = [
      await installed.current(),
      ...targets.map(({ observation }) => observation?.state.process.version),
    ].filter((version) => version !== undefined);
    return commonAbilities(versions);
  }

  #wire(): Promise<Parts> {
    this.#parts ??= this.#build(this.#config);
    return this.#parts;
  }

  async #build(config: HaproxyConfig): Promise<Parts> {
    const { clock, logger, metrics, timing } = this.#options;
    const wake = (): void => this.#wake();
    // What the parts before these know, and may just be doing, must be on disk before these read it.
    await this.#passing?.catch(() => undefined);
    await this.#converger?.idle();
    const wiring = await wire(config, this.#options);
    const parts = {
      wiring,
      converger: new Converger(wiring, this.#options, wake),
      watch: new HaproxyWatch(wiring, {
        ...{ clock, logger, metrics, timing, wake },
        hardStopAfterMs: () => hardStopAfterMs(this.#config.base),
      }),
    };
    this.#converger = parts.converger;
    if (config === this.#config) this.#ready = parts;
    return parts;
  }

  async #refreshState({ stateFile, ownStart }: Wiring, signal: AbortSignal): Promise<void> {
    const { clock, logger, timing } = this.#options;
    let problem: string | undefined;
    const attempt = async (write: () => Promise<void>): Promise<void> => {
      try {
        await write();
        problem = undefined;
      } catch (error) {
        const now = describeError(error);
        logger[now === problem ? 'debug' : 'error']('the state file cannot be written', { problem: now });
        problem = now;
      }
    };
    while (!signal.aborted) {
      // Routes come first.
      await this.#passing?.catch(() => undefined);
      await ownStart.rest(signal);
      const memory = this.#memory;
      if (memory !== undefined) await attempt(() => stateFile.refresh(memory));
      await clock.sleep(timing.watchMs, signal).catch(() => undefined);
    }
    const memory = this.#memory;
    if (memory !== undefined) await attempt(() => stateFile.write(memory));
  }
}
