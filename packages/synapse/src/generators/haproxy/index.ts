import { hostname as systemHostname } from 'node:os';
import { AgentError } from '@smartstack/agent';
import type { BlockIssue, Generator } from '../../catalog/types.js';
import type { GeneratorContext, GeneratorKind } from '../types.js';
import { readHaproxyBlock, readServiceBlock } from './block/blocks.js';
import { examine } from './examine.js';
import { HaproxyGenerator } from './generator.js';
import { alsoToStatsd, createHaproxyMetrics } from './haproxyMetrics.js';
import type { Lookup } from '../hosts.js';
import { preview } from './preview.js';
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

function configOf(block: unknown, hostname: string): HaproxyConfig {
  const { config, issues } = readHaproxyBlock(block, hostname);
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
  return new HaproxyGenerator({
    ...{ clock, logger, random, turn: new Turn() },
    config: configOf(block, hostname),
    readConfig: (next) => readHaproxyBlock(next, hostname).config,
    metrics: alsoToStatsd(createHaproxyMetrics(metrics), options.events),
    traffic: new Traffic(clock, createTrafficMetrics(metrics)),
    timing: { ...defaultGeneratorTiming, ...options.timing },
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
  render: (block, view, clock) => preview(configOf(block, systemHostname()), view, { clock }),
  examine: (block, view, clock) => examine(configOf(block, systemHostname()), view, clock),
};
