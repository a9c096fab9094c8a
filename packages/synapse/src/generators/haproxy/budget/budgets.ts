import type { Clock, Logger } from '@smartstack/agent';
import { Histograms } from '../counters/histograms.js';
import { allowedRetries } from '../desired/budgetLines.js';
import { budgetWindowSeconds } from '../desired/budgetNames.js';
import type { HaproxyIssue } from '../desired/issue.js';
import { isTier } from '../desired/tierNames.js';
import type { ServiceSections } from '../types.js';
import type { BudgetMetrics } from './budgetMetrics.js';
import type { BudgetRow } from './budgetTable.js';

/** What it works with. */
export interface BudgetsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: BudgetMetrics;
}

/** One look at the table of one worker. */
interface BudgetReading {
  /** Names the worker, so that no other one ever has this name. */
  readonly worker: string;
  readonly rows: readonly BudgetRow[];
}

/** A budget that holds nothing back for so long is no longer spent. */
const quietMs = 30_000;
/** What a worker said is shown for so long. */
const freshMs = 10_000;
/** Workers that fell silent keep their place: a frozen one that comes back must not count twice. */
const maxWorkers = 16;

interface Spent {
  withheld: number;
  /** When something was held back last, monotonic milliseconds. */
  at: number;
}

/** What budgets of retries come to, over all workers. HAProxy keeps them; here it is only told of them. */
export class Budgets {
  readonly #options: BudgetsOptions;
  readonly #startedAt: number;
  readonly #gains = new Histograms();
  readonly #workers = new Map<string, { readonly rows: readonly BudgetRow[]; readonly at: number }>();
  #services: ReadonlyMap<string, ServiceSections> = new Map();
  /** Services whose budget is spent at the moment. */
  readonly #spent = new Map<string, Spent>();

  constructor(options: BudgetsOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
  }

  /** Whose retries have a budget, from now on. */
  serve(services: readonly ServiceSections[]): void {
    const before = this.#services;
    this.#services = new Map(
      services.flatMap((sections) =>
        isTier(sections.service) || allowedRetries(sections, 0) === undefined
          ? []
          : [[sections.service, sections]],
      ),
    );
    for (const service of before.keys()) {
      if (this.#services.has(service)) continue;
      this.#options.metrics.forget(service);
      this.#spent.delete(service);
    }
    for (const service of this.#services.keys())
      if (!before.has(service)) this.#options.metrics.withheld(service, 0);
  }

  /** Whether any service has one. */
  get isWanted(): boolean {
    return this.#services.size > 0;
  }

  /** Takes a reading; `uptimeSeconds` is the worker's age. */
  add({ worker, rows }: BudgetReading, uptimeSeconds: number): void {
    const now = this.#options.clock.monotonic();
    this.#workers.delete(worker);
    this.#workers.set(worker, { rows, at: now });
    const gains = this.#gains.add({
      worker,
      isOlder: uptimeSeconds * 1000 > now - this.#startedAt,
      rows: rows.map(({ service, withheld }) => ({ key: service, counts: [withheld], inUse: false })),
    });
    for (const { key: service, counts } of gains) this.#heldBack(service, counts[0] ?? 0, now);
    for (const [service, { at, withheld }] of this.#spent) {
      if (now - at < quietMs) continue;
      this.#spent.delete(service);
      this.#options.logger.info('there is room in the budget of retries again', { service, withheld });
    }
    for (const silent of [...this.#workers.keys()].slice(0, -maxWorkers)) this.forget(silent);
  }

  #heldBack(service: string, count: number, now: number): void {
    if (!this.#services.has(service)) return;
    const { metrics, logger } = this.#options;
    metrics.withheld(service, count);
    const known = this.#spent.get(service);
    this.#spent.set(service, { withheld: (known?.withheld ?? 0) + count, at: now });
    if (known === undefined)
      logger.warn('the budget of retries is spent, failures are passed on', {
        service,
        ...this.#now(service),
      });
  }

  /** A worker has ended. */
  forget(worker: string): void {
    this.#gains.forget(worker);
    this.#workers.delete(worker);
  }

  /** The window, over the workers that answered lately. */
  #now(service: string): Pick<BudgetRow, 'requests' | 'retries'> {
    const since = this.#options.clock.monotonic() - freshMs;
    const rows = [...this.#workers.values()].flatMap(({ rows: all, at }) =>
      at < since ? [] : all.filter((row) => row.service === service),
    );
    const sum = (value: (row: BudgetRow) => number): number =>
      rows.reduce((total, row) => total + value(row), 0);
    return { requests: sum(({ requests }) => requests), retries: sum(({ retries }) => retries) };
  }

  /** For people: whose budget is spent at the moment. */
  get issues(): readonly HaproxyIssue[] {
    return [...this.#spent].map(([service, { withheld }]) => {
      const { requests, retries } = this.#now(service);
      const reason = `its budget of retries is spent: ${retries} retries of ${requests} requests in ${budgetWindowSeconds} s, and ${withheld} failures were passed on`;
      return { severity: 'warning', service, reason };
    });
  }

  /** For the status: by service, the window of 10 seconds, and what it allows. */
  status(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      [...this.#services].map(([service, sections]) => {
        const now = this.#now(service);
        const spent = this.#spent.get(service);
        const allowed = allowedRetries(sections, now.requests);
        return [service, { ...now, allowed, ...(spent && { spent: true, withheld: spent.withheld }) }];
      }),
    );
  }
}
