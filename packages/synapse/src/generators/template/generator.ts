import { AgentError, type Clock, describeError, type Logger, untilAborted } from '@smartstack/agent';
import type {
  BlockIssue,
  CatalogView,
  GeneratorPlan,
  GeneratorTrace,
  ReconcileOutcome,
  TraceSubject,
} from '../../catalog/types.js';
import type { Planning } from '../planShadow.js';
import { TellOnce } from '../tellOnce.js';
import { step } from '../traceSteps.js';
import { readServiceBlock, readTemplateBlock, type TemplatesConfig } from './blocks.js';
import { planOf, traceOf } from './explain.js';
import { Target, type TargetState } from './target.js';
import type { TemplateMetrics } from './templateMetrics.js';
import { type ServiceValues, type TemplateValues, valuesOf } from './values.js';

/** What the generator works with. */
export interface TemplateOptions {
  readonly config: TemplatesConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: TemplateMetrics;
}

/** Makes files of templates, and runs a command after each change of one. */
export class TemplateGenerator implements Planning {
  readonly name = 'template';
  readonly #options: TemplateOptions;
  #config: TemplatesConfig;
  #targets: readonly Target[];
  /** Of files that are none of ours any more: their claims are to be given up. */
  #retired: readonly Target[] = [];
  #before: ReadonlyMap<string, ServiceValues> = new Map();
  #values: TemplateValues | undefined;
  readonly #reported: TellOnce;

  constructor(options: TemplateOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#targets = this.#targetsOf(options.config);
    this.#reported = new TellOnce((issue) =>
      options.logger.warn('templates are not given something', { ...issue }),
    );
  }

  async run(_wake: () => void, signal: AbortSignal): Promise<void> {
    await untilAborted(signal);
    for (const target of [...this.#targets, ...this.#retired]) await target.release();
  }

  configure(block: unknown): void {
    const { config } = readTemplateBlock(block);
    if (config === undefined) return;
    const before = this.#targets;
    this.#config = config;
    this.#targets = this.#targetsOf(config);
    for (const target of this.#targets) {
      const same = before.find(
        ({ config: { destinationFile } }) => destinationFile === target.config.destinationFile,
      );
      if (same !== undefined) target.inherit(same);
    }
    this.#retired = [...this.#retired, ...before];
  }

  checkBlock(_service: string, block: unknown): readonly BlockIssue[] {
    return readServiceBlock(block).issues;
  }

  status(): unknown {
    return { templates: this.#targets.map((target) => target.status()), issues: this.#values?.issues ?? [] };
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    for (const target of this.#retired) await target.release();
    this.#retired = [];
    const values = valuesOf(view, this.#before);
    this.#values = values;
    this.#before = new Map(values.services.map((service) => [service.name, service]));
    this.#report(values);
    const failures: AgentError[] = [];
    let wrote = false;
    let againInMs = Infinity;
    for (const target of this.#targets) {
      signal.throwIfAborted();
      try {
        const outcome = await target.bring(values, this.#config.restartIntervalMs, signal);
        wrote ||= outcome.wrote;
        againInMs = Math.min(againInMs, outcome.againInMs ?? Infinity);
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        failures.push(error);
      }
    }
    this.#options.metrics.broken(this.#targets.filter(({ problem }) => problem !== undefined).length);
    const [first, ...others] = failures;
    if (first !== undefined) {
      const more = others.length > 0 ? ` (and ${others.length} more)` : '';
      throw new AgentError(first.code, `${describeError(first)}${more}`, { cause: first, retriable: true });
    }
    if (againInMs < Infinity) return { outcome: 'waiting', againInMs };
    return { outcome: wrote ? 'write' : 'noop' };
  }

  #targetsOf({ templates }: TemplatesConfig): readonly Target[] {
    const { clock, logger, metrics } = this.#options;
    return templates.map((config) => new Target(config, { clock, logger, metrics }));
  }

  async plan(view: CatalogView): Promise<GeneratorPlan> {
    const values = valuesOf(view, this.#before);
    this.#values = values;
    return planOf(values, await this.#look(values));
  }

  async trace(subjects: readonly TraceSubject[]): Promise<readonly GeneratorTrace[]> {
    const values = this.#values;
    if (values === undefined)
      return subjects.map(() => ({ steps: [step('desired', false, 'no pass was made yet')], servers: [] }));
    const targets = await this.#look(values);
    return subjects.map((subject) => traceOf(subject, values, targets));
  }

  #look(values: TemplateValues): Promise<readonly TargetState[]> {
    const { restartIntervalMs } = this.#config;
    return Promise.all(this.#targets.map((target) => target.look(values, restartIntervalMs)));
  }

  #report({ issues, unknown }: TemplateValues): void {
    const waiting = unknown.map((service) => ({ service, reason: 'nothing is known of it yet' }));
    this.#reported.note([...issues, ...waiting]);
  }
}
