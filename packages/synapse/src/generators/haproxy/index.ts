import { hostname as systemHostname } from 'node:os';
import { AgentError } from '@smartstack/agent';
import type { BlockIssue, Generator } from '../../catalog/types.js';
import type { GeneratorContext, GeneratorKind, HostSettings } from '../types.js';
import { readHaproxyBlock, readServiceBlock } from './block/blocks.js';
import { createBalanceMetrics } from './balance/balanceMetrics.js';
import { createBudgetMetrics } from './budget/budgetMetrics.js';
import { Budgets } from './budget/budgets.js';
import { Steering } from './balance/steering.js';
import { examine } from './examine.js';
import { HaproxyGenerator } from './generator.js';
import { alsoToStatsd, createHaproxyMetrics } from './haproxyMetrics.js';
import type { Lookup } from '../hosts.js';
import { preview } from './preview.js';
import { TapHub } from './tap/tapHub.js';
import { createTapMetrics } from './tap/tapMetrics.js';
import { Turn } from './process/turn.js';
import type { HaproxyConfig } from './block/schema.js';
import { Traffic } from './traffic.js';
import { createTrafficMetrics } from './trafficMetrics.js';
import { defaultGeneratorTiming, type GeneratorTiming } from './wiring.js';

/** Everything the generator needs; what is optional has the product's defaults. */
export interface CreateHaproxyGeneratorOptions extends GeneratorContext {
  /** The top-level `haproxy` block, which passed `check`. */
  readonly block: unknown;
  /** Seeds the order of servers where the block has no seed of its own. */
  readonly hostname?: string;
  readonly timing?: Partial<GeneratorTiming>;
  readonly random?: () => number;
  readonly lookup?: Lookup;
}

function configOf(block: unknown, hostname: string, host: HostSettings = {}): HaproxyConfig {
  const { config, issues } = readHaproxyBlock(block, hostname, host);
  if (config !== undefined) return config;
  const problems = issues.map(({ path, message }) => `${['haproxy', ...path].join('.')}: ${message}`);
  throw new AgentError('config', problems.join('; '));
}

/** Creates the HAProxy generator. Throws AgentError `config` on a block that has errors; does no IO yet. */
export function createHaproxyGenerator(options: CreateHaproxyGeneratorOptions): Generator {
  const {
    block,
    clock,
    logger,
    metrics,
    lookup,
    random = Math.random,
    hostname = systemHostname(),
  } = options;
  const traffic = new Traffic(clock, createTrafficMetrics(metrics));
  const counts = { of: traffic.countsOf.bind(traffic), readings: () => traffic.readings };
  const balanceMetrics = createBalanceMetrics(metrics);
  const timing = { ...defaultGeneratorTiming, ...options.timing };
  const steering = new Steering({ clock, random, metrics: balanceMetrics, counts, stepMs: timing.steerMs });
  traffic.view.listen((gains) => steering.hear(gains));
  return new HaproxyGenerator({
    ...{ clock, logger, random, traffic, steering, turn: new Turn() },
    budgets: new Budgets({ clock, logger, metrics: createBudgetMetrics(metrics) }),
    tap: new TapHub(createTapMetrics(metrics)),
    config: configOf(block, hostname, options),
    readConfig: (next) => readHaproxyBlock(next, hostname, options).config,
    metrics: alsoToStatsd(createHaproxyMetrics(metrics), options.events),
    timing,
    ...(lookup && { lookup }),
  });
}

const check = (block: unknown): readonly BlockIssue[] => readHaproxyBlock(block, '').issues;

/** The `haproxy` generator: its rules and its constructor. */
export const haproxyKind: GeneratorKind = {
  check,
  checkService: (_service, block) => readServiceBlock(block).issues,
  portOverride: (block) => readServiceBlock(block).config?.serverPortOverride,
  create: (block, context) => createHaproxyGenerator({ ...context, block }),
  createShadow: async (block, { clock, logger, gauge, location }) => {
    // What is counted and what is tapped is left out of the comparison: most others do neither.
    const host = { ...(location && { location }) };
    const { ShadowGenerator } = await import('./shadow/shadowGenerator.js');
    const hostname = systemHostname();
    const readConfig = (next: unknown) => readHaproxyBlock(next, hostname, host).config;
    return new ShadowGenerator({
      config: configOf(block, hostname, host),
      readConfig,
      clock,
      logger,
      gauge,
    });
  },
  render: (block, view, clock, host) => preview(configOf(block, systemHostname(), host), view, { clock }),
  lint: async ({ block, services, view }, clock) => {
    const { lintHaproxy } = await import('./lint/lint.js');
    return lintHaproxy({ raw: block, config: configOf(block, systemHostname()), services, view }, clock);
  },
  diff: async (input, clock, host) => {
    const { diffLive } = await import('./live/liveDiff.js');
    return diffLive(configOf(input.block, systemHostname(), host), input, clock);
  },
  points: async () => {
    const { haproxyPoints } = await import('./checkup/index.js');
    return haproxyPoints((block, host) => configOf(block, systemHostname(), host));
  },
  examine: (block, view, clock, host) => examine(configOf(block, systemHostname(), host), view, clock),
};
