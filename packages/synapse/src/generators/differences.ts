import type { Clock, Gauge, Logger, Metrics } from '@smartstack/agent';

/** One thing that is otherwise than ours would have it. */
export interface Difference {
  readonly where: 'file' | 'running';
  /** `backend web`, `web/a_10.0.0.1:80`, or a file. */
  readonly subject: string;
  readonly detail: string;
}

/** The other synapse needs its time to follow: what passes sooner is no difference. In milliseconds. */
const graceMs = 15_000;

interface Lasting extends Difference {
  /** Wall clock milliseconds. */
  readonly since: number;
  readonly told: boolean;
}

/** Declares the metric of `--shadow`, which all generators share. */
export function shadowGauge(metrics: Metrics): Gauge {
  return metrics.gauge({
    name: 'smartstack_shadow_differences',
    help: 'With --shadow: what the live file or the running HAProxy has otherwise than ours would, for more than 15 s.',
    labels: ['generator', 'where'],
  });
}

/** What telling of differences needs. */
export interface DifferencesOptions {
  readonly generator: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly gauge: Gauge;
}

/** The differences between what another synapse did and what ours would do; told once each, when they last. */
export class Differences {
  readonly #options: DifferencesOptions;
  #known: ReadonlyMap<string, Lasting> = new Map();

  constructor(options: DifferencesOptions) {
    this.#options = options;
  }

  /** Takes all that differs now. */
  note(found: readonly Difference[]): void {
    const { clock, logger, gauge, generator } = this.#options;
    const now = clock.now();
    const before = this.#known;
    const after = new Map<string, Lasting>();
    for (const difference of found) {
      const key = JSON.stringify(difference);
      const { since = now, told = false } = before.get(key) ?? {};
      const isLasting = now - since >= graceMs;
      if (isLasting && !told) logger.warn('differs from what ours would do', { ...difference });
      after.set(key, { ...difference, since, told: told || isLasting });
    }
    for (const [key, { told, where, subject }] of before)
      if (told && !after.has(key)) logger.info('a difference is over', { where, subject });
    this.#known = after;
    for (const where of ['file', 'running'] as const) {
      const lasting = [...after.values()].filter((one) => one.told && one.where === where);
      gauge.set(lasting.length, { generator, where });
    }
  }

  /** For the status: since when (wall clock milliseconds), and whether it lasts. */
  get all(): readonly (Difference & { readonly since: number; readonly lasting: boolean })[] {
    return [...this.#known.values()].map(({ told, ...difference }) => ({ ...difference, lasting: told }));
  }
}
